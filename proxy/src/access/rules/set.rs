//! Fields of a body set in place: every other byte stays.

use bytes::Bytes;
use serde_json::Value;

use crate::json::{Edit, Malformed, ObjectEdit, read, scan, splice, string};

/// Where a field stands: names, from the outermost in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::access) struct Path(Vec<String>);

/// A field that cannot be set. The client's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::access) enum Unsettable {
    /// The body is no JSON object.
    #[error("The request's body is {0}.")]
    Malformed(#[from] Malformed),
    /// A name on the way stands there twice.
    #[error("The request's body has {0:?} twice.")]
    Twice(String),
}

impl Path {
    /// The deepest.
    const DEEPEST: usize = 8;

    /// Reads names with dots between them.
    ///
    /// # Errors
    /// Why it is none, and the cure.
    pub(in crate::access) fn parse(written: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            let mut letters = name.bytes();
            letters
                .next()
                .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        let names: Vec<String> = written.split('.').map(str::to_owned).collect();
        if names.len() > Self::DEEPEST || written.len() > 256 || !names.iter().all(|it| is_name(it))
        {
            return Err(format!(
                "{written:?} is no path; write names with dots between them, such as metadata.team"
            ));
        }
        if names == ["model"] {
            return Err("the model is chosen by a rule with action SetModel".to_owned());
        }
        Ok(Self(names))
    }
}

/// The body with a field set, or taken away where `value` is null.
pub(in crate::access) fn set(
    body: &Bytes,
    path: &Path,
    value: &Value,
) -> Result<Bytes, Unsettable> {
    // The body as a whole is checked once.
    scan::<&str>(body, &[])?;
    let text = std::str::from_utf8(body).unwrap_or_default();
    let edits = edits(text, 0..text.len(), &path.0, value)?;
    let mut segments = splice(body, edits);
    Ok(match segments.len() {
        0 => Bytes::new(),
        1 => segments.remove(0),
        _ => segments.concat().into(),
    })
}

fn edits(
    text: &str,
    object: std::ops::Range<usize>,
    path: &[String],
    value: &Value,
) -> Result<Vec<Edit>, Unsettable> {
    let [name, below @ ..] = path else {
        return Ok(Vec::new());
    };
    let names = [name.as_str()];
    let members = read(text, &object, &names)?;
    let mut edit = ObjectEdit::new(&members);
    if below.is_empty() {
        match value {
            Value::Null => edit.remove(name),
            value => edit.set(name, value.to_string().into()),
        }
        return Ok(edit.finish());
    }
    let mut there = members.all(name);
    match (there.next(), there.next()) {
        (Some(member), None) if text[member.value.clone()].starts_with('{') => {
            edits(text, member.value.clone(), below, value)
        }
        (Some(_), Some(_)) => Err(Unsettable::Twice(name.clone())),
        _ if value.is_null() => Ok(Vec::new()),
        _ => {
            edit.set(name, nested(below, value).into());
            Ok(edit.finish())
        }
    }
}

/// The value within objects of these names.
fn nested(path: &[String], value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for name in path {
        out.push(b'{');
        string::encode(name, &mut out);
        out.push(b':');
    }
    out.extend_from_slice(value.to_string().as_bytes());
    out.resize(out.len() + path.len(), b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn becomes(body: &'static str, path: &str, value: Value) -> String {
        let path = Path::parse(path).unwrap();
        let made = set(&Bytes::from_static(body.as_bytes()), &path, &value).unwrap();
        String::from_utf8(made.to_vec()).unwrap()
    }

    #[test]
    fn a_field_is_set_in_place_and_all_other_bytes_stay() {
        let body = r#"{ "a" : 1.0, "metadata": { "x":[1] }, "t":2}"#;
        assert_eq!(
            becomes(body, "t", json!(0.5)),
            r#"{ "a" : 1.0, "metadata": { "x":[1] }, "t":0.5}"#
        );
        assert_eq!(
            becomes(body, "metadata.team", json!("é\"")),
            r#"{ "a" : 1.0, "metadata": { "x":[1],"team":"é\"" }, "t":2}"#
        );
        assert_eq!(
            becomes(body, "metadata", Value::Null),
            r#"{ "a" : 1.0, "t":2}"#
        );
        assert_eq!(becomes(body, "none.at.all", Value::Null), body);
    }

    #[test]
    fn objects_on_the_way_are_made() {
        assert_eq!(
            becomes("{}", "a.b.c", json!({"d": 1})),
            r#"{"a":{"b":{"c":{"d":1}}}}"#
        );
        assert_eq!(
            becomes(r#"{"a":null}"#, "a.b", json!(1)),
            r#"{"a":{"b":1}}"#
        );
    }

    #[test]
    fn what_is_ambiguous_or_no_object_is_refused() {
        let path = Path::parse("a.b").unwrap();
        let twice = Bytes::from_static(br#"{"a":{},"\u0061":{}}"#);
        assert_eq!(
            set(&twice, &path, &json!(1)),
            Err(Unsettable::Twice("a".into()))
        );
        assert!(set(&Bytes::from_static(b"[]"), &path, &json!(1)).is_err());
        for bad in ["", "a..b", "a.1", "model", "a.b.c.d.e.f.g.h.i", "a b"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
        assert!(Path::parse("model.a").is_ok());
    }
}
