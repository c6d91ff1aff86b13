//! Any bytes as a form: its model is where a loose server finds it, is replaced alone, and is none where that server finds none.
//!
//! The input's first byte says whether the rest is a header and a body, or what a form is made of. The second is where the body is cut.
#![no_main]

use dragoman_fuzz::forms;
use dragoman_fuzz::splits::choices;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([made, cut], rest)) = choices::<2>(data) else {
        return;
    };
    if made % 2 == 1 {
        let _ = forms::made(rest);
        return;
    }
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (kind, body) = rest.split_at(end.unwrap_or(rest.len()));
    forms::judge(kind, body.get(1..).unwrap_or_default(), cut);
});
