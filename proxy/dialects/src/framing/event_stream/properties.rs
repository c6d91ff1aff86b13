//! Any split gives the same messages; no byte may be wrong.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::message::Broken;
use super::{EventStream, Message, write};

/// All messages of a stream, cut into pieces of these sizes in turn; whether it ended between two.
fn cut(stream: &[u8], sizes: &[usize]) -> Result<(Vec<Message>, bool), Broken> {
    let mut decoder = EventStream::default();
    let mut messages = Vec::new();
    let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
        decoder.feed(Bytes::copy_from_slice(&rest[..size]));
        rest = &rest[size..];
        while let Some(message) = decoder.next_message()? {
            messages.push(message);
        }
    }
    Ok((messages, decoder.is_between()))
}

fn stream(payloads: &[(bool, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (exception, payload) in payloads {
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(payload);
        if *exception {
            write::exception("chunk", &mut out, payload);
        } else {
            write::event("chunk", &mut out, payload);
        }
    }
    out
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        payloads in vec((any::<bool>(), vec(any::<u8>(), 0..60)), 0..5),
        sizes in vec(1_usize..90, 1..6),
    ) {
        let (messages, between) = cut(&stream(&payloads), &sizes).unwrap();
        prop_assert!(between);
        prop_assert_eq!(messages.len(), payloads.len());
        for (message, (exception, payload)) in messages.iter().zip(&payloads) {
            prop_assert_eq!(message.frame().name, Some("chunk"));
            prop_assert_eq!(message.frame().exception, *exception);
            prop_assert_eq!(message.frame().data, payload.as_slice());
        }
    }

    #[test]
    fn no_wrong_bit_passes(payload in vec(any::<u8>(), 0..30), at in 0_usize..10_000, bit in 0_u8..8) {
        let mut bytes = stream(&[(false, payload)]);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let whole = bytes.len();
        prop_assert!(cut(&bytes, &[whole]).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..80), sizes in vec(1_usize..20, 1..4)) {
        let _ = cut(&bytes, &sizes);
    }
}

#[test]
fn every_split_of_a_stream_gives_the_same_messages() {
    let bytes = stream(&[
        (false, b"{\"a\":1}".to_vec()),
        (false, Vec::new()),
        (true, b"{}".to_vec()),
    ]);
    let whole = cut(&bytes, &[bytes.len()]);
    for first in 1..bytes.len() {
        assert_eq!(cut(&bytes, &[first, bytes.len()]), whole);
    }
    assert_eq!(cut(&bytes, &[1]), whole);
}

#[test]
fn headers_of_other_types_are_passed_over() {
    let mut headers = Vec::new();
    for (kind, value) in [
        (0, &[][..]),
        (1, &[]),
        (2, &[1]),
        (3, &[0; 2]),
        (4, &[0; 4]),
        (5, &[0; 8]),
        (6, &[0, 1, 9]),
        (8, &[0; 8]),
        (9, &[0; 16]),
    ] {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend_from_slice(value);
    }
    headers.extend_from_slice(b"\x0d:message-type\x07\x00\x05error");
    headers.extend_from_slice(b"\x0b:error-code\x07\x00\x04Oops");
    headers.extend_from_slice(b"\x0e:error-message\x07\x00\x03bad");
    let total = u32::try_from(headers.len() + 16).unwrap().to_be_bytes();
    let length = u32::try_from(headers.len()).unwrap().to_be_bytes();
    let mut bytes = [total, length].concat();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    let (messages, _) = cut(&bytes, &[bytes.len()]).unwrap();
    let frame = messages[0].frame();
    assert_eq!(
        (frame.name, frame.exception, frame.data),
        (Some("Oops"), true, &b"bad"[..])
    );
}

#[test]
fn a_message_over_the_bound_is_refused_before_it_is_held() {
    let bytes = stream(&[(false, vec![0; 200])]);
    let mut decoder = EventStream::new(100);
    decoder.feed(Bytes::copy_from_slice(&bytes[..12]));
    let length = bytes.len();
    assert_eq!(
        decoder.next_message(),
        Err(Broken::TooLong {
            length,
            longest: 100
        })
    );
}

#[test]
fn a_stream_that_ends_within_a_message_is_not_between_two() {
    let bytes = stream(&[(false, b"{}".to_vec())]);
    let (messages, between) = cut(&bytes[..bytes.len() - 1], &[7]).unwrap();
    assert!(messages.is_empty() && !between);
}
