//! Counts and durations of an answer, in nanoseconds, and times with nanoseconds.
//!
//! Source: [usage](https://docs.ollama.com/api/usage). Where the upstream says no durations, they are what was measured here:
//! the prompt's until the first piece of the answer, the reply's from there on.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde_json::{Map, Value, json};

use crate::form::Usage;
use crate::form::usage::Durations;

/// Fills the durations of a whole reply, or of vectors, that has counts and no durations: it cannot be told when its first token
/// came, so all of the time counts as the reply's.
pub fn fill(usage: &mut Option<Usage>, started: Timestamp, now: Timestamp) {
    let Some(usage) = usage else {
        return;
    };
    let total = between(started, now);
    usage.durations.get_or_insert(Durations {
        total,
        load: 0,
        prompt: 0,
        reply: total,
    });
}

/// The durations of a stream.
pub(super) fn streamed(started: Timestamp, first: Option<Timestamp>, now: Timestamp) -> Durations {
    let first = first.unwrap_or(now);
    Durations {
        total: between(started, now),
        load: 0,
        prompt: between(started, first),
        reply: between(first, now),
    }
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    // A clock that was set back has measured nothing.
    u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(0)
}

/// Marks counts of [ours](crate::form::estimate); Ollama's SDKs pass over what they do not know.
const ESTIMATED: &str = "usage_estimated";

/// Writes the figures as fields. What is not known is left out, as Ollama leaves out what is nothing.
pub(super) fn fields(usage: Option<&Usage>, measured: Option<Durations>) -> Map<String, Value> {
    let durations = usage.and_then(|usage| usage.durations).or(measured);
    let figures = [
        ("total_duration", durations.map(|of| of.total)),
        ("load_duration", durations.map(|of| of.load)),
        ("prompt_eval_count", usage.map(|usage| usage.input)),
        ("prompt_eval_duration", durations.map(|of| of.prompt)),
        ("eval_count", usage.map(|usage| usage.output)),
        ("eval_duration", durations.map(|of| of.reply)),
    ];
    let known = figures
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    let estimated = usage.is_some_and(|usage| usage.estimated);
    let mark = estimated.then(|| (ESTIMATED.to_owned(), Value::Bool(true)));
    known.chain(mark).collect()
}

/// A time as Ollama writes it.
pub(crate) fn time(at: Timestamp) -> String {
    let mut out = String::with_capacity(32);
    let printer = const { DateTimePrinter::new().precision(Some(9)) };
    // A string takes everything; were it not so, the time would be left out.
    let _ = printer.print_timestamp(&at, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nanoseconds_always() {
        let at: Timestamp = "2025-03-04T05:06:07.5Z".parse().unwrap();
        assert_eq!(time(at), "2025-03-04T05:06:07.500000000Z");
    }

    #[test]
    fn a_clock_that_was_set_back_measures_nothing() {
        let from: Timestamp = "2025-03-04T05:06:07Z".parse().unwrap();
        let to: Timestamp = "2025-03-04T05:06:06Z".parse().unwrap();
        assert_eq!(between(from, to), 0);
        assert_eq!(between(to, from), 1_000_000_000);
    }
}
