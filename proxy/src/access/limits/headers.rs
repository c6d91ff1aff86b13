//! What a client is told of its limits, in the headers that OpenAI's SDKs know.
//!
//! Source: [rate limits in headers](https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers). Of several limits of a kind the one
//! is told of which least is left.

use http::{HeaderName, HeaderValue};

/// A kind of limit that clients are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Requests,
    Tokens,
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) most: u64,
    pub(super) used: u64,
    /// Milliseconds until nothing counts any more.
    pub(super) reset: u64,
}

/// The tightest limit of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    requests: Option<Standing>,
    tokens: Option<Standing>,
}

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

impl Standing {
    fn remaining(&self) -> u64 {
        self.most.saturating_sub(self.used)
    }
}

impl Told {
    /// Takes another limit into account.
    pub(super) fn add(&mut self, kind: Kind, standing: Standing) {
        let place = match kind {
            Kind::Requests => &mut self.requests,
            Kind::Tokens => &mut self.tokens,
        };
        let rank = |of: &Standing| (of.remaining(), u64::MAX - of.reset);
        if place.is_none_or(|other| rank(&standing) < rank(&other)) {
            *place = Some(standing);
        }
    }

    /// The tighter of each kind.
    pub(super) fn merge(&mut self, other: &Self) {
        if let Some(standing) = other.requests {
            self.add(Kind::Requests, standing);
        }
        if let Some(standing) = other.tokens {
            self.add(Kind::Tokens, standing);
        }
    }

    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let kinds = [(REQUESTS, self.requests), (TOKENS, self.tokens)];
        let mut headers = Vec::with_capacity(REQUESTS.len());
        for (names, standing) in kinds {
            let Some(standing) = standing else { continue };
            let values = [
                HeaderValue::from(standing.most),
                HeaderValue::from(standing.remaining()),
                HeaderValue::try_from(duration(standing.reset))
                    .unwrap_or(HeaderValue::from_static("0s")),
            ];
            headers.extend(names.into_iter().zip(values));
        }
        headers
    }
}

/// A duration as Go writes it, of which OpenAI's is one: `20ms`, `1.5s`, `6m0s`, `24h0m0s`.
fn duration(milliseconds: u64) -> String {
    let mut digits = itoa::Buffer::new();
    if milliseconds > 0 && milliseconds < 1000 {
        return [digits.format(milliseconds), "ms"].concat();
    }
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let (seconds, rest) = (milliseconds / 1000 % 60, milliseconds % 1000);
    let mut out = String::with_capacity(16);
    if hours > 0 {
        out.push_str(digits.format(hours));
        out.push('h');
    }
    if hours > 0 || minutes > 0 {
        out.push_str(digits.format(minutes));
        out.push('m');
    }
    out.push_str(digits.format(seconds));
    if rest > 0 {
        // With its leading zeros, and without those at its end.
        let thousandths = digits.format(1000 + rest);
        out.push('.');
        out.push_str(thousandths[1..].trim_end_matches('0'));
    }
    out.push('s');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (milliseconds, text) in [
            (0, "0s"),
            (20, "20ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (360_000, "6m0s"),
            (61_001, "1m1.001s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(duration(milliseconds), text);
        }
    }

    #[test]
    fn the_limit_of_which_least_is_left_is_told() {
        let standing = |most, used, reset| Standing { most, used, reset };
        let mut told = Told::default();
        told.add(Kind::Requests, standing(100, 10, 1000));
        told.add(Kind::Requests, standing(50, 49, 60_000));
        told.add(Kind::Requests, standing(1000, 10, 500));
        let said: Vec<_> = told
            .headers()
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            said,
            [
                "x-ratelimit-limit-requests: 50",
                "x-ratelimit-remaining-requests: 1",
                "x-ratelimit-reset-requests: 1m0s",
            ]
        );
    }

    #[test]
    fn what_was_overdrawn_leaves_nothing() {
        let mut told = Told::default();
        let used = Standing {
            most: 10,
            used: 17,
            reset: 1,
        };
        told.add(Kind::Tokens, used);
        let values: Vec<_> = told.headers().into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["10", "0", "1ms"]);
    }
}
