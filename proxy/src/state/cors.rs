//! Which pages of other origins may do what with a route, made ready to be said.
//!
//! Source: [the CORS protocol](https://fetch.spec.whatwg.org/#http-cors-protocol). Credentials of the browser's own (cookies, client certificates) are never allowed; a
//! header that the page sets itself, such as `Authorization`, is none of them.

use dragoman_config::CorsItem;
use http::HeaderValue;

use super::backend::Unrunnable;

/// What pages of other origins may do.
#[derive(Debug)]
pub struct Cors {
    origins: Origins,
    /// The headers that they may send; absent: those that they ask for.
    pub headers: Option<HeaderValue>,
    /// The methods that they may use.
    pub methods: HeaderValue,
    /// How long a browser may keep that, in seconds.
    pub max_age: HeaderValue,
}

#[derive(Debug)]
enum Origins {
    All,
    These(Vec<Origin>),
}

/// An origin as a browser writes it, or all below a domain.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Whole(String),
    /// What stands before the wildcard (`https://`), and after it (`.example.com:8443`).
    Below(String, String),
}

impl Cors {
    /// Makes `item` ready.
    ///
    /// # Errors
    /// [`Unrunnable`] when it names what no header can carry.
    pub fn new(item: &CorsItem) -> Result<Self, Unrunnable> {
        let value =
            |text: String| HeaderValue::try_from(&text).map_err(|_| Unrunnable::Header(text));
        let origins = if item.origins.iter().any(|origin| origin == "*") {
            Origins::All
        } else {
            Origins::These(item.origins.iter().map(|text| Origin::read(text)).collect())
        };
        let headers = item
            .headers
            .as_ref()
            .map(|headers| value(headers.join(", ")));
        Ok(Self {
            origins,
            headers: headers.transpose()?,
            methods: value(item.methods.join(", "))?,
            max_age: item.max_age.into(),
        })
    }

    /// Whether what is said depends on who asks.
    pub fn varies(&self) -> bool {
        matches!(self.origins, Origins::These(_))
    }

    /// The origin that may read the reply to a request with this `Origin`; `None` when its page may not.
    pub fn admits(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match &self.origins {
            // The same for everybody, so that a cache may keep it for all.
            Origins::All => Some(HeaderValue::from_static("*")),
            Origins::These(these) => {
                let value = origin?;
                let text = value.to_str().ok()?;
                let mut these = these.iter();
                these.any(|one| one.is(text)).then(|| value.clone())
            }
        }
    }
}

impl Origin {
    fn read(text: &str) -> Self {
        // Browsers leave out the port that a scheme has by itself.
        let usual = match text.split_once("://") {
            Some(("http", rest)) => rest.strip_suffix(":80").map(|rest| ("http", rest)),
            Some(("https", rest)) => rest.strip_suffix(":443").map(|rest| ("https", rest)),
            _ => None,
        };
        let text = usual.map_or_else(
            || text.to_owned(),
            |(scheme, host)| format!("{scheme}://{host}"),
        );
        match text.split_once("://*.") {
            Some((scheme, domain)) => Self::Below(format!("{scheme}://"), format!(".{domain}")),
            None => Self::Whole(text),
        }
    }

    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Whole(whole) => whole == origin,
            Self::Below(before, after) => {
                let host = origin.strip_prefix(before.as_str());
                let host = host.and_then(|rest| rest.strip_suffix(after.as_str()));
                // Whatever else stands there, a port or a path say, is no part of a host's name.
                host.is_some_and(|host| {
                    !host.is_empty()
                        && host
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Cors::new(&CorsItem {
            origins: own(origins),
            headers: None,
            methods: own(&["GET", "POST"]),
            max_age: 600,
        })
        .unwrap()
    }

    fn admits(cors: &Cors, origin: &'static str) -> bool {
        let origin = HeaderValue::from_static(origin);
        match cors.admits(Some(&origin)) {
            Some(said) => {
                assert_eq!(said, origin, "it is said as it was asked");
                true
            }
            None => false,
        }
    }

    #[test]
    fn an_origin_is_admitted_as_browsers_write_it_and_in_no_other_way() {
        let cors = cors(&["https://chat.example.com", "http://localhost:3000"]);
        for yes in ["https://chat.example.com", "http://localhost:3000"] {
            assert!(admits(&cors, yes), "{yes}");
        }
        for no in [
            "http://chat.example.com",
            "https://chat.example.com:8443",
            "https://chat.example.com.evil.test",
            "https://evil.test?https://chat.example.com",
            "https://chat.example.com/",
            "HTTPS://chat.example.com",
            "http://localhost",
            "null",
            "*",
            "",
        ] {
            assert!(!admits(&cors, no), "{no}");
        }
        assert_eq!(cors.admits(None), None);
        assert!(cors.varies());
    }

    #[test]
    fn a_wildcard_stands_for_hosts_below_a_domain_and_never_for_the_domain_or_what_ends_alike() {
        let cors = cors(&["https://*.example.com", "http://*.test:8080"]);
        for yes in [
            "https://a.example.com",
            "https://a.b-c.example.com",
            "http://x.test:8080",
        ] {
            assert!(admits(&cors, yes), "{yes}");
        }
        for no in [
            "https://example.com",
            "https://.example.com",
            "https://evilexample.com",
            "https://evil.test/.example.com",
            "https://evil.test:1#.example.com",
            "https://user@.example.com",
            "http://a.example.com",
            "https://a.example.com:444",
            "http://x.test",
        ] {
            assert!(!admits(&cors, no), "{no}");
        }
    }

    #[test]
    fn a_port_that_the_scheme_has_by_itself_may_be_written_out() {
        let cors = cors(&[
            "https://a.test:443",
            "http://b.test:80",
            "https://*.c.test:443",
        ]);
        for yes in ["https://a.test", "http://b.test", "https://x.c.test"] {
            assert!(admits(&cors, yes), "{yes}");
        }
        assert!(!admits(&cors, "http://a.test"));
    }

    #[test]
    fn a_star_admits_everybody_in_the_same_words() {
        let cors = cors(&["https://a.test", "*"]);
        let star = HeaderValue::from_static("*");
        for origin in ["https://any.test", "null"] {
            assert_eq!(
                cors.admits(Some(&HeaderValue::from_static(origin)))
                    .as_ref(),
                Some(&star)
            );
        }
        assert_eq!(cors.admits(None), Some(star));
        assert!(!cors.varies());
    }
}
