//! Any body as an upstream's error: what every client is told is an error's status and JSON that says something.
#![no_main]

use dragoman_fuzz::splits::choices;
use dragoman_fuzz::wires::{SIDES, json};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = choices::<2>(data) else {
        return;
    };
    let status = 400 + u16::from_be_bytes(status) % 200;
    for upstream in &SIDES {
        let failure = upstream.codec().read_error(status, body);
        assert!(
            !failure.message.is_empty(),
            "{:?} says nothing",
            upstream.wire
        );
        for client in &SIDES {
            let (status, written) = client.codec().write_error(&failure, "019aa5c0");
            assert!((400..600).contains(&status), "{status}");
            json(&written);
            let told = client.codec().read_error(status, &written);
            // Dialects without a place for the field at fault name it before the message.
            let named = failure.param.as_ref();
            let named = named.map(|param| format!("{param}: {}", failure.message));
            assert!(
                told.message == failure.message || Some(&told.message) == named.as_ref(),
                "{:?} to {:?}: {:?} became {:?}",
                upstream.wire,
                client.wire,
                failure.message,
                told.message
            );
        }
    }
});
