//! Cuts a streamed JSON array into its elements with all their bytes, wherever its chunks are split.
//!
//! Gemini answers with such a stream where no events are asked for. An element is not read here, only its end is found; all bytes of the stream are
//! given, so that what is not changed passes as it came. What is no array is one element.

use bytes::{Bytes, BytesMut};

use crate::sse::TooLong;

/// The longest element that is taken, in bytes: it may hold a picture.
pub const LONGEST: usize = 32 << 20;

/// A part of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All up to and with the opening bracket.
    Open(Bytes),
    /// An element.
    Element(Bytes),
    /// A comma, with the white space around it.
    Comma(Bytes),
    /// The closing bracket, with the white space before it; after it, whatever follows.
    Close(Bytes),
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before the opening bracket.
    #[default]
    Start,
    /// Before an element.
    Before,
    /// In an element, so many brackets deep.
    Inside(usize),
    /// In a string of an element.
    Text(usize),
    /// In a string, after a backslash.
    Escaped(usize),
    /// After an element.
    After,
    /// After a comma.
    Comma,
    /// After the closing bracket.
    End,
}

/// Cuts chunks into parts. At most one incomplete part is held.
///
/// ```
/// # use bytes::Bytes;
/// use dragoman_proxy::array::{Array, Part};
/// let mut array = Array::default();
/// array.feed(&Bytes::from_static(b"[{}\n,\r\n{"));
/// assert_eq!(array.next_part()?, Some(Part::Open("[".into())));
/// assert_eq!(array.next_part()?, Some(Part::Element("{}".into())));
/// assert_eq!(array.next_part()?, Some(Part::Comma("\n,\r\n".into())));
/// assert_eq!(array.next_part()?, None);
/// assert_eq!(array.finish(), "{");
/// # Ok::<(), dragoman_proxy::sse::TooLong>(())
/// ```
#[derive(Debug, Default)]
pub struct Array {
    held: BytesMut,
    /// How far what is held has been looked through.
    at: usize,
    place: Place,
    /// Whether there was an opening bracket.
    opened: bool,
}

impl Array {
    /// Adds the next chunk. [`Array::next_part`] is to be asked until it has no more.
    pub fn feed(&mut self, chunk: &Bytes) {
        self.held.extend_from_slice(chunk);
    }

    /// The next part that is complete.
    ///
    /// # Errors
    /// [`TooLong`] if an element outgrows [`LONGEST`].
    pub fn next_part(&mut self) -> Result<Option<Part>, TooLong> {
        while let Some(byte) = self.held.get(self.at).copied() {
            let part = match self.place {
                Place::End => {
                    self.at = self.held.len();
                    Some(Part::Close(self.take()))
                }
                Place::Text(depth) => {
                    self.text(depth);
                    None
                }
                Place::Escaped(depth) => {
                    self.at += 1;
                    self.place = Place::Text(depth);
                    None
                }
                Place::Inside(depth) => self.inside(depth, byte),
                _ if byte.is_ascii_whitespace() => {
                    self.at += 1;
                    None
                }
                Place::Comma => {
                    self.place = Place::Before;
                    Some(Part::Comma(self.take()))
                }
                Place::Start if byte == b'[' => {
                    self.opened = true;
                    self.step(Place::Before, Part::Open)
                }
                Place::After if byte == b',' => {
                    self.at += 1;
                    self.place = Place::Comma;
                    None
                }
                Place::Before | Place::After if byte == b']' => self.step(Place::End, Part::Close),
                Place::Start | Place::Before => {
                    self.place = Place::Inside(0);
                    None
                }
                Place::After => {
                    self.place = Place::End;
                    None
                }
            };
            if part.is_some() {
                return Ok(part);
            }
        }
        if self.held.len() > LONGEST {
            return Err(TooLong { longest: LONGEST });
        }
        Ok(None)
    }

    /// What is left when the stream has ended: a part without its end.
    pub fn finish(&mut self) -> Bytes {
        self.at = self.held.len();
        self.take()
    }

    /// Past the byte, which ends a part.
    fn step(&mut self, place: Place, part: fn(Bytes) -> Part) -> Option<Part> {
        self.at += 1;
        self.place = place;
        Some(part(self.take()))
    }

