//! Which field a part of a form is, by its head.

use super::parameters::{self, Parameter};

/// Which field a part is.
pub(super) enum Field {
    Model,
    /// One that some servers take for the model, or whose head or content they read in different ways.
    Unclear,
    Other,
}

/// Which field the part with this head is. The head begins with what is left of the bound's line.
pub(super) fn field(head: &[u8], content: &[u8]) -> Field {
    // Without any header, some take what follows the blank line for the head. A head that goes on in the next line is read as one.
    let head = String::from_utf8_lossy(head);
    let Some((_, head)) = head.split_once("\r\n") else {
        return Field::Unclear;
    };
    let head = head.replace("\r\n ", "  ").replace("\r\n\t", "  ");
    let Some(headers) = headers(&head) else {
        return Field::Unclear;
    };
    let named = |wanted: &'static str| {
        let mut values = headers
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
        (
            values.next().map(|(_, value)| *value),
            values.next().is_some(),
        )
    };
    let (disposition, again) = named("content-disposition");
    let Some(disposition) = disposition.filter(|_| !again) else {
        // Some read the first and some the last; what has none is no field.
        return if again { Field::Unclear } else { Field::Other };
    };
    match is_models(disposition) {
        Some(true) => {}
        Some(false) => return Field::Other,
        None => return Field::Unclear,
    }
    let (coding, coded_again) = named("content-transfer-encoding");
    let (kind, typed_again) = named("content-type");
    if coded_again || typed_again || !coding.is_none_or(is_plain) || !kind.is_none_or(is_text) {
        return Field::Unclear;
    }
    // Of other encodings, what they have in common with UTF-8.
    let is_other = kind.and_then(charset).is_some_and(|one| one != "utf-8");
    if is_other && !content.is_ascii() {
        return Field::Unclear;
    }
    Field::Model
}

/// The lines of a head, names and values; none if a line is no header, or holds what servers take for the end of one or for a blank.
fn headers(head: &str) -> Option<Vec<(&str, &str)>> {
    let lines = head.split("\r\n").filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_clear = !value.contains(|c: char| c.is_control() && c != '\t');
            (parameters::is_name(name) && is_clear).then_some((name, value))
        })
        .collect()
}

/// Whether a disposition names the field `model`; none if only some servers find it there. Encoded names
/// ([RFC 8187](https://www.rfc-editor.org/rfc/rfc8187)), which forms must not have (RFC 7578 §4.2), some servers read.
fn is_models(disposition: &str) -> Option<bool> {
    let loosely = || disposition.split(';').filter_map(|one| one.split_once('='));
    let is_name = |name: &str| name.trim().to_ascii_lowercase();
    if loosely().any(|(name, _)| is_name(name).starts_with("name*")) {
        return None;
    }
    let mut names = loosely().filter(|(name, _)| is_name(name) == "name");
    let any = names.any(|(_, value)| says_model(value));
    let (kind, rest) = disposition.split_once(';').unwrap_or((disposition, ""));
    let strictly = parameters::read(rest).unwrap_or_default();
    let strictly: Vec<&Parameter> = strictly.iter().filter(|one| one.name == "name").collect();
    let one = match strictly[..] {
        [one] => one.value == "model",
        _ => false,
    };
    let is_alone = loosely()
        .filter(|(name, _)| is_name(name) == "name")
        .count()
        == 1;
    let is_form = kind.trim().eq_ignore_ascii_case("form-data");
    match (any, one && is_alone && is_form) {
        (true, true) => Some(true),
        (false, _) if !strictly.iter().any(|one| one.value == "model") => Some(false),
        _ => None,
    }
}

/// Whether a server could read `model` out of it that knows no quotes, or nothing behind them, or more escapes than others.
fn says_model(value: &str) -> bool {
    let value = value.trim().replace('\\', "");
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next() == Some("model"),
        None => {
            let rest = value.strip_prefix("model");
            rest.is_some_and(|rest| !rest.starts_with(parameters::is_token))
        }
    }
}

/// Whether a transfer encoding leaves the content as it is.
fn is_plain(coding: &str) -> bool {
    let coding = coding.trim().to_ascii_lowercase();
    matches!(&*coding, "7bit" | "8bit" | "binary")
}

/// Whether a type's content is text in an encoding that says the same of ASCII as UTF-8 does.
fn is_text(kind: &str) -> bool {
    let known = ["utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"];
    charset(kind).is_none_or(|charset| known.contains(&&*charset))
}

