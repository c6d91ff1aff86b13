//! Any bytes as a reply that tells of tokens: what is found as it passes, cut anywhere, is what a full parse finds.
//!
//! The input's first three bytes are sizes of chunks.
#![no_main]

use dragoman_fuzz::splits::choices;
use dragoman_fuzz::usage;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((sizes, reply)) = choices::<3>(data) {
        usage::judge(reply, &sizes);
    }
});
