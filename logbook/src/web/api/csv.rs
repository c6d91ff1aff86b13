//! Rows as CSV ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)) that no spreadsheet runs.
//!
//! A text that a spreadsheet might take for a formula has an apostrophe put before it, as
//! [OWASP](https://owasp.org/www-community/attacks/CSV_Injection) advises, because strangers write user names, models and bodies.

use crate::store::{COLUMNS, LARGE};
use serde_json::{Map, Value};

fn columns(large: bool) -> impl Iterator<Item = &'static str> {
    COLUMNS
        .iter()
        .map(|(name, _)| *name)
        .filter(move |name| large || !LARGE.contains(name))
}

/// The names of the columns.
pub(super) fn header(large: bool) -> String {
    columns(large).collect::<Vec<_>>().join(",") + "\r\n"
}

/// One row.
pub(super) fn line(entry: &Map<String, Value>, large: bool) -> String {
    let cells: Vec<_> = columns(large)
        .map(|name| cell(entry.get(name).unwrap_or(&Value::Null)))
        .collect();
    cells.join(",") + "\r\n"
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) | Value::Object(_) => quoted(&value.to_string()),
    }
}

fn quoted(text: &str) -> String {
    // Wide forms too, which some spreadsheets take for the narrow ones. Spaces before do not keep any from doing so.
    let formula = text.trim_start_matches(' ').starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '|', '%',
    ]);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_made_a_text() {
        for (text, cell) in [
            ("plain", "\"plain\""),
            ("=1+1", "\"'=1+1\""),
            ("  =1", "\"'  =1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r\n=1", "\"'\r\n=1\""),
            ("＝1", "\"'＝1\""),
            ("a=1", "\"a=1\""),
            ("say \"=1\"", "\"say \"\"=1\"\"\""),
            ("\",=1", "\"\"\",=1\""),
        ] {
            assert_eq!(quoted(text), cell);
        }
    }

    #[test]
    fn a_line_has_as_many_cells_as_the_header() {
        let entry = json!({"id": "a", "status": 200, "stream": true, "attempts": [{"a": 1}]});
        let line = line(entry.as_object().unwrap(), false);
        assert!(line.starts_with("\"a\",,,") && line.ends_with("\r\n"));
        assert!(line.contains(",true,200,") && line.contains("\"[{\"\"a\"\":1}]\""));
        assert_eq!(
            line.matches(',').count(),
            header(false).matches(',').count()
        );
        assert_eq!(columns(true).count(), COLUMNS.len());
    }
}
