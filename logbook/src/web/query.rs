//! What is asked, as one reads it from a query string.

use super::Asked;
use super::parameters::{
    AFTER, ATTRIBUTE, FILTER, FROM, Form, MIN_DURATION, MODEL, NAMESPACE, Parameter, ROUTE, STATUS,
    TEXT, UNTIL, USER,
};
use super::problem::Problem;
use super::time;
use crate::query::{Filter, Status};
use crate::record::without_nul;
use http::Uri;

/// A search without a beginning looks through so much.
const SEARCHED: i64 = 86_400_000_000;

/// A query string, taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// A program's: a parameter that is not among the known ones is refused, and so is one that stands there too often.
    pub(super) fn strict(uri: &Uri, known: &[&Parameter]) -> Result<Self, Problem> {
        let query = Self::pairs(uri);
        for (name, _) in &query.0 {
            let Some(parameter) = known.iter().find(|known| known.name == name) else {
                let names: Vec<_> = known.iter().map(|known| known.name).collect();
                let instead = if names.is_empty() {
                    "it takes none".to_owned()
                } else {
                    format!("it takes {}", names.join(", "))
                };
                return Err(Problem::parameter(
                    name,
                    format!("this path takes no parameter {name:?}; {instead}"),
                ));
            };
            let (given, most) = (query.all(parameter).count(), parameter.many.unwrap_or(1));
            if given > most {
                return Err(Problem::parameter(
                    name,
                    format!("{name} is given {given} times; give it {most} times at most"),
                ));
            }
        }
        Ok(query)
    }

    /// A form's: empty fields were not filled in, and what is not known is passed over.
    pub(super) fn lenient(uri: &Uri) -> Self {
        let mut query = Self::pairs(uri);
        query.0.retain(|(_, value)| !value.is_empty());
        query
    }

    fn pairs(uri: &Uri) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// What a form sent as its body.
    pub(super) fn of_form(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The first value of a name that is no parameter of the APIs.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Each value of a parameter.
    pub(super) fn all<'a>(&'a self, parameter: &Parameter) -> impl Iterator<Item = &'a str> {
        let name = parameter.name;
        self.0
            .iter()
            .filter(move |(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter.
    pub(super) fn one(&self, parameter: &Parameter) -> Option<&str> {
        self.all(parameter).next()
    }

    fn read<T>(
        &self,
        parameter: &Parameter,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.one(parameter)
            .map(|value| read(value).ok_or_else(|| wrong(parameter)))
            .transpose()
    }

    pub(super) fn time(&self, parameter: &Parameter, now: i64) -> Result<Option<i64>, Problem> {
        self.read(parameter, |value| time::time(value, now))
    }

    /// In microseconds.
    pub(super) fn span(&self, parameter: &Parameter) -> Result<Option<i64>, Problem> {
        self.read(parameter, time::span)
    }

    pub(super) fn int(&self, parameter: &Parameter) -> Result<Option<i64>, Problem> {
        let Form::Int { least, most } = parameter.form else {
            return Ok(None);
        };
        self.read(parameter, |value| {
            let number: i64 = value.parse().ok()?;
            // Not `+5` nor `-0`, which are no JSON.
            (number.to_string() == value && (least..=most).contains(&number)).then_some(number)
        })
    }

    pub(super) fn flag(&self, parameter: &Parameter) -> Result<bool, Problem> {
        let flag = self.read(parameter, |value| match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })?;
        Ok(flag.unwrap_or_default())
    }

    fn text(&self, parameter: &Parameter) -> Result<Option<String>, Problem> {
        self.read(parameter, |value| text(value, parameter))
    }

    /// Where a page begins, as the store says it.
    pub(super) fn cursor(&self) -> Result<Option<String>, Problem> {
        self.read(&AFTER, decode_cursor)
    }

    /// What narrows a question, within what whoever asks may see.
    pub(super) fn filter(&self, asked: &Asked<'_>) -> Result<Filter, Problem> {
        let namespaces = self
            .all(&NAMESPACE)
            // As they are stored.
            .map(|value| text(value, &NAMESPACE).ok_or_else(|| wrong(&NAMESPACE)))
            .map(|value| value.map(|value| without_nul(&value).into_owned()))
            .collect::<Result<Vec<_>, _>>()?;
        let attributes = self
            .all(&ATTRIBUTE)
            .map(|value| attribute(value).ok_or_else(|| wrong(&ATTRIBUTE)))
            .collect::<Result<_, _>>()?;
        let text = self.text(&TEXT)?;
        let from = self.time(&FROM, asked.now)?;
        Ok(Filter {
            from: from.or_else(|| text.is_some().then_some(asked.now - SEARCHED)),
            until: self.time(&UNTIL, asked.now)?,
            namespaces: asked.viewer.among(namespaces),
            route: self.text(&ROUTE)?,
            user: self.text(&USER)?,
            model: self.text(&MODEL)?,
            status: self.read(&STATUS, status)?,
            min_duration_ms: self.int(&MIN_DURATION)?,
            text,
            attributes,
        })
    }

    /// The part of it that narrows a question, as a query string with something else set or left out.
    pub(super) fn narrowed(&self, set: &[(&str, Option<&str>)]) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            let ours = FILTER.iter().any(|parameter| parameter.name == name);
            if ours && !set.iter().any(|(other, _)| other == name) {
                out.append_pair(name, value);
            }
        }
        for (name, value) in set {
            if let Some(value) = value {
                out.append_pair(name, value);
            }
        }
        out.finish()
    }
}

