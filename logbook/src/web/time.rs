//! Times and spans as they stand in URLs and replies.

use jiff::Timestamp;

const SECOND: i64 = 1_000_000;

/// What a span looks like, for the OpenAPI document: JSON Schema's regular expression.
pub(super) const SPAN: &str = "^[1-9][0-9]{0,4}[smhd]$";

/// A span such as `90s`, `15m`, `24h` or `7d`, in microseconds.
pub(super) fn span(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => SECOND,
        'm' => 60 * SECOND,
        'h' => 3600 * SECOND,
        'd' => 86_400 * SECOND,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let plain = (1..=5).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0');
    digits
        .parse::<i64>()
        .ok()
        .filter(|_| plain)
        .map(|number| number * unit)
}

/// A time of RFC 3339, or how long ago, in microseconds since the epoch.
pub(super) fn time(text: &str, now: i64) -> Option<i64> {
    if let Some(ago) = span(text) {
        return Some(now - ago);
    }
    // RFC 3339 has the whole of it; the parser would take less.
    let whole = text.len() >= "2026-01-01T00:00:00Z".len() && text.is_ascii();
    let text = text.to_ascii_uppercase();
    let shaped = whole && text.as_bytes().get(10) == Some(&b'T');
    shaped
        .then(|| text.parse::<Timestamp>().ok())?
        .map(Timestamp::as_microsecond)
}

/// A time as RFC 3339 in UTC.
pub(super) fn rfc3339(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Millionths as a decimal.
pub(super) fn decimal(millionths: i64) -> String {
    let (sign, value) = (
        if millionths < 0 { "-" } else { "" },
        millionths.unsigned_abs(),
    );
    let fraction = format!("{:06}", value % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{fraction}", value / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_rfc_3339_or_how_long_ago() {
        let now = 1_700_000_000 * SECOND;
        assert_eq!(time("1970-01-01T00:00:01.5Z", now), Some(1_500_000));
        assert_eq!(time("1970-01-01t02:00:01+02:00", now), Some(SECOND));
        assert_eq!(time("15m", now), Some(now - 900 * SECOND));
        assert_eq!(time("7d", now), Some(now - 7 * 86_400 * SECOND));
        for nonsense in [
            "",
            "m",
            "0m",
            "-5m",
            "5",
            "5w",
            "123456s",
            "１m",
            "yesterday",
            "2026-01-01",
            "2026-01-01T00:00",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "2026-01-01 00:00:00Z",
            "é",
        ] {
            assert_eq!(time(nonsense, now), None, "{nonsense:?}");
        }
    }

    #[test]
    fn money_is_written_exactly() {
        for (millionths, text) in [
            (0, "0"),
            (1_250, "0.00125"),
            (-1_500_000, "-1.5"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            assert_eq!(decimal(millionths), text);
        }
    }
}
