//! A request as a command that asks it again. Keys stand in it as variables of the shell, never themselves.

use crate::record::Record;

/// Headers that carry who asks, each with what to write instead.
const KEYS: [(&str, &str); 5] = [
    ("authorization", "Bearer $API_KEY"),
    ("x-api-key", "$API_KEY"),
    ("api-key", "$API_KEY"),
    ("x-goog-api-key", "$API_KEY"),
    ("proxy-authorization", "Bearer $API_KEY"),
];
/// Headers that a client makes by itself, or that were put on the way.
const OWN: [&str; 16] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
    "cookie",
    "forwarded",
    "via",
    "traceparent",
    "tracestate",
    "x-real-ip",
];
/// The longest body that a command carries, in bytes.
const LONGEST_BODY: usize = 64 << 10;

/// The command. `$BASE_URL` is where the proxy is reached.
pub(super) fn ask_again(record: &Record) -> String {
    let mut lines = vec![format!(
        "curl --request {} \"$BASE_URL\"{}",
        quoted(&record.method),
        quoted(&record.path)
    )];
    for (name, value) in &record.request_headers {
        let name = name.to_ascii_lowercase();
        if OWN.contains(&name.as_str()) || name.starts_with("x-forwarded-") {
            continue;
        }
        let key = KEYS.iter().find(|(key, _)| *key == name);
        lines.push(match key {
            // Double quotes, within which the shell puts the variable.
            Some((key, value)) => format!("--header \"{key}: {value}\""),
            None => format!("--header {}", quoted(&format!("{name}: {value}"))),
        });
    }
    match record.request_body.as_deref() {
        Some("") => {}
        Some(body) if body.len() <= LONGEST_BODY => {
            lines.push(format!("--data-raw {}", quoted(body)))
        }
        Some(_) => lines.push("--data-binary @request-body".into()),
        None if record.request_bytes > 0 => lines.push("--data-binary @request-body".into()),
        None => {}
    }
    lines.join(" \\\n  ")
}

/// What makes it ask for the stored reply instead.
pub(super) fn replay(record: &Record) -> String {
    let header = format!("x-dragoman-replay: {}", record.id);
    format!("--header {}", quoted(&header))
}

/// One word for a shell of POSIX, whatever stands in it. Terminals obey control characters in what is pasted, so that none is left.
fn quoted(text: &str) -> String {
    let harmless = |char: char| match char {
        '\n' | '\t' => char,
        _ if char.is_control() => char::REPLACEMENT_CHARACTER,
        _ => char,
    };
    let text: String = text.chars().map(harmless).collect();
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Record {
            id: "0192".into(),
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            request_headers: vec![
                header("Host", "chat.team"),
                header("Authorization", "Bearer sk-masked"),
                header("content-type", "application/json"),
                header("content-length", "5"),
                header("x-odd", "it's $HOME `id`"),
            ],
            request_body: Some("{\"a\":\"it's\"}".into()),
            ..Record::default()
        }
    }

    #[test]
    fn a_command_asks_again_with_a_variable_for_the_key() {
        assert_eq!(
            ask_again(&record()),
            "curl --request 'POST' \"$BASE_URL\"'/v1/chat/completions' \\\n  --header \"authorization: Bearer $API_KEY\" \\\n  \
             --header 'content-type: application/json' \\\n  --header 'x-odd: it'\\''s $HOME `id`' \\\n  \
             --data-raw '{\"a\":\"it'\\''s\"}'"
        );
        assert_eq!(replay(&record()), "--header 'x-dragoman-replay: 0192'");
    }

    #[test]
    fn a_body_that_is_not_on_record_is_a_file_to_be_filled_in() {
        let without = Record {
            request_body: None,
            request_bytes: 5,
            ..record()
        };
        assert!(ask_again(&without).ends_with("--data-binary @request-body"));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_to_be_pasted() {
        assert_eq!(
            quoted("a\u{1b}[201~\rb\n\tc"),
            "'a\u{fffd}[201~\u{fffd}b\n\tc'"
        );
    }

    #[test]
    fn a_shell_takes_what_was_recorded_as_words_and_runs_none_of_it() {
        let hostile = "'; touch /tmp/x; $(id) `id` \"\n\\";
        let record = Record {
            method: hostile.into(),
            path: hostile.into(),
            request_headers: vec![(hostile.into(), hostile.into())],
            request_body: Some(hostile.into()),
            ..record()
        };
        let script = ask_again(&record).replacen("curl", "printf '%s|'", 1);
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (name, h) = (hostile.to_ascii_lowercase(), hostile);
        assert_eq!(
            said,
            format!("--request|{h}|{h}|--header|{name}: {h}|--data-raw|{h}|")
        );
    }
}