fn wrong(parameter: &Parameter) -> Problem {
    let (name, cure) = (parameter.name, parameter.form.cure());
    Problem::parameter(name, format!("{name} must be {cure}"))
}

fn text(value: &str, parameter: &Parameter) -> Option<String> {
    let Form::Text(longest) = parameter.form else {
        return None;
    };
    let fits = !value.is_empty() && value.chars().count() <= longest;
    fits.then(|| value.to_owned())
}

fn attribute(value: &str) -> Option<(String, String)> {
    let Form::Text(longest) = TEXT.form else {
        return None;
    };
    let (name, of) = value.split_once('=')?;
    let fits = !name.is_empty() && value.chars().count() <= longest;
    fits.then(|| (name.to_owned(), of.to_owned()))
}

fn status(value: &str) -> Option<Status> {
    match value {
        "failed" => Some(Status::Failed),
        "succeeded" => Some(Status::Succeeded),
        _ => {
            let bytes = value.as_bytes();
            let hundred = match bytes.first()? {
                digit @ b'1'..=b'5' if bytes.len() == 3 => digit - b'0',
                _ => return None,
            };
            match &bytes[1..] {
                b"xx" => Some(Status::Class(hundred)),
                rest if rest.iter().all(u8::is_ascii_digit) => value.parse().ok().map(Status::Code),
                _ => None,
            }
        }
    }
}

/// The store's cursor holds an id, which may be anything that somebody shipped; in a URL it is plain.
pub(super) fn encode_cursor(cursor: &str) -> String {
    let (at, id) = cursor.split_once('.').unwrap_or((cursor, ""));
    let id: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{at}-{id}")
}

fn decode_cursor(text: &str) -> Option<String> {
    let (at, id) = text.split_once('-')?;
    let hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let fits = (1..=15).contains(&at.len())
        && (2..=800).contains(&id.len())
        && id.len().is_multiple_of(2)
        && hex(at)
        && hex(id);
    let bytes: Vec<u8> = fits.then(|| {
        (0..id.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(id.get(at..at + 2)?, 16).ok())
            .collect()
    })?;
    Some(format!(
        "{at}.{}",
        without_nul(&String::from_utf8_lossy(&bytes))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_passes_through_a_url_whatever_the_id() {
        for cursor in ["5f.a", "5f.a.b-c", "60a1b2c3d4e5f.0192-ü \n'\""] {
            let encoded = encode_cursor(cursor);
            assert!(encoded.is_ascii() && !encoded.contains([' ', '\'', '&']));
            assert_eq!(decode_cursor(&encoded).as_deref(), Some(cursor));
        }
        for nonsense in [
            "",
            "-",
            "5f-",
            "-61",
            "5f-6",
            "5f-6G",
            "5F-61",
            "1234567890abcdef-61",
        ] {
            assert_eq!(decode_cursor(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(decode_cursor("5f-00").as_deref(), Some("5f.\u{fffd}"));
    }

    #[test]
    fn a_status_is_a_number_a_hundred_or_a_word() {
        assert_eq!(status("503"), Some(Status::Code(503)));
        assert_eq!(status("4xx"), Some(Status::Class(4)));
        assert_eq!(status("failed"), Some(Status::Failed));
        for nonsense in [
            "", "5", "5x", "600", "099", "5XX", "5xx ", "+50", "ok", "5é",
        ] {
            assert_eq!(status(nonsense), None, "{nonsense:?}");
        }
    }
}
