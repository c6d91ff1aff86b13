//! Any bytes as a stream that a Mapper changes, split anywhere: what is written is read as the events that the Mapper made.
//!
//! The input's first five bytes: how the stream is marked and read, what the Mapper makes of an event, and three sizes of chunks.
#![no_main]

use dragoman_dialects::Framing;
use dragoman_fuzz::mapped::{self, Makes};
use dragoman_fuzz::splits::choices;

const MAKES: [Makes; 6] = [
    Makes::Itself,
    Makes::Nothing,
    Makes::One,
    Makes::Two,
    Makes::End,
    Makes::Fault,
];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([marked, makes, sizes @ ..], stream)) = choices::<5>(data) else {
        return;
    };
    let makes = MAKES[usize::from(makes) % MAKES.len()];
    let custom = marked & 4 != 0;
    match marked % 3 {
        0 => mapped::events(makes, custom, Framing::Sse, stream, &sizes),
        1 => mapped::events(makes, custom, Framing::Ndjson, stream, &sizes),
        _ => mapped::elements(makes, stream, &sizes),
    }
});
