//! The columns of the table `requests`, and a record as their values.

use super::cell::Cell;
use crate::record::{LONGEST_LINE, LONGEST_NAME, Record, cut, json, without_nul};
use serde::de::DeserializeOwned;

/// How a column's value travels: what it is made of, and what the database keeps it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    /// 0 or 1; a boolean in Postgres.
    Bool,
    /// JSON as text; JSONB in Postgres.
    Json,
    /// Microseconds since the epoch; a timestamp in Postgres.
    Time,
    /// Millionths; a decimal in the database.
    Money,
}

use Kind::{Bool, Int, Json, Money, Text, Time};

/// All columns, in the order of [`values`] and [`record`].
pub(crate) const COLUMNS: [(&str, Kind); 41] = [
    ("id", Text),
    ("started_at", Time),
    ("completed_at", Time),
    ("proxy", Text),
    ("route", Text),
    ("namespace", Text),
    ("client_address", Text),
    ("user_name", Text),
    ("method", Text),
    ("path", Text),
    ("client_dialect", Text),
    ("upstream_dialect", Text),
    ("backend", Text),
    ("upstream_url", Text),
    ("model_requested", Text),
    ("model_sent", Text),
    ("model_reported", Text),
    ("stream", Bool),
    ("status", Int),
    ("error", Text),
    ("finish_reason", Text),
    ("prompt_tokens", Int),
    ("completion_tokens", Int),
    ("cached_tokens", Int),
    ("reasoning_tokens", Int),
    ("tokens_estimated", Bool),
    ("cost", Money),
    ("attempts", Json),
    ("request_bytes", Int),
    ("response_bytes", Int),
    ("ttft_ms", Int),
    ("duration_ms", Int),
    ("upstream_ms", Int),
    ("request_headers", Json),
    ("request_body", Text),
    ("response_body", Text),
    ("response_content", Text),
    ("tool_calls", Json),
    ("attributes", Json),
    ("replay_as", Text),
    ("failed", Bool),
];

/// Columns that lists leave out, because they may be large.
pub(crate) const LARGE: [&str; 5] = [
    "request_headers",
    "request_body",
    "response_body",
    "response_content",
    "tool_calls",
];

/// A record as the values of [`COLUMNS`]. Names and lines are cut to what the schema indexes and keeps.
pub(crate) fn values(record: &Record) -> [Cell; COLUMNS.len()] {
    [
        name(&record.id),
        Cell::Int(record.started_at),
        Cell::Int(record.completed_at),
        name(&record.proxy),
        maybe(record.route.as_deref(), name),
        name(&record.namespace),
        maybe(record.client_address.as_deref(), name),
        maybe(record.user_name.as_deref(), name),
        name(&record.method),
        line(&record.path),
        maybe(record.client_dialect.as_deref(), name),
        maybe(record.upstream_dialect.as_deref(), name),
        maybe(record.backend.as_deref(), name),
        maybe(record.upstream_url.as_deref(), line),
        maybe(record.model_requested.as_deref(), name),
        maybe(record.model_sent.as_deref(), name),
        maybe(record.model_reported.as_deref(), name),
        Cell::from(record.stream),
        Cell::from(record.status.map(i64::from)),
        maybe(record.error.as_deref(), line),
        maybe(record.finish_reason.as_deref(), name),
        Cell::from(record.prompt_tokens),
        Cell::from(record.completion_tokens),
        Cell::from(record.cached_tokens),
        Cell::from(record.reasoning_tokens),
        Cell::from(record.tokens_estimated),
        Cell::from(record.cost),
        Cell::from(json(&record.attempts)),
        Cell::Int(record.request_bytes),
        Cell::Int(record.response_bytes),
        Cell::from(record.ttft_ms),
        Cell::Int(record.duration_ms),
        Cell::from(record.upstream_ms),
        Cell::from(json(&record.request_headers)),
        maybe(record.request_body.as_deref(), whole),
        maybe(record.response_body.as_deref(), whole),
        maybe(record.response_content.as_deref(), whole),
        Cell::from(record.tool_calls.as_ref().and_then(json)),
        Cell::from(record.attributes.as_ref().and_then(json)),
        maybe(record.replay_as.as_deref(), name),
        Cell::from(record.failed()),
    ]
}

fn maybe(text: Option<&str>, cell: fn(&str) -> Cell) -> Cell {
    text.map_or(Cell::Null, cell)
}

fn whole(text: &str) -> Cell {
    Cell::Text(without_nul(text).into_owned())
}

fn line(text: &str) -> Cell {
    Cell::Text(cut(&without_nul(text), LONGEST_LINE).into_owned())
}

fn name(text: &str) -> Cell {
    Cell::Text(cut(&without_nul(text), LONGEST_NAME).into_owned())
}

/// The record that a row of [`COLUMNS`] holds; what was not read is left empty.
pub(crate) fn record(row: Vec<Cell>) -> Record {
    let mut row = row.into_iter();
    // Struct fields are evaluated in the order that they are written in.
    let mut next = || row.next().unwrap_or(Cell::Null);
    Record {
        id: next().text().unwrap_or_default(),
        started_at: next().int().unwrap_or_default(),
        completed_at: next().int().unwrap_or_default(),
        proxy: next().text().unwrap_or_default(),
        route: next().text(),
        namespace: next().text().unwrap_or_default(),
        client_address: next().text(),
        user_name: next().text(),
        method: next().text().unwrap_or_default(),
        path: next().text().unwrap_or_default(),
        client_dialect: next().text(),
        upstream_dialect: next().text(),
        backend: next().text(),
        upstream_url: next().text(),
        model_requested: next().text(),
        model_sent: next().text(),
        model_reported: next().text(),
        stream: next().int() == Some(1),
        status: next().int().and_then(|status| status.try_into().ok()),
        error: next().text(),
        finish_reason: next().text(),
        prompt_tokens: next().int(),
        completion_tokens: next().int(),
        cached_tokens: next().int(),
        reasoning_tokens: next().int(),
        tokens_estimated: next().int() == Some(1),
        cost: next().int(),
        attempts: parsed(next()).unwrap_or_default(),
        request_bytes: next().int().unwrap_or_default(),
        response_bytes: next().int().unwrap_or_default(),
        ttft_ms: next().int(),
        duration_ms: next().int().unwrap_or_default(),
        upstream_ms: next().int(),
        request_headers: parsed(next()).unwrap_or_default(),
        request_body: next().text(),
        response_body: next().text(),
        response_content: next().text(),
        tool_calls: parsed(next()),
        attributes: parsed(next()),
        replay_as: next().text(),
    }
}

fn parsed<T: DeserializeOwned>(cell: Cell) -> Option<T> {
    serde_json::from_str(&cell.text()?).ok()
}
