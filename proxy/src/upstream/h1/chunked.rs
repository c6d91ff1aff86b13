//! The chunked coding of a body: [RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1), read strictly.
//!
//! Lines end in CRLF and nothing else. Extensions and trailer fields are read past and bounded; nobody relies on them.

use std::ops::Range;

/// The most bytes that the extensions of all chunks of a body may take, beyond one per 16 bytes of content.
const MAX_EXTENSIONS: usize = 16 * 1024;
/// The longest trailer section.
const MAX_TRAILERS: usize = 16 * 1024;

/// How far into a chunked body one is. It holds no bytes.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Of the current chunk: its size while that is read, what is left of it afterwards.
    left: u64,
    extensions: usize,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    Start,
    /// Within a size, after so many digits.
    Size(u8),
    /// Between a size and the end of its line.
    Extension,
    /// After the CR of a size's line.
    SizeLf,
    /// Within a chunk's content.
    Data,
    /// After a chunk's content.
    DataCr,
    /// After the CR that follows a chunk's content.
    DataLf,
    /// At the start of a line of the trailer section.
    Trailer,
    /// Within a trailer field.
    TrailerLine,
    /// After the CR of a trailer field.
    TrailerLf,
    /// After the CR of the last, empty line.
    LastLf,
    /// After everything.
    Done,
}

/// What a piece of the coded body held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Where the content now stands, in one piece.
    pub(crate) content: Range<usize>,
    /// How many bytes belong to the body; less than there are only if it has ended.
    pub(crate) read: usize,
}

