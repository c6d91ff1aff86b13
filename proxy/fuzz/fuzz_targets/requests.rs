//! Any bytes as a request of every dialect.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| dragoman_fuzz::requests::judge(body));
