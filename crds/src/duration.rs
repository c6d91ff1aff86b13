//! Durations as Kubernetes' Gateway API writes them.
//!
//! Source: [GEP-2257](https://gateway-api.sigs.k8s.io/geps/gep-2257/).

use std::time::Duration as Std;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::form::{form, quoted};

/// The form of a duration.
const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// What is said of any other.
const CURE: &str = "write a duration with units, such as 300ms, 5s or 1h30m";

/// A duration such as `300ms`, `5s` or `1h30m`: up to four numbers of at most five digits, each with `h`, `m`, `s` or `ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Duration(
    #[schemars(length(max = 32), extend("x-kubernetes-validations" = form(PATTERN, CURE)))]
    pub  String,
);

/// The rules of a duration that must not be shorter than `least`.
pub(crate) fn at_least(least: &str) -> Value {
    let mut rules = vec![form(PATTERN, CURE)[0].take()];
    // What is no duration breaks the first rule and not this one too.
    rules.push(json!({
        "rule": format!(
            "!self.matches({}) || duration(self) >= duration({})",
            quoted(PATTERN),
            quoted(least)
        ),
        "message": format!("it must be at least {least}"),
    }));
    json!(rules)
}

/// The rules of a duration that must not be longer than `most`.
pub(crate) fn at_most(most: &str) -> Value {
    let mut rules = vec![form(PATTERN, CURE)[0].take()];
    rules.push(longest(most));
    json!(rules)
}

/// The rules of a duration that must lie between `least` and `most`.
pub(crate) fn between(least: &str, most: &str) -> Value {
    let mut rules = at_least(least);
    if let Some(rules) = rules.as_array_mut() {
        rules.push(longest(most));
    }
    rules
}

fn longest(most: &str) -> Value {
    json!({
        "rule": format!(
            "!self.matches({}) || duration(self) <= duration({})",
            quoted(PATTERN),
            quoted(most)
        ),
        "message": format!("it must be at most {most}"),
    })
}

/// A duration that does not follow GEP-2257. The manifest's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration; write it like 300ms, 5s or 1h30m")]
pub struct BadDuration(pub String);

impl Duration {
    /// The duration's length.
    ///
    /// ```
    /// # use dragoman_crds::Duration;
    /// let wait = Duration("1h30m".into()).parse()?;
    /// assert_eq!(wait, std::time::Duration::from_secs(5400));
    /// # Ok::<(), dragoman_crds::BadDuration>(())
    /// ```
    ///
    /// # Errors
    /// [`BadDuration`] when the text is no GEP-2257 duration.
    pub fn parse(&self) -> Result<Std, BadDuration> {
        let bad = || BadDuration(self.0.clone());
        let mut rest = self.0.as_str();
        let mut total = Std::ZERO;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            if !(1..=5).contains(&digits) || parts == 4 {
                return Err(bad());
            }
            let count: u64 = number.parse().map_err(|_| bad())?;
            let (unit, length) = if let Some(after) = after.strip_prefix("ms") {
                (Std::from_millis(count), after)
            } else if let Some(after) = after.strip_prefix('h') {
                (Std::from_hours(count), after)
            } else if let Some(after) = after.strip_prefix('m') {
                (Std::from_mins(count), after)
            } else if let Some(after) = after.strip_prefix('s') {
                (Std::from_secs(count), after)
            } else {
                return Err(bad());
            };
            total += unit;
            rest = length;
            parts += 1;
        }
        if parts == 0 { Err(bad()) } else { Ok(total) }
    }
}

impl From<&str> for Duration {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u128> {
        Duration::from(text)
            .parse()
            .ok()
            .map(|length| length.as_millis())
    }

    #[test]
    fn units_add_up() {
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("1s500ms"), Some(1_500));
        assert_eq!(millis("0s"), Some(0));
    }

    #[test]
    fn what_gep_2257_does_not_know_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "1d",
            "-1s",
            "1.5s",
            "123456s",
            "1s1s1s1s1s",
            "1 s",
        ] {
            assert_eq!(millis(text), None, "{text:?}");
        }
    }
}
