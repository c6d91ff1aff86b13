//! The APIs. Each path is an [`Operation`], said once for the answers and for the OpenAPI document.
//!
//! - `logs`: pages of requests, and one
//! - `export`, `csv`: all that a filter lets through, as it is read
//! - `stats`: what charts show
//! - `inflight`: what has not ended
//! - `shape`: records as JSON
//! - `openapi`, `schemas`: the document

mod csv;
mod export;
mod inflight;
mod logs;
mod openapi;
mod schemas;
mod shape;
mod stats;

pub(super) use inflight::{end, visible};
pub(super) use stats::{DEFAULT_RANGE, default_step};

use super::Asked;
use super::body::Body;
use super::parameters::{AFTER, BODIES, FILTER, LIMIT, Parameter, ROWS, STEP, TOP};
use super::problem::Problem;
use super::query::Query;
use bytes::Bytes;
use http::{Method, Request, Response};
use percent_encoding::percent_decode_str;

/// What one asks for by path and method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Logs,
    Log,
    Csv,
    Jsonl,
    Stats,
    Inflight,
    Cancel,
    OpenApi,
}

impl Operation {
    const ALL: [Self; 8] = [
        Self::Logs,
        Self::Log,
        Self::Csv,
        Self::Jsonl,
        Self::Stats,
        Self::Inflight,
        Self::Cancel,
        Self::OpenApi,
    ];

    /// The path, and the methods that it takes.
    const fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::Logs => ("/api/logs", READ),
            Self::Log => ("/api/logs/{id}", READ),
            Self::Csv => ("/api/logs.csv", READ),
            Self::Jsonl => ("/api/logs.jsonl", READ),
            Self::Stats => ("/api/stats", READ),
            Self::Inflight => ("/api/inflight", READ),
            Self::Cancel => ("/api/inflight/{id}", "DELETE"),
            Self::OpenApi => ("/api/openapi.json", READ),
        }
    }

    fn parameters(self) -> Vec<&'static Parameter> {
        let more: &[&Parameter] = match self {
            Self::Logs => &[&LIMIT, &AFTER],
            Self::Csv | Self::Jsonl => &[&ROWS, &BODIES],
            Self::Stats => &[&STEP, &TOP],
            Self::Log | Self::Inflight | Self::Cancel | Self::OpenApi => return Vec::new(),
        };
        [&FILTER, more].concat()
    }

    /// Which one a path leads to, and the id that stands in it.
    fn at(path: &str) -> Option<(Self, String)> {
        Self::ALL.into_iter().find_map(|operation| {
            let (pattern, _) = operation.path();
            match pattern.strip_suffix("{id}") {
                None => (path == pattern).then(|| (operation, String::new())),
                Some(start) => {
                    let id = path.strip_prefix(start)?;
                    let plain = !id.is_empty() && !id.contains('/');
                    plain.then(|| (operation, percent_decode_str(id).decode_utf8_lossy().into()))
                }
            }
        })
    }
}

const READ: &str = "GET, HEAD";

/// Answers what is asked under `/api/`.
pub(super) async fn answer(request: &Request<Bytes>, asked: &Asked<'_>) -> Response<Body> {
    let answered = operate(request, asked).await;
    answered.unwrap_or_else(Problem::reply)
}

async fn operate(request: &Request<Bytes>, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let uri = request.uri();
    let (operation, id) = Operation::at(uri.path()).ok_or_else(|| {
        Problem::not_found(
            "there is no such path; /api/openapi.json describes those that there are",
        )
    })?;
    let (_, allow) = operation.path();
    let method = match request.method() {
        &Method::HEAD => "GET",
        method => method.as_str(),
    };
    if !allow.split(", ").any(|allowed| allowed == method) {
        return Err(Problem::method(allow));
    }
    let query = Query::strict(uri, &operation.parameters())?;
    match operation {
        Operation::Logs => logs::list(&query, asked).await,
        Operation::Log => logs::one(&id, asked).await,
        Operation::Csv => export::csv(&query, asked).await,
        Operation::Jsonl => export::jsonl(&query, asked).await,
        Operation::Stats => stats::answer(&query, asked).await,
        Operation::Inflight => Ok(inflight::list(asked).await),
        Operation::Cancel => inflight::cancel(&id, asked).await,
        Operation::OpenApi => Ok(openapi::answer(asked.guarded)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_operation_and_its_id_is_decoded() {
        let at = |path| Operation::at(path);
        assert_eq!(at("/api/logs"), Some((Operation::Logs, String::new())));
        assert_eq!(at("/api/logs.csv"), Some((Operation::Csv, String::new())));
        assert_eq!(
            at("/api/logs/a%2Fb%FF"),
            Some((Operation::Log, "a/b\u{fffd}".into()))
        );
        for none in [
            "/api/logs/",
            "/api/logs/a/b",
            "/api/",
            "/api/logs.xml",
            "/api/inflight/",
        ] {
            assert_eq!(at(none), None, "{none}");
        }
    }
}
