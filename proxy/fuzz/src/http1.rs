//! What holds for every reply of an upstream's that is read off the wire.

use http::Method;

use crate::splits::chunks;
use crate::upstream::h1::chunked::Decoder;
use crate::upstream::h1::framing::Framing;
use crate::upstream::h1::head::{self, Parsed};
use crate::upstream::hop;

/// Reads `bytes` as a reply to a request of `method`, whose body comes in pieces of `sizes` bytes.
///
/// # Panics
/// Where a promise is broken.
pub fn reply(method: &Method, bytes: &[u8], sizes: &[u8]) {
    let length = match head::parse(bytes, method) {
        Ok(Parsed::Final(head, length)) => {
            for name in head.headers.keys() {
                assert!(!hop::is_hop_by_hop(name), "{name} went on");
            }
            if let Framing::Length(declared) = head.framing {
                assert!(declared > 0, "a length of nothing is no body");
            }
            assert!(head.framing != Framing::Close || !head.keep_alive);
            assert!(!head.status.is_informational());
            length
        }
        Ok(Parsed::Interim(length)) => length,
        Ok(Parsed::Partial) | Err(_) => {
            chunked(bytes, sizes);
            return;
        }
    };
    assert!(0 < length && length <= bytes.len());
    // A head that has not come whole is waited for, or known to be none: it is never another one.
    for cut in [length / 2, length - 1] {
        let start = head::parse(&bytes[..cut], method);
        assert!(matches!(start, Ok(Parsed::Partial)), "{start:?}");
    }
    chunked(&bytes[length..], sizes);
}

/// A chunked body says the same however it is cut.
fn chunked(coded: &[u8], sizes: &[u8]) {
    let whole = decoded(std::iter::once(coded));
    let pieces = decoded(chunks(coded, sizes));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (Err(_), Err(_)) => {}
        (whole, pieces) => panic!("{whole:?} in one piece, {pieces:?} in several"),
    }
}

/// The content, how many bytes were read, and whether that was the end.
fn decoded<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, usize, bool), &'static str> {
    let mut decoder = Decoder::new();
    let (mut content, mut read) = (Vec::new(), 0);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let decoded = decoder.decode(&mut piece)?;
        content.extend_from_slice(&piece[decoded.content]);
        read += decoded.read;
    }
    Ok((content, read, decoder.done()))
}
