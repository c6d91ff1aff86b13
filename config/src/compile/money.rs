//! Amounts of money as decimals.

/// Millionths of a unit.
const MILLIONTHS: u64 = 1_000_000;
/// Digits before and after the point.
const DIGITS: (usize, usize) = (9, 6);

/// An amount that makes no sense. The manifest's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no amount; write it with at most six decimals, such as \"25.00\"")]
pub(super) struct BadAmount(String);

/// An amount in millionths of a unit, which are exact.
pub(super) fn millionths(text: &str) -> Result<u64, BadAmount> {
    let bad = || BadAmount(text.to_owned());
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let number = |digits: &str, most: usize| {
        let fits = (1..=most).contains(&digits.len());
        let digits = fits.then_some(digits).filter(|digits| all_digits(digits));
        digits.and_then(|digits| digits.parse::<u64>().ok())
    };
    let whole = number(whole, DIGITS.0).ok_or_else(bad)?;
    let mut part = 0;
    if let Some(decimals) = decimals {
        part = number(decimals, DIGITS.1).ok_or_else(bad)?;
        for _ in decimals.len()..DIGITS.1 {
            part *= 10;
        }
    }
    Ok(whole * MILLIONTHS + part)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_to_a_millionth() {
        for (text, amount) in [
            ("25", 25_000_000),
            ("25.00", 25_000_000),
            ("0.000001", 1),
            ("0.15", 150_000),
            ("999999999.999999", 999_999_999_999_999),
        ] {
            assert_eq!(millionths(text), Ok(amount), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_quoted_back() {
        for text in [
            "",
            ".5",
            "5.",
            "-1",
            "1e3",
            "0.0000001",
            "1234567890",
            "+1",
            "1,5",
        ] {
            assert_eq!(millionths(text), Err(BadAmount(text.into())));
        }
    }
}
