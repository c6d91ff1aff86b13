//! Any text as a query: what is taken out of it is gone, and the rest stays as it was.
#![no_main]

use dragoman_fuzz::query;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for names in [&["key", "access_token"][..], &["api-version"], &[]] {
        let taken = |pair: &&str| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            names
                .iter()
                .any(|wanted| decoded(name) == wanted.as_bytes())
        };
        let (gone, kept): (Vec<&str>, Vec<&str>) = text.split('&').partition(taken);
        let left = query::without(Some(text), names);
        assert_eq!(
            left.as_deref(),
            (!kept.is_empty()).then(|| kept.join("&")).as_deref()
        );
        assert!(!gone.is_empty() || left.as_deref() == Some(text));
        if let Some(left) = left {
            assert_eq!(query::without(Some(&left), names).as_deref(), Some(&*left));
        }
    }
    let asks = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| {
            [&b"alt"[..], b"$alt"].contains(&&*decoded(name)) && decoded(value) == b"sse"
        });
    assert_eq!(
        query::asks_for_events(Some(text)),
        asks,
        "events are asked for"
    );
});

/// The bytes of a text whose escapes are read, from its end to its start.
fn decoded(text: &str) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    // An escape's two digits stand last in what was read, and are no escape's of their own.
    let mut plain = 0;
    for byte in text.bytes().rev() {
        let digit =
            |place: usize| char::from(*out.get(out.len().checked_sub(place)?)?).to_digit(16);
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) if plain >= 2 => {
                out.truncate(out.len() - 2);
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                plain = 0;
            }
            _ => {
                out.push(byte);
                plain += 1;
            }
        }
    }
    out.reverse();
    out
}
