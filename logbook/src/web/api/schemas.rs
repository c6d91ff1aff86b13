//! The schemas of the OpenAPI document: what answers look like.

use crate::store::{COLUMNS, Kind, LARGE};
use serde_json::{Map, Value, json};

/// All of them by name.
pub(super) fn all() -> Value {
    json!({
        "Error": object(&["error"], json!({
            "error": object(&["code", "message"], json!({
                "code": {"type": "string", "description": "One word for programs."},
                "message": {"type": "string", "description": "What is wrong, and what to do instead."},
                "parameter": {"type": "string", "description": "The parameter that is at fault."}
            }))
        })),
        "Page": object(&["logs", "next", "searched_from"], json!({
            "logs": {"type": "array", "items": log(false)},
            "next": {"type": ["string", "null"], "description": "What to give as `after` for the next page; null on the last."},
            "searched_from": {
                "type": ["string", "null"], "format": "date-time",
                "description": "How far back `text` was looked for, where the time for that was over: the page may be short or empty, and `next` goes on there."
            }
        })),
        "Log": log(true),
        "Attempt": object(&["backend", "url", "status", "error", "started_ms", "duration_ms"], json!({
            "backend": text(), "url": text(), "status": nullable("integer"), "error": nullable("string"),
            "started_ms": {"type": "integer", "description": "Milliseconds after the request's start."},
            "duration_ms": int()
        })),
        "Decimal": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,6})?$", "description": "Money, in the unit of the catalog's prices."},
        "Percentiles": object(&["p50", "p95", "p99"], json!({
            "p50": nullable("integer"), "p95": nullable("integer"), "p99": nullable("integer")
        })),
        "Stats": stats(),
        "Inflight": object(&["inflight"], json!({"inflight": {"type": "array", "items": {"$ref": "#/components/schemas/Running"}}})),
        "Running": running(),
        "Cancelled": object(&["cancelled"], json!({"cancelled": {"type": "string", "description": "The request's id."}})),
        "Text": text(),
        "OpenApi": {"type": "object", "required": ["openapi"], "properties": {"openapi": {"const": "3.1.0"}}}
    })
}

/// An object of exactly these members.
fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn int() -> Value {
    json!({"type": "integer"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn decimal() -> Value {
    json!({"$ref": "#/components/schemas/Decimal"})
}

/// A record: the columns of the table `requests`.
fn log(large: bool) -> Value {
    const NEVER_NULL: [&str; 14] = [
        "id",
        "started_at",
        "completed_at",
        "proxy",
        "namespace",
        "method",
        "path",
        "stream",
        "tokens_estimated",
        "attempts",
        "request_bytes",
        "response_bytes",
        "duration_ms",
        "failed",
    ];
    let mut properties = Map::new();
    for (name, kind) in COLUMNS {
        if !large && LARGE.contains(&name) {
            continue;
        }
        let schema = match (name, kind) {
            ("attempts", _) => {
                json!({"type": "array", "items": {"$ref": "#/components/schemas/Attempt"}})
            }
            ("request_headers", _) => json!({
                "type": "array", "description": "Names and values, secrets masked.",
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
            }),
            ("attributes", _) => nullable("object"),
            (_, Kind::Json) => json!({}),
            (_, Kind::Time) => time(),
            (_, Kind::Money) => json!({"anyOf": [decimal(), {"type": "null"}]}),
            (_, Kind::Bool) => json!({"type": "boolean"}),
            (_, Kind::Int) if NEVER_NULL.contains(&name) => int(),
            (_, Kind::Int) => nullable("integer"),
            (_, Kind::Text) if NEVER_NULL.contains(&name) => text(),
            (_, Kind::Text) => nullable("string"),
        };
        properties.insert(name.to_owned(), schema);
    }
    let names: Vec<_> = properties.keys().cloned().collect();
    let required: Vec<_> = names.iter().map(String::as_str).collect();
    object(&required, Value::Object(properties))
}

/// Figures with one more member in front.
fn figures(first: &str, schema: Value) -> Value {
    let mut properties = json!({
        "requests": int(), "errors": int(), "prompt_tokens": int(), "completion_tokens": int(), "cost": decimal(),
        "duration_ms": {"$ref": "#/components/schemas/Percentiles"},
        "ttft_ms": {"$ref": "#/components/schemas/Percentiles"}
    });
    if !first.is_empty() {
        properties[first] = schema;
    }
    let names: Vec<_> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let required: Vec<_> = names.iter().map(String::as_str).collect();
    object(&required, properties)
}

fn stats() -> Value {
    let list = json!({"type": "array", "items": figures("name", text()), "description": "Those with the most requests, most first."});
    object(
        &[
            "from",
            "until",
            "searched_from",
            "step_seconds",
            "totals",
            "series",
            "by_model",
            "by_route",
            "by_user",
        ],
        json!({
            "from": time(),
            "until": time(),
            "searched_from": {
                "type": ["string", "null"], "format": "date-time",
                "description": "How far back `text` was looked for, where the time for that was over: the figures are of what started since then."
            },
            "step_seconds": {"type": "integer", "description": "The time between two points."},
            "totals": figures("", Value::Null),
            "series": {"type": "array", "items": figures("at", time()), "description": "A point for each step in which something started."},
            "by_model": list,
            "by_route": list,
            "by_user": list
        }),
    )
}

fn running() -> Value {
    let properties = json!({
        "id": text(), "started_at": time(), "proxy": text(), "route": nullable("string"), "namespace": text(),
        "client_address": nullable("string"), "user_name": nullable("string"), "method": text(), "path": text(),
        "client_dialect": nullable("string"), "backend": nullable("string"), "model_requested": nullable("string"),
        "model_sent": nullable("string"), "stream": {"type": "boolean"},
        "ttft_ms": {"type": ["integer", "null"], "description": "Null before the first content was sent."},
        "completion_tokens": {"type": "integer", "description": "So far; an estimate."},
        "response_bytes": int(), "duration_ms": int(),
        "tokens_per_second": {"type": ["number", "null"]}
    });
    let names: Vec<_> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let required: Vec<_> = names.iter().map(String::as_str).collect();
    object(&required, properties)
}
