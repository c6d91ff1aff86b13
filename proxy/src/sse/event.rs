//! One server-sent event: its raw bytes, its name, its data.
//!
//! Source: [WHATWG HTML §9.2.6](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).

use std::ops::Range;

use bytes::Bytes;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event, or a comment, or a bare blank line, with all its bytes up to and with the blank line
/// that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The bytes as they came, terminator included.
    pub raw: Bytes,
    /// Whether a blank line ended it. The rest of a stream that just stops has none; a strict client
    /// ignores such an event, many lenient ones do not.
    pub complete: bool,
    name: Option<Range<usize>>,
    data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    /// No `data` field: a comment, a keep-alive, a blank line.
    None,
    /// One `data` field: its place in the raw bytes.
    One(Range<usize>),
    /// Several, joined by line feeds.
    Joined(Vec<u8>),
}

impl Event {
    /// Reads the fields of one event. A byte order mark at its start is skipped.
    #[must_use]
    pub fn read(raw: Bytes, complete: bool) -> Self {
        let mut name = None;
        let mut data = Data::None;
        for line in lines(&raw) {
            let Some(colon) = memchr::memchr(b':', &raw[line.clone()]) else {
                if &raw[line.clone()] == b"data" {
                    data = data.add(&raw, line.end..line.end);
                }
                continue;
            };
            let colon = line.start + colon;
            let space = usize::from(raw.get(colon + 1) == Some(&b' ') && colon + 1 < line.end);
            let value = colon + 1 + space..line.end;
            match &raw[line.start..colon] {
                b"data" => data = data.add(&raw, value),
                b"event" => name = Some(value),
                _ => {}
            }
        }
        Self {
            raw,
            complete,
            name,
            data,
        }
    }

    /// The data, several fields joined by line feeds; none for comments and keep-alives.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        match &self.data {
            Data::None => None,
            Data::One(range) => self.raw.get(range.clone()),
            Data::Joined(joined) => Some(joined),
        }
    }

    /// Where the data stands in the raw bytes, if it is one field.
    #[must_use]
    pub fn data_range(&self) -> Option<Range<usize>> {
        match &self.data {
            Data::One(range) => Some(range.clone()),
            _ => None,
        }
    }

    /// The value of the last `event` field.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.raw.get(self.name.clone()?)
    }

    /// How the event ends its lines.
    #[must_use]
    pub fn line_ending(&self) -> &'static [u8] {
        match memchr::memchr2(b'\n', b'\r', &self.raw) {
            Some(at) if self.raw[at..].starts_with(b"\r\n") => b"\r\n",
            Some(at) if self.raw[at] == b'\r' => b"\r",
            _ => b"\n",
        }
    }

    /// The same event with other data, as bytes. All other fields and comments stay, before the data.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        if let Data::One(range) = &self.data
            && memchr::memchr2(b'\n', b'\r', data).is_none()
        {
            return [&self.raw[..range.start], data, &self.raw[range.end..]].concat();
        }
        let ending = self.line_ending();
        let mut out = Vec::with_capacity(self.raw.len() + data.len());
        for line in lines(&self.raw) {
            let line = &self.raw[line];
            if !line.starts_with(b"data:") && line != b"data" {
                out.extend_from_slice(line);
                out.extend_from_slice(ending);
            }
        }
        // What ends with a line's end has an empty line more.
        let more = data.last().is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
        for line in lines_of(data).chain(more.then_some(data.len()..data.len())) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&data[line]);
            out.extend_from_slice(ending);
        }
        if self.complete {
            out.extend_from_slice(ending);
        }
        out
    }
}

impl Data {
    fn add(self, raw: &[u8], value: Range<usize>) -> Self {
        let mut joined = match self {
            Self::None => return Self::One(value),
            Self::One(first) => raw[first].to_vec(),
            Self::Joined(joined) => joined,
        };
        joined.push(b'\n');
        joined.extend_from_slice(&raw[value]);
        Self::Joined(joined)
    }
}

/// The lines of an event that say something, without their ends and without a byte order mark.
fn lines(raw: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let start = if raw.starts_with(BOM) { BOM.len() } else { 0 };
    lines_of(&raw[start..])
        .map(move |line| line.start + start..line.end + start)
        .filter(|line| !line.is_empty())
}

fn lines_of(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let ending = if rest[length..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        at = start + length + ending;
        Some(start..start + length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(raw: &'static str) -> Event {
        Event::read(Bytes::from_static(raw.as_bytes()), true)
    }

    fn data(raw: &'static str) -> Option<String> {
        event(raw)
            .data()
            .map(|data| String::from_utf8(data.to_vec()).unwrap())
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        assert_eq!(data("data: a\n\n").as_deref(), Some("a"));
        assert_eq!(data("data:  a \n\n").as_deref(), Some(" a "));
        assert_eq!(
            data("data:a\r\nid: 7\r\ndata: b\r\n\r\n").as_deref(),
            Some("a\nb")
        );
        assert_eq!(data("data\ndata\n\n").as_deref(), Some("\n"));
        assert_eq!(data("data:\r\r").as_deref(), Some(""));
        assert_eq!(data("\u{feff}data: a\n\n").as_deref(), Some("a"));
        assert_eq!(data(": keep-alive\n\n"), None);
        assert_eq!(data("Data: a\ndatax: b\nretry: 5\n\n"), None);
        assert_eq!(data("\n"), None);
        assert_eq!(
            event("event: ping\ndata: {}\n\n").name(),
            Some(&b"ping"[..])
        );
    }

    #[test]
    fn other_data_leaves_all_else_as_it_was() {
        let with =
            |raw, data: &str| String::from_utf8(event(raw).with_data(data.as_bytes())).unwrap();
        assert_eq!(
            with("id: 1\r\ndata:{}\r\n: c\r\n\r\n", "[]"),
            "id: 1\r\ndata:[]\r\n: c\r\n\r\n"
        );
        assert_eq!(
            with("id: 1\ndata: {\ndata: }\n\n", "{\n }"),
            "id: 1\ndata: {\ndata:  }\n\n"
        );
        assert_eq!(
            with("data: a\ndata\nid: 1\n\n", "b\n"),
            "id: 1\ndata: b\ndata: \n\n"
        );
    }
}
