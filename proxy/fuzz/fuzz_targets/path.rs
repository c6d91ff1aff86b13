//! Any bytes as the path of a request: one spelling for each, and none that climbs.
#![no_main]

use dragoman_fuzz::spelling::{has_encoded_slash, percent_decode, plain};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(path) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(once) = plain(path) else {
        return;
    };
    assert_eq!(plain(&once).as_deref(), Ok(&*once), "a plain path is plain");
    assert!(once.starts_with('/') && !once.contains("//"));
    assert_eq!(has_encoded_slash(path), has_encoded_slash(&once));
    let decoded = percent_decode(&once);
    assert!(!decoded.contains('\\'), "a backslash");
    // What is relayed has no encoded slash; a model's name may have one, and is only compared.
    if !has_encoded_slash(&once) {
        for segment in decoded.split('/') {
            let name = segment.split(';').next().unwrap_or_default();
            assert!(name != "." && name != "..", "climbs: {decoded}");
        }
    }
});
