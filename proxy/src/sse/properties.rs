//! Promises about event framing, tried on generated streams and every split.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Event, Framer};

/// Feeds `pieces` and gives all events, the unfinished rest among them.
fn frame<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut framer = Framer::default();
    let mut events = Vec::new();
    for piece in pieces {
        framer.feed(Bytes::copy_from_slice(piece));
        while let Some(event) = framer.next_event().unwrap() {
            events.push(event);
        }
    }
    events.extend(framer.finish());
    events
}

fn cut(stream: &[u8], mut places: Vec<usize>) -> Vec<&[u8]> {
    places.sort_unstable();
    let mut from = 0;
    let mut pieces = Vec::new();
    for place in places {
        let place = (place % (stream.len() + 1)).max(from);
        pieces.push(&stream[from..place]);
        from = place;
    }
    pieces.push(&stream[from..]);
    pieces
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("data: "),
        Just("data:"),
        Just("data"),
        Just("event: x"),
        Just(": ping"),
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("\n\n"),
        Just("\r\n\r\n"),
        Just("\u{feff}"),
        Just("{\"a\":1}"),
        Just("\u{1f600}"),
        Just(" "),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        stream in stream(), places in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let whole = frame([&stream[..]]);
        prop_assert_eq!(&frame(cut(&stream, places)), &whole);
        let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
        prop_assert_eq!(raw, stream);
    }

    #[test]
    fn any_bytes_come_out_as_they_went_in(bytes: Vec<u8>) {
        let raw: Vec<u8> = frame(bytes.chunks(3)).iter().flat_map(|event| event.raw.to_vec()).collect();
        prop_assert_eq!(raw, bytes);
    }
}

#[test]
fn a_stream_byte_by_byte_has_the_same_events() {
    let stream = b"\xef\xbb\xbfdata: 1\r\n\r\n: c\n\ndata: 2\ndata: 3\n\n\n\rdata: 4\r\rdata: \xf0\x9f\x98\x80\n\nda";
    let events = frame([&stream[..]]);
    assert_eq!(frame(stream.chunks(1)), events);
    let data: Vec<_> = events.iter().filter_map(Event::data).collect();
    assert_eq!(data, [b"1", &b"2\n3"[..], b"4", "\u{1f600}".as_bytes()]);
    assert!(!events.last().unwrap().complete);
}

#[test]
fn whole_events_share_the_memory_of_their_chunk() {
    let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\ndata");
    let mut framer = Framer::default();
    framer.feed(chunk.clone());
    for at in [0, 9] {
        assert_eq!(
            framer.next_event().unwrap().unwrap().raw.as_ptr(),
            chunk[at..].as_ptr()
        );
    }
    assert_eq!(framer.next_event(), Ok(None));
    assert_eq!(framer.held(), 4);
}

#[test]
fn after_a_split_event_the_rest_of_the_chunk_is_shared_again() {
    let mut framer = Framer::default();
    framer.feed(Bytes::from_static(b"data: 1"));
    assert_eq!(framer.next_event(), Ok(None));
    let chunk = Bytes::from_static(b"2\n\ndata: 3\n\n");
    framer.feed(chunk.clone());
    assert_eq!(framer.next_event().unwrap().unwrap().raw, "data: 12\n\n");
    assert_eq!(
        framer.next_event().unwrap().unwrap().raw.as_ptr(),
        chunk[3..].as_ptr()
    );
}

#[test]
fn an_event_without_end_is_refused_however_it_arrives() {
    let line = [b'x'; 300];
    for size in [1, 7, 299, 300] {
        let mut framer = Framer::new(256);
        let refused = line.chunks(size).any(|piece| {
            framer.feed(Bytes::copy_from_slice(piece));
            framer.next_event().is_err()
        });
        assert!(refused, "in pieces of {size}");
        assert!(framer.held() <= 256 + 300);
    }
}

#[test]
fn a_last_event_that_ends_with_a_bare_cr_is_complete() {
    let events = frame([&b"data: 1\r\r"[..]]);
    assert!(events[0].complete);
    assert_eq!(events[0].data(), Some(&b"1"[..]));
}
