//! Records as the bodies of requests, none longer than the logbook takes.

use super::super::wire::{LONGEST_ROW, MOST_ROWS};
use crate::fault::Fault;
use crate::record::{Record, cut};
use bytes::Bytes;

/// The bytes at which a body is not added to, so that one more row fits.
const FULL: usize = 8 << 20;
/// What is left of a text that is cut because its row is too long, in bytes. As JSON it may be six times as much.
const CUT: usize = 512 << 10;

/// Some records, and their body.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) body: Bytes,
    records: Vec<&'a Record>,
    /// Where each record ends in the body.
    ends: Vec<usize>,
}

impl Part<'_> {
    /// The two halves; the id where there is but one record.
    pub(super) fn halves(self) -> Result<[Self; 2], String> {
        let middle = self.records.len() / 2;
        if middle == 0 {
            return Err(self
                .records
                .first()
                .map(|record| record.id.clone())
                .unwrap_or_default());
        }
        let at = self.ends[middle - 1];
        let half = |body: Bytes, records: &[_], ends: &[usize], from: usize| Part {
            body,
            records: records.to_vec(),
            ends: ends.iter().map(|end| end - from).collect(),
        };
        Ok([
            half(
                self.body.slice(..at),
                &self.records[..middle],
                &self.ends[..middle],
                0,
            ),
            half(
                self.body.slice(at..),
                &self.records[middle..],
                &self.ends[middle..],
                at,
            ),
        ])
    }
}

/// Records in as few bodies as it takes, and those that fit into none.
pub(super) fn parts(records: &[Record]) -> (Vec<Part<'_>>, Vec<(String, Fault)>) {
    let (mut parts, mut refused) = (Vec::new(), Vec::new());
    let (mut body, mut held, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        if !write(record, &mut body) {
            let fault = Fault::Row("it is too long, even with its bodies cut".into());
            refused.push((record.id.clone(), fault));
            continue;
        }
        held.push(record);
        ends.push(body.len());
        if body.len() >= FULL || held.len() == MOST_ROWS {
            parts.push(part(&mut body, &mut held, &mut ends));
        }
    }
    if !held.is_empty() {
        parts.push(part(&mut body, &mut held, &mut ends));
    }
    (parts, refused)
}

fn part<'a>(body: &mut Vec<u8>, records: &mut Vec<&'a Record>, ends: &mut Vec<usize>) -> Part<'a> {
    Part {
        body: std::mem::take(body).into(),
        records: std::mem::take(records),
        ends: std::mem::take(ends),
    }
}

/// Adds a record's line, and says whether it fits.
fn write(record: &Record, body: &mut Vec<u8>) -> bool {
    line(record, body) || line(&shortened(record), body)
}

fn line(record: &Record, body: &mut Vec<u8>) -> bool {
    let start = body.len();
    // Records are made of what JSON can say.
    let written = serde_json::to_writer(&mut *body, record).is_ok();
    if !written || body.len() - start > LONGEST_ROW {
        body.truncate(start);
        return false;
    }
    body.push(b'\n');
    true
}

/// The record with what is long in it cut, and its tool calls left out.
fn shortened(record: &Record) -> Record {
    let text = |text: &Option<String>| text.as_deref().map(|text| cut(text, CUT).into_owned());
    Record {
        request_body: text(&record.request_body),
        response_body: text(&record.response_body),
        response_content: text(&record.response_content),
        tool_calls: None,
        replay_as: None,
        ..record.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(i: usize, body: usize) -> Record {
        Record {
            id: i.to_string(),
            request_body: Some("\u{1}".repeat(body)),
            ..Record::default()
        }
    }

    fn read(part: &Part<'_>) -> Vec<Record> {
        let lines = part
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn bodies_hold_all_records_in_order_and_none_is_too_long() {
        let records: Vec<_> = (0..30).map(|i| record(i, 200_000)).collect();
        let (parts, refused) = parts(&records);
        assert!(parts.len() > 2 && refused.is_empty());
        assert!(
            parts
                .iter()
                .all(|part| part.body.len() < FULL + LONGEST_ROW)
        );
        let all: Vec<_> = parts.iter().flat_map(read).collect();
        assert_eq!(all, records);
    }

    #[test]
    fn halves_together_are_the_whole() {
        let records: Vec<_> = (0..7).map(|i| record(i, i)).collect();
        let (mut parts, _) = parts(&records);
        let [first, second] = parts.remove(0).halves().unwrap();
        let [second, third] = second.halves().unwrap();
        let all: Vec<_> = [first, second, third].iter().flat_map(read).collect();
        assert_eq!(all, records);
        let (mut one, _) = super::parts(&records[..1]);
        assert_eq!(one.remove(0).halves().unwrap_err(), "0");
    }

    #[test]
    fn a_row_that_is_too_long_is_sent_with_its_bodies_cut() {
        let mut huge = record(0, LONGEST_ROW / 4);
        huge.response_content = Some("x".repeat(LONGEST_ROW));
        huge.replay_as = Some("text/plain".into());
        let (parts, refused) = parts(std::slice::from_ref(&huge));
        assert!(refused.is_empty());
        let sent = read(&parts[0]).remove(0);
        assert_eq!(sent.id, huge.id);
        assert!(sent.request_body.unwrap().ends_with('…'));
        assert!(sent.response_content.unwrap().ends_with('…'));
        assert_eq!(sent.replay_as, None);
    }
}