    /// The element that has ended right before the next byte.
    fn element(&mut self) -> Option<Part> {
        self.place = if self.opened {
            Place::After
        } else {
            Place::End
        };
        Some(Part::Element(self.take()))
    }

    fn take(&mut self) -> Bytes {
        self.held.split_to(std::mem::take(&mut self.at)).freeze()
    }

    fn inside(&mut self, depth: usize, byte: u8) -> Option<Part> {
        // A number or a word ends where something else begins.
        if depth == 0 && (matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace()) {
            if byte == b'}' {
                // No value ends so; whatever it is passes with the rest.
                self.at += 1;
            }
            return self.element();
        }
        self.at += 1;
        match byte {
            b'"' => self.place = Place::Text(depth),
            b'{' | b'[' => self.place = Place::Inside(depth + 1),
            b'}' | b']' => {
                self.place = Place::Inside(depth - 1);
                if depth == 1 {
                    return self.element();
                }
            }
            _ => {}
        }
        None
    }

    /// To the string's end, an escape, or the last byte there is.
    fn text(&mut self, depth: usize) {
        let rest = &self.held[self.at..];
        let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
            self.at = self.held.len();
            return;
        };
        self.place = if rest[found] == b'"' {
            Place::Inside(depth)
        } else {
            Place::Escaped(depth)
        };
        self.at += found + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a stream, cut at these places.
    fn parts<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Part> {
        let (mut array, mut parts) = (Array::default(), Vec::new());
        for chunk in chunks {
            array.feed(&Bytes::copy_from_slice(chunk));
            while let Some(part) = array.next_part().unwrap() {
                parts.push(part);
            }
        }
        assert_eq!(array.finish(), "");
        parts
    }

    #[test]
    fn elements_are_found_wherever_the_stream_is_split() {
        let stream = b" [{\"a\":[\"]\\\"}\",{}]}\n,\r\n\t7 ,\"\\\\\",[[]]\n]\r\n";
        let expected = [
            Part::Open(" [".into()),
            Part::Element("{\"a\":[\"]\\\"}\",{}]}".into()),
            Part::Comma("\n,\r\n\t".into()),
            Part::Element("7".into()),
            Part::Comma(" ,".into()),
            Part::Element("\"\\\\\"".into()),
            Part::Comma(",".into()),
            Part::Element("[[]]".into()),
            Part::Close("\n]".into()),
        ];
        for at in 0..=stream.len() {
            let mut parts = parts([&stream[..at], &stream[at..]]);
            // What follows the end passes as it comes.
            let rest = parts.split_off(expected.len());
            assert_eq!(parts, expected, "{at}");
            assert!(rest.iter().all(|part| matches!(part, Part::Close(_))));
        }
        assert_eq!(parts([&b"[ ]"[..]])[1], Part::Close(" ]".into()));
    }

    #[test]
    fn what_is_no_array_is_one_element() {
        let said = |text: &'static str| parts([text.as_bytes()]);
        let element = |text: &'static str| Part::Element(text.into());
        assert_eq!(said("{\"a\":[]}"), [element("{\"a\":[]}")]);
        assert_eq!(said("{}\n{}"), [element("{}"), Part::Close("\n{}".into())]);
    }

    #[test]
    fn nonsense_ends_and_no_byte_of_it_is_lost() {
        for text in [
            "[,]", "[}]}", "[{}{}]", "]", "[1 2]", "[{]}", "[nul,]x", "}",
        ] {
            let mut array = Array::default();
            array.feed(&Bytes::from(text));
            let mut all = Vec::new();
            while let Some(part) = array.next_part().unwrap() {
                let (Part::Open(bytes)
                | Part::Element(bytes)
                | Part::Comma(bytes)
                | Part::Close(bytes)) = part;
                all.extend_from_slice(&bytes);
            }
            all.extend_from_slice(&array.finish());
            assert_eq!(all, text.as_bytes());
        }
    }

    #[test]
    fn an_element_over_the_bound_ends_the_stream() {
        let mut array = Array::default();
        array.feed(&Bytes::from(format!("[\"{}", "a".repeat(LONGEST))));
        assert!(matches!(array.next_part(), Ok(Some(Part::Open(_)))));
        assert_eq!(array.next_part(), Err(TooLong { longest: LONGEST }));
    }
}
