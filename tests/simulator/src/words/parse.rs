//! Reads a model name into its behaviour.

use std::{str::FromStr, time::Duration};

use super::{Behaviour, Filter, Gzip, Hops, Redirect, Source};

/// The longest text that a word may ask for.
const LARGEST: usize = 64 << 20;

impl Behaviour {
    /// Reads a model name. One that is not made of known words alone is a plain `echo`, so that
    /// a model may have any name.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let mut behaviour = Self::default();
        for word in model.split('+') {
            if behaviour.learn(word).is_none() {
                return Self::default();
            }
        }
        behaviour
    }

    fn learn(&mut self, word: &str) -> Option<()> {
        let Self {
            answer,
            fault,
            wire,
            times,
        } = self;
        match word {
            "echo" => answer.text = true,
            "say" => {
                answer.text = true;
                answer.chunk.get_or_insert(8);
            }
            "think" => answer.think = true,
            "reasoning" => answer.reasoning = true,
            "tools" => answer.tools = 1,
            "parallel-tools" => answer.tools = 2,
            "no-usage" => answer.no_usage = true,
            "filtered" => answer.filter = Some(Filter::Answer),
            "blocked" => answer.filter = Some(Filter::Prompt),
            "extras" => answer.extras = true,
            "strict" => answer.strict = true,
            "remembers" => answer.remembers = true,
            "html" => fault.html = true,
            "headers" => fault.headers = true,
            "hop-headers" => fault.hop_headers = true,
            "hang" => fault.hang = true,
            "drop" => fault.drop = true,
            "malformed" => wire.malformed = true,
            "coalesced" => wire.coalesced = true,
            "split" => wire.split = true,
            "crlf" => wire.crlf = true,
            "gzip" => wire.gzip = Some(Gzip::Accepted),
            "gzip-always" => wire.gzip = Some(Gzip::Always),
            "keepalive-comments" => wire.comments = true,
            "chunked" => wire.chunked = true,
            "no-done" => wire.no_done = true,
            "escaped" => wire.escaped = true,
            // The longer prefix stands before the shorter.
            _ => {
                if let Some(value) = word.strip_prefix("tokens-") {
                    let count = number(value).filter(|count| *count <= LARGEST / 8)?;
                    answer.source = Source::Tokens(count);
                    answer.text = true;
                } else if let Some(value) = word.strip_prefix("huge-") {
                    answer.source = Source::Bytes(size(value)?);
                    answer.text = true;
                    answer.chunk.get_or_insert(1024);
                } else if let Some(value) = word.strip_prefix("chunk-") {
                    answer.chunk = Some(number(value).filter(|size| *size > 0)?);
                } else if let Some(value) = word.strip_prefix("status-") {
                    fault.status = Some(number(value).filter(|code| (400..600).contains(code))?);
                } else if let Some(value) = word.strip_prefix("retry-after-") {
                    fault.retry_after = Some(number(value)?);
                } else if let Some(value) = word.strip_prefix("redirect-") {
                    fault.redirect = Some(redirect(value)?);
                } else if let Some(value) = word.strip_prefix("first-byte-") {
                    wire.first_byte = time(value)?;
                } else if let Some(value) = word.strip_prefix("first-token-") {
                    wire.first_token = time(value)?;
                } else if let Some(value) = word.strip_prefix("token-") {
                    wire.token = time(value)?;
                } else if let Some(value) = word.strip_prefix("cut-") {
                    wire.cut = Some(number(value)?);
                } else if let Some(value) = word.strip_prefix("stall-") {
                    wire.stall = Some(number(value)?);
                } else if let Some(value) = word.strip_prefix("error-") {
                    wire.error = Some(number(value)?);
                } else {
                    *times = Some(number(word.strip_prefix("times-")?)?);
                }
            }
        }
        Some(())
    }
}

fn number<T: FromStr>(value: &str) -> Option<T> {
    value
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| value.parse().ok())?
}

/// `20ms`, `2s`, `500us`.
fn time(value: &str) -> Option<Duration> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let count = number(digits)?;
    match &value[digits.len()..] {
        "us" => Some(Duration::from_micros(count)),
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        _ => None,
    }
}

/// `500B`, `64KiB`, `1MiB`.
fn size(value: &str) -> Option<usize> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &value[digits.len()..] {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number::<usize>(digits)?
        .checked_mul(unit)
        .filter(|bytes| *bytes <= LARGEST)
}

fn redirect(value: &str) -> Option<Redirect> {
    let (status, to) = value.split_once('-')?;
    let status = number(status).filter(|code| (300..400).contains(code))?;
    let to = match to.strip_prefix("to-") {
        Some(origin) if !origin.is_empty() => Hops::Origin(origin.into()),
        _ => Hops::Here(number(to)?),
    };
    Some(Redirect { status, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_compose() {
        let behaviour = Behaviour::of("think+token-20ms+cut-3+crlf");
        assert!(behaviour.answer.think && behaviour.wire.crlf);
        assert_eq!(behaviour.wire.token, Duration::from_millis(20));
        assert_eq!(behaviour.wire.cut, Some(3));
    }

    #[test]
    fn an_unknown_name_is_a_plain_echo() {
        for name in [
            "llama3-8b",
            "think+llama3",
            "tokens-many",
            "cut-",
            "",
            "status-99",
            "token-5",
        ] {
            assert_eq!(Behaviour::of(name), Behaviour::default(), "{name}");
        }
    }

    #[test]
    fn sizes_have_units_and_a_bound() {
        assert_eq!(
            Behaviour::of("huge-64KiB").answer.source,
            Source::Bytes(65536)
        );
        assert_eq!(Behaviour::of("huge-9999MiB"), Behaviour::default());
    }

    #[test]
    fn a_redirect_stays_here_or_leaves() {
        let here = Redirect {
            status: 307,
            to: Hops::Here(2),
        };
        assert_eq!(Behaviour::of("redirect-307-2").fault.redirect, Some(here));
        let away = Redirect {
            status: 308,
            to: Hops::Origin("127.0.0.1:9".into()),
        };
        assert_eq!(
            Behaviour::of("redirect-308-to-127.0.0.1:9").fault.redirect,
            Some(away)
        );
    }

    #[test]
    fn what_heals_keeps_its_text_and_its_pace() {
        let healed = Behaviour::of("think+status-503+cut-1+hang+token-1ms").healed();
        assert_eq!(healed, Behaviour::of("think+token-1ms"));
    }
}
