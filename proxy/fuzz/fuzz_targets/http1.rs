//! Any bytes as an upstream's reply over HTTP/1.1: its head ends where it ends, and a chunked body says the same however it is cut.
#![no_main]

use dragoman_fuzz::http1;
use dragoman_fuzz::splits::choices;
use http::Method;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([method, one, two, three], bytes)) = choices::<4>(data) else {
        return;
    };
    let method = [Method::POST, Method::GET, Method::HEAD][usize::from(method) % 3].clone();
    http1::reply(&method, bytes, &[one, two, three]);
});