impl Decoder {
    /// At the start of a body.
    pub(crate) fn new() -> Self {
        Decoder {
            state: State::Start,
            left: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Whether the body has ended.
    pub(crate) fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads the next piece of the coded body. The contents of all chunks within are moved together, in place.
    ///
    /// # Errors
    /// What is wrong with it. The upstream's fault.
    pub(crate) fn decode(&mut self, bytes: &mut [u8]) -> Result<Decoded, &'static str> {
        let mut content = 0..0;
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let there = bytes.len() - at;
                let take = usize::try_from(self.left).map_or(there, |left| left.min(there));
                if content.is_empty() {
                    content = at..at;
                } else {
                    bytes.copy_within(at..at + take, content.end);
                }
                content.end += take;
                at += take;
                self.left -= take as u64;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.state = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(Decoded { content, read: at })
    }

    /// Reads one byte of what is not content.
    fn step(&mut self, byte: u8) -> Result<State, &'static str> {
        Ok(match (self.state, byte) {
            (State::Start, _) => {
                self.left = digit(byte).ok_or("a chunk's size is no number")?;
                State::Size(1)
            }
            (State::Size(_), b'\r') => State::SizeLf,
            (State::Size(_), b';' | b' ' | b'\t') => State::Extension,
            (State::Size(digits), _) => {
                let digit = digit(byte).ok_or("a chunk's size is no number")?;
                // Sixteen digits fill 64 bits; more would wrap around.
                if digits == 16 {
                    return Err("a chunk's size has more than 16 digits");
                }
                self.left = self.left << 4 | digit;
                State::Size(digits + 1)
            }
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\n') => return Err("a chunk's line ends without CR"),
            (State::Extension, _) => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err("the extensions of its chunks are too long");
                }
                State::Extension
            }
            (State::SizeLf, b'\n') if self.left == 0 => State::Trailer,
            (State::SizeLf, b'\n') => {
                // Servers that add a small extension to every chunk of a long stream are not the ones to guard against.
                let forgiven = usize::try_from(self.left / 16).unwrap_or(usize::MAX);
                self.extensions = self.extensions.saturating_sub(forgiven);
                State::Data
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Start,
            (State::Trailer, b'\r') => State::LastLf,
            (State::Trailer | State::TrailerLine, b'\n') => {
                return Err("a trailer's line ends without CR");
            }
            (State::TrailerLine, b'\r') => State::TrailerLf,
            (State::Trailer | State::TrailerLine, _) => {
                self.trailers += 1;
                if self.trailers > MAX_TRAILERS {
                    return Err("its trailer section is too long");
                }
                State::TrailerLine
            }
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::LastLf, b'\n') => State::Done,
            (State::DataCr | State::DataLf, _) => return Err("a chunk is longer than its size"),
            (State::SizeLf | State::TrailerLf | State::LastLf, _) => {
                return Err("a CR without LF in its framing");
            }
            (State::Data | State::Done, _) => State::Done,
        })
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `coded` cut at every one of `cuts`; gives the content and how many bytes the body took.
    fn decode(coded: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, usize), &'static str> {
        let mut decoder = Decoder::new();
        let (mut content, mut read, mut start) = (Vec::new(), 0, 0);
        for end in cuts.iter().copied().chain([coded.len()]) {
            let mut piece = coded[start..end.max(start)].to_vec();
            let decoded = decoder.decode(&mut piece)?;
            content.extend_from_slice(&piece[decoded.content]);
            read += decoded.read;
            start = end.max(start);
        }
        if decoder.done() {
            Ok((content, read))
        } else {
            Err("unfinished")
        }
    }

    fn encode(chunks: &[Vec<u8>], extension: &str, trailer: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            out.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("0{extension}\r\n{trailer}\r\n").as_bytes());
        out
    }

    #[test]
    fn a_body_is_the_same_wherever_it_is_split() {
        let coded = b"5;a=\"b\"\r\nhello\r\n00A\r\n, world\r\n!\r\n0\r\nx: y\r\n\r\nHTTP";
        let whole = decode(coded, &[]).unwrap();
        assert_eq!(whole, (b"hello, world\r\n!".to_vec(), coded.len() - 4));
        for first in 0..coded.len() {
            for second in first..coded.len() {
                assert_eq!(decode(coded, &[first, second]).as_ref(), Ok(&whole));
            }
        }
    }

    #[test]
    fn every_deviation_is_refused() {
        for coded in [
            "\r\n",
            "g\r\n",
            " 5\r\nhello\r\n",
            "-1\r\n",
            "+5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "5\nhello\r\n",
            "5;a\nhello\r\n",
            "5\rhello",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello!\r\n",
            "5\r\nhell\r\n0\r\n\r\n",
            "0\r\n\n",
            "0\r\na: b\n\r\n",
            "0\r\na: b\rc\r\n",
            "0\r\n\rx",
            "10000000000000000\r\n",
        ] {
            let mut bytes = coded.as_bytes().to_vec();
            assert!(Decoder::new().decode(&mut bytes).is_err(), "{coded:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = "e".repeat(MAX_EXTENSIONS + 1);
        assert!(decode(&encode(&[b"a".to_vec()], &format!(";{long}"), ""), &[]).is_err());
        let many: Vec<_> = std::iter::repeat_n(b"a".to_vec(), 2000).collect();
        assert!(decode(&encode(&many, ";ten bytes!", ""), &[]).is_err());
        let trailer = format!("a: {long}\r\n");
        assert!(decode(&encode(&[], "", &trailer), &[]).is_err());
    }

    #[test]
    fn the_largest_size_does_not_wrap() {
        let mut decoder = Decoder::new();
        let decoded = decoder
            .decode(&mut b"ffffffffffffffff\r\nab".to_vec())
            .unwrap();
        assert_eq!(
            decoded,
            Decoded {
                content: 18..20,
                read: 20
            }
        );
        assert_eq!(decoder.left, u64::MAX - 2);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            mut cuts in prop::collection::vec(0_usize..600, 0..20),
        ) {
            let coded = encode(&chunks, "", "t: u\r\n");
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(coded.len()));
            cuts.sort_unstable();
            prop_assert_eq!(decode(&coded, &cuts), Ok((chunks.concat(), coded.len())));
        }

        #[test]
        fn nothing_makes_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let length = bytes.len();
            if let Ok(decoded) = Decoder::new().decode(&mut bytes) {
                prop_assert!(decoded.read <= length && decoded.content.end <= length);
            }
        }
    }
}
