//! Frames that differ from the one before in their text alone, read without being parsed again.
//!
//! A server says the same around every token. Where what stands before and after the text is byte for byte what stood there in the
//! frame before, JSON's grammar leaves the new frame no other meaning than the same with another text.

use std::borrow::Cow;
use std::ops::Range;

use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Garbage};

/// The longest frame that is remembered, in bytes. Longer ones are not those of single tokens.
const LONGEST: usize = 1024;

/// A reader that remembers the last frame, if all that it said was a piece of text or of reasoning.
///
/// For readers that such a frame leaves as it found them but for what it repeats: read twice with different texts, it changes nothing
/// the second time.
#[derive(Debug, Default)]
pub struct Again<R> {
    reader: R,
    /// The last frame's data and name, while `said` is known.
    data: Vec<u8>,
    name: Option<String>,
    said: Option<Said>,
}

/// What the last frame said.
#[derive(Clone, Debug)]
struct Said {
    /// Where its text stands, between the quotes.
    text: Range<usize>,
    choice: u32,
    reasoning: bool,
}

/// What a frame said so far.
enum Seen {
    Nothing,
    Text(Said),
    Other,
}

impl<R: StreamReader> StreamReader for Again<R> {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        if let Some((said, text)) = self.again(frame) {
            emit(said.event(text));
            return Ok(());
        }
        self.said = None;
        let mut seen = Seen::Nothing;
        self.reader.read(frame, &mut |event| {
            seen = match seen {
                Seen::Nothing => Said::of(&event, frame.data).map_or(Seen::Other, Seen::Text),
                _ => Seen::Other,
            };
            emit(event);
        })?;
        if let Seen::Text(said) = seen
            && frame.data.len() <= LONGEST
        {
            self.data.clear();
            self.data.extend_from_slice(frame.data);
            if self.name.as_deref() != frame.name {
                self.name = frame.name.map(str::to_owned);
            }
            self.said = Some(said);
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        self.reader.end(emit)
    }
}

impl<R> Again<R> {
    /// What a frame says, if it differs from the last one in its text alone. An empty text is left to the reader, who may take it for none.
    fn again<'a>(&self, frame: Frame<'a>) -> Option<(&Said, Cow<'a, str>)> {
        let said = self.said.as_ref()?;
        let (before, after) = (&self.data[..said.text.start], &self.data[said.text.end..]);
        let text = frame
            .data
            .strip_prefix(before)?
            .strip_suffix(after)
            .filter(|text| !text.is_empty())?;
        if frame.exception || self.name.as_deref() != frame.name {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_plain) {
            return Some((said, Cow::Borrowed(text)));
        }
        // With its quotes, which are the last byte before and the first one after; it is one literal, or not the same frame.
        let literal = frame
            .data
            .get(before.len() - 1..=before.len() + text.len())?;
        let text: String = serde_json::from_slice(literal).ok()?;
        Some((said, Cow::Owned(text)))
    }
}

impl Said {
    /// What an event says, if it is text that stands in `data` as it is, between quotes.
    fn of(event: &Event<'_>, data: &[u8]) -> Option<Self> {
        let (choice, text, reasoning) = match event {
            Event::Text {
                choice,
                text: Cow::Borrowed(text),
                logprobs: None,
            } => (*choice, *text, false),
            Event::Reasoning {
                choice,
                text: Cow::Borrowed(text),
            } => (*choice, *text, true),
            _ => return None,
        };
        let start = text.as_ptr().addr().checked_sub(data.as_ptr().addr())?;
        let end = start.checked_add(text.len())?;
        let quotes = (data.get(start.checked_sub(1)?), data.get(end));
        (quotes == (Some(&b'"'), Some(&b'"'))).then_some(Self {
            text: start..end,
            choice,
            reasoning,
        })
    }

    fn event<'a>(&self, text: Cow<'a, str>) -> Event<'a> {
        let choice = self.choice;
        if self.reasoning {
            Event::Reasoning { choice, text }
        } else {
            Event::Text {
                choice,
                text,
                logprobs: None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::chat::stream::Reader;

    /// What a reader says of these frames, each by itself.
    fn said_by(mut reader: impl StreamReader, frames: &[&str]) -> Vec<String> {
        let told = frames.iter().map(|data| {
            let frame = Frame {
                data: data.as_bytes(),
                ..Frame::default()
            };
            let mut events = Vec::new();
            let read = reader.read(frame, &mut |event| events.push(format!("{event:?}")));
            format!("{events:?} {read:?}")
        });
        told.collect()
    }

    fn said(frames: &[&str]) -> Vec<String> {
        said_by(Again::<Reader>::default(), frames)
    }

    fn chunk(delta: &str, rest: &str) -> String {
        format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta}{rest}}}]}}"#)
    }

    fn content(literal: &str) -> String {
        chunk(&format!(r#"{{"content":"{literal}"}}"#), "")
    }

    #[test]
    fn a_frame_that_repeats_all_but_the_text_says_the_text() {
        let (first, plain) = (content("a"), content("b c é 😀"));
        let (escaped, empty) = (content("\\n\\u00e9\\\""), content(""));
        let said = said(&[&first, &first, &plain, &escaped, &empty, &first]);
        let text = |text: &str| format!("Text {{ choice: 0, text: {text:?}, logprobs: None }}");
        assert!(said[0].contains("Start"), "{said:?}");
        for (at, wanted) in [(1, "a"), (2, "b c é 😀"), (3, "\né\""), (5, "a")] {
            assert_eq!(said[at], format!("{:?} Ok(())", [text(wanted)]), "{at}");
        }
        assert_eq!(said[4], "[] Ok(())");
    }

    #[test]
    fn what_follows_a_text_within_its_frame_is_never_taken_for_text() {
        let first = content("a");
        // All of these begin and end as the first does.
        let more = content(r#"a","refusal":"no"#);
        let twice = content(r#"a","content":"b"#);
        let finish = content(r#"a"},"finish_reason":"stop","x":{"content":"b"#);
        let control = content("a\u{1}");
        let open = content("a\\");
        for last in [&more, &twice, &finish, &control, &open] {
            let frames: [&str; 3] = [&first, &first, last];
            assert_eq!(said(&frames), said_by(Reader::default(), &frames), "{last}");
        }
    }

    #[test]
    fn a_frame_between_makes_the_next_one_read_anew() {
        let first = content("a");
        let finish = chunk("{}", r#","finish_reason":"stop""#);
        let said = said(&[&first, &first, &finish, &first]);
        assert!(said[2].contains("Finish"), "{said:?}");
        // After its end a choice says nothing more.
        assert_eq!(said[3], "[] Ok(())");
    }
}
