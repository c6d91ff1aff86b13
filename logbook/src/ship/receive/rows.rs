//! A batch's rows: read, stamped, and held against the ticket.

use super::super::ticket::Claims;
use super::super::wire::{LONGEST_BODY, LONGEST_ROW, MOST_ROWS, Refused};
use crate::record::Record;
use serde::Deserialize;

/// What the rows of a batch may hold once they are read, in bytes: JSON may be written so that it grows.
const HELD: usize = 4 * LONGEST_BODY;

/// The batch is more than is taken at once; half of it may not be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// Rows for the store, and those that never get there.
pub(super) fn read(body: &[u8], claims: &Claims) -> Result<(Vec<Record>, Vec<Refused>), TooMuch> {
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    let mut held = 0;
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        if records.len() + refused.len() == MOST_ROWS {
            return Err(TooMuch);
        }
        match row(line, claims) {
            Ok(record) => {
                held += record.size();
                records.push(record);
            }
            Err((id, why)) => {
                let id = id.unwrap_or_else(|| format!("line {}", number + 1));
                refused.push(Refused::new(&id, why));
            }
        }
        if held > HELD {
            return Err(TooMuch);
        }
    }
    Ok((records, refused))
}

fn row(line: &[u8], claims: &Claims) -> Result<Record, (Option<String>, &'static str)> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    if line.len() > LONGEST_ROW {
        let id = serde_json::from_slice::<Named>(line).map(|named| named.id);
        return Err((id.ok(), "it is too long"));
    }
    // What is wrong with it is not said in the parser's words, which quote values.
    let mut record: Record = serde_json::from_slice(line).map_err(|_| {
        let id = serde_json::from_slice::<Named>(line).map(|named| named.id);
        (id.ok(), "it is no record of a request")
    })?;
    let refuse = |record: Record, why| Err((Some(record.id), why));
    if record.proxy.is_empty() {
        record.proxy.clone_from(&claims.sub);
    }
    if record.proxy != claims.sub {
        return refuse(record, "it is of another LLMProxy than the ticket");
    }
    if !claims.namespaces.contains(&record.namespace) {
        return refuse(record, "its namespace is none of the ticket's");
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ship::ticket::AUDIENCE;

    fn claims() -> Claims {
        Claims {
            aud: AUDIENCE.into(),
            sub: "gateways/edge".into(),
            pod: "edge-1".into(),
            namespaces: ["team-a".to_owned()].into(),
            nbf: 0,
            exp: 1,
        }
    }

    fn one(line: &str) -> Result<Record, Refused> {
        let (mut records, mut refused) = read(line.as_bytes(), &claims()).unwrap();
        assert_eq!(records.len() + refused.len(), 1);
        records.pop().ok_or_else(|| refused.pop().unwrap())
    }

    #[test]
    fn a_row_is_stamped_with_the_tickets_proxy() {
        let row = one(r#"{"id":"a","namespace":"team-a"}"#).unwrap();
        assert_eq!(row.proxy, "gateways/edge");
    }

    #[test]
    fn rows_of_another_proxy_or_namespace_are_refused_by_id() {
        for (line, why) in [
            (
                r#"{"id":"a","namespace":"team-a","proxy":"gateways/other"}"#,
                "LLMProxy",
            ),
            (r#"{"id":"a","namespace":"team-b"}"#, "namespace"),
            (r#"{"id":"a"}"#, "namespace"),
            (
                r#"{"id":"a","namespace":"team-a","status":"many"}"#,
                "no record",
            ),
        ] {
            let refused = one(line).unwrap_err();
            assert_eq!(refused.id, "a", "{line}");
            assert!(refused.why.contains(why), "{line}: {}", refused.why);
        }
    }

    #[test]
    fn a_line_that_is_no_row_spoils_no_other() {
        let body = "{\"id\":\"a\",\"namespace\":\"team-a\"}\n\nnonsense: s3cret\n{\"id\":\"b\",\"namespace\":\"team-a\"}\n";
        let (records, refused) = read(body.as_bytes(), &claims()).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(refused[0].id, "line 3");
        assert!(!refused[0].why.contains("s3cret"));
    }

    #[test]
    fn what_grows_beyond_measure_when_read_is_too_much() {
        let calls = "[],".repeat(LONGEST_ROW / 4);
        let line =
            format!("{{\"id\":\"a\",\"namespace\":\"team-a\",\"tool_calls\":[{calls}[]]}}\n");
        assert_eq!(read(line.as_bytes(), &claims()), Err(TooMuch));
        let many = "{}\n".repeat(MOST_ROWS + 1);
        assert_eq!(read(many.as_bytes(), &claims()), Err(TooMuch));
    }
}
