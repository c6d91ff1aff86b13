//! Records as JSON: named as the columns, times as RFC 3339, money as decimals.

use crate::query::{Figures, Percentiles};
use crate::record::Record;
use crate::store::LARGE;
use crate::web::live::Running;
use crate::web::time::{decimal, rfc3339};
use serde_json::{Map, Value, json};

/// A record with or without what may be large.
pub(super) fn entry(record: &Record, large: bool) -> Map<String, Value> {
    // A record is an object, and nothing in it fails to serialise.
    let Ok(Value::Object(mut entry)) = serde_json::to_value(record) else {
        return Map::new();
    };
    if !large {
        for name in LARGE {
            entry.shift_remove(name);
        }
    }
    for (name, time) in [
        ("started_at", record.started_at),
        ("completed_at", record.completed_at),
    ] {
        entry.insert(name.into(), rfc3339(time).into());
    }
    entry.insert("cost".into(), record.cost.map(decimal).into());
    entry.insert("failed".into(), record.failed().into());
    entry
}

pub(super) fn running(running: &Running, now: i64) -> Value {
    let Ok(Value::Object(mut entry)) = serde_json::to_value(running) else {
        return Value::Null;
    };
    entry.insert("started_at".into(), rfc3339(running.started_at).into());
    entry.insert("duration_ms".into(), running.duration_ms(now).into());
    entry.insert(
        "tokens_per_second".into(),
        running.tokens_per_second(now).into(),
    );
    Value::Object(entry)
}

pub(super) fn figures(figures: &Figures) -> Map<String, Value> {
    let percentiles = |of: &Percentiles| json!({"p50": of.p50, "p95": of.p95, "p99": of.p99});
    let members = [
        ("requests", figures.requests.into()),
        ("errors", figures.errors.into()),
        ("prompt_tokens", figures.prompt_tokens.into()),
        ("completion_tokens", figures.completion_tokens.into()),
        ("cost", decimal(figures.cost).into()),
        ("duration_ms", percentiles(&figures.duration_ms)),
        ("ttft_ms", percentiles(&figures.ttft_ms)),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// An object with one more member in front.
pub(super) fn named(name: &str, value: impl Into<Value>, rest: Map<String, Value>) -> Value {
    let mut all = Map::new();
    all.insert(name.to_owned(), value.into());
    all.extend(rest);
    Value::Object(all)
}
