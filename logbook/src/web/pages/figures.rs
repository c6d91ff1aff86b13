//! Figures as people read them.

use crate::web::time::{decimal, rfc3339};
use maud::{Markup, html};

/// What stands where nothing is known.
pub(super) const NONE: &str = "–";

/// A whole number, its thousands set apart.
pub(super) fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with at most four signs: `950`, `1.2k`, `35M`.
pub(super) fn short(number: i64) -> String {
    let units = [("P", 5), ("T", 4), ("G", 3), ("M", 2), ("k", 1)];
    for (unit, thousands) in units {
        let size = 1000_i64.pow(thousands);
        if number.abs() < size {
            continue;
        }
        let tenths = number / (size / 10);
        if tenths.abs() < 100 && tenths % 10 != 0 {
            return format!("{}.{}{unit}", tenths / 10, (tenths % 10).abs());
        }
        return format!("{}{unit}", number / size);
    }
    number.to_string()
}

/// A time that something took.
pub(super) fn duration(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..10_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        10_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

pub(super) fn bytes(bytes: i64) -> String {
    match bytes {
        ..10_000 => format!("{} B", number(bytes)),
        10_000..10_000_000 => format!("{} kB", number(bytes / 1000)),
        _ => format!("{} MB", number(bytes / 1_000_000)),
    }
}

/// Money, to four significant digits where it is less than one.
pub(super) fn money(millionths: i64) -> String {
    let exact = decimal(millionths);
    if millionths.abs() >= 1_000_000 {
        let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
        let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
        return format!("{whole}.{cents}");
    }
    exact
}

/// A time to the second, and exactly for whoever points at it.
pub(super) fn time(micros: i64) -> Markup {
    let exact = rfc3339(micros);
    let plain = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    html! { time datetime=(exact) title=(exact) { (plain) } }
}

pub(super) fn maybe<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(number(0), "0");
        assert_eq!(number(-1_234_567), "-1,234,567");
        assert_eq!(number(999), "999");
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1k"),
            (1200, "1.2k"),
            (50_000, "50k"),
            (2_500_000, "2.5M"),
            (20_000_000, "20M"),
            (1_000_000_000, "1G"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1250), "1.25 s");
        assert_eq!(duration(59_999), "59.9 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(money(1_250), "0.00125");
        assert_eq!(money(12_345_678), "12.34");
        assert_eq!(money(5_000_000), "5.00");
        assert_eq!(bytes(9_999), "9,999 B");
    }
}