/// The encoding that a type names; empty where that is spelled in a way of its own.
fn charset(kind: &str) -> Option<String> {
    if !kind.to_ascii_lowercase().contains("charset") {
        return None;
    }
    let (_, rest) = kind.split_once(';')?;
    let all = parameters::read(rest).unwrap_or_default();
    let mut named = all
        .into_iter()
        .filter(|one| one.name.starts_with("charset"));
    let (first, second) = (named.next(), named.next());
    let only = first.filter(|one| one.name == "charset" && second.is_none());
    Some(
        only.map(|one| one.value.to_ascii_lowercase())
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(head: &str, content: &str) -> &'static str {
        match field(format!("\r\n{head}").as_bytes(), content.as_bytes()) {
            Field::Model => "model",
            Field::Unclear => "unclear",
            Field::Other => "other",
        }
    }

    fn disposed(disposition: &str) -> &'static str {
        is(&format!("Content-Disposition: {disposition}"), "m")
    }

    #[test]
    fn a_model_is_known_by_the_spelling_that_all_servers_know() {
        for disposition in [
            "form-data; name=model",
            "Form-Data;NAME=\"model\";",
            "form-data; filename=\"a;b\"; name=\"model\"",
            "form-data; filename=\"a\\\"; x=\"; name=\"model\"",
            "form-data;\r\n name=\"model\"",
        ] {
            assert_eq!(disposed(disposition), "model", "{disposition}");
        }
    }

    #[test]
    fn other_fields_may_be_spelled_as_clients_like() {
        for disposition in [
            "form-data; name=\"a; name=mod\"",
            "form-data; name=\"Model\"",
            "form-data; name=\"model_name\"",
            "form-data; name=\"models\"; filename=model",
            "form-data; name=\"file\"; filename=\"C:\\a\\model.wav\"",
            "form-data; name=\"file\"; filename=my model",
            "attachment",
        ] {
            assert_eq!(disposed(disposition), "other", "{disposition}");
        }
    }

    #[test]
    fn what_only_some_servers_take_for_the_model_is_told() {
        for disposition in [
            "form-data; name*=utf-8''model",
            "form-data; name*0=mod; name*1=el",
            "form-data; name=\"a; name=model\"",
            "form-data; filename=\"a\\\"; name=\"model\"",
            "form-data; name=\"model",
            "form-data; name=\"model\"x",
            "form-data; name=model x",
            "form-data; name=\"mo\\del\"",
            "form-data; name = \"model\"",
            "form-data; name=\"model\"; name=\"x\"",
            "form-data; name=\"x\"; name=\"model\"",
            "name=\"model\"",
            "attachment; name=\"model\"",
        ] {
            assert_eq!(disposed(disposition), "unclear", "{disposition}");
        }
        for head in [
            "Content-Disposition: form-data; name=x\r\nContent-Disposition: form-data; name=model",
            " Content-Disposition: form-data; name=model",
            "Content-Disposition : form-data; name=model",
            "\u{1f}Content-Disposition: form-data; name=model",
            "Content-Disposition: form-data;\u{1f}name=model",
            "Content-Disposition: form-data\r\nname=model",
            "a: b\nContent-Disposition: form-data; name=model",
        ] {
            assert_eq!(is(head, "m"), "unclear", "{head:?}");
        }
    }

    #[test]
    fn a_models_content_is_what_stands_there() {
        let with = |header: &str, content: &str| {
            let head = format!("Content-Disposition: form-data; name=model\r\n{header}");
            is(&head, content)
        };
        for header in [
            "Content-Type: text/plain; charset=UTF-8",
            "content-type: text/plain",
            "Content-Transfer-Encoding: 8bit",
            "Content-Length: 1",
        ] {
            assert_eq!(with(header, "\u{e9}"), "model", "{header}");
        }
        let latin = "Content-Type: text/plain; charset=\"ISO-8859-1\"";
        assert_eq!(with(latin, "m"), "model");
        assert_eq!(with(latin, "\u{e9}"), "unclear");
        for header in [
            "Content-Type: text/plain; charset=utf-16le",
            "Content-Type: text/plain; charset = utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "Content-Type: a\r\nContent-Type: b",
        ] {
            assert_eq!(with(header, "m"), "unclear", "{header}");
        }
    }
}
