//! What a query says, and a query without some of it.

use std::borrow::Cow;

use super::spelling::percent_decode;

/// A query without these of its parameters, however their names are spelled.
pub fn without<'q>(query: Option<&'q str>, names: &[&str]) -> Option<Cow<'q, str>> {
    let query = query?;
    let is = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        names.contains(&&*percent_decode(name))
    };
    if !query.split('&').any(|pair| is(&pair)) {
        return Some(query.into());
    }
    let rest: Vec<&str> = query.split('&').filter(|pair| !is(pair)).collect();
    (!rest.is_empty()).then(|| rest.join("&").into())
}

/// Whether a stream of Gemini's is asked for as server-sent events.
///
/// Source: [system parameters](https://cloud.google.com/apis/docs/system-parameters).
#[must_use]
pub fn asks_for_events(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        matches!(&*percent_decode(name), "alt" | "$alt") && percent_decode(value) == "sse"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_out_of_a_query_and_others_stay() {
        for (query, left) in [
            ("key=a", None),
            ("alt=sse&key=a", Some("alt=sse")),
            ("a=1&key=a&b=2&key=b", Some("a=1&b=2")),
            ("keys=a", Some("keys=a")),
            ("key", None),
            ("k%65y=a&b=1", Some("b=1")),
        ] {
            let names = &["key", "token"];
            assert_eq!(without(Some(query), names).as_deref(), left, "{query}");
        }
        assert_eq!(without(None, &["key"]), None);
    }

    #[test]
    fn events_are_asked_for_by_one_word_however_it_is_spelled() {
        for query in ["alt=sse", "key=a&alt=sse", "%24alt=ss%65", "$alt=sse"] {
            assert!(asks_for_events(Some(query)), "{query}");
        }
        for query in ["", "alt=json", "talt=sse", "alt", "a=alt=sse", "alt%3Dsse"] {
            assert!(!asks_for_events(Some(query)), "{query}");
        }
        assert!(!asks_for_events(None));
    }
}
