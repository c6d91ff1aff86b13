//! `/api/logs.csv` and `/api/logs.jsonl`: all that a filter lets through, read page by page as it is sent, so that neither side holds it.

use super::{csv, shape};
use crate::fault::Fault;
use crate::query::{Columns, Filter, Page};
use crate::record::Record;
use crate::store::Store;
use crate::web::Asked;
use crate::web::body::Body;
use crate::web::parameters::{BODIES, ROWS};
use crate::web::problem::Problem;
use crate::web::query::Query;
use crate::web::reply::{CSV, JSONL, reply};
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

/// Rows that are read at once.
const ROWS_AT_ONCE: u32 = 500;
/// Rows that are read at once with all that they hold, which may be megabytes each.
const WHOLE_ROWS_AT_ONCE: u32 = 16;

#[derive(Debug, Clone, Copy)]
enum Format {
    Csv,
    Jsonl,
}

pub(super) async fn csv(query: &Query, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    export(query, asked, Format::Csv).await
}

pub(super) async fn jsonl(query: &Query, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    export(query, asked, Format::Jsonl).await
}

async fn export(
    query: &Query,
    asked: &Asked<'_>,
    format: Format,
) -> Result<Response<Body>, Problem> {
    let mut export = Export {
        store: asked.store.clone(),
        filter: query.filter(asked)?,
        large: query.flag(&BODIES)?,
        left: query.int(&ROWS)?.unwrap_or(i64::MAX),
        format,
        after: None,
        done: false,
    };
    // What cannot be answered at all is told by the status.
    let first = export.read().await?;
    let head = match format {
        Format::Csv => csv::header(export.large),
        Format::Jsonl => String::new(),
    };
    let first = Bytes::from(head + &first);
    let rest = stream::try_unfold(export, |mut export| async move {
        if export.done {
            return Ok(None);
        }
        let text = export.read().await?;
        Ok::<_, Fault>(Some((Bytes::from(text), export)))
    });
    let body = Body::stream(stream::StreamExt::chain(stream::iter([Ok(first)]), rest));
    let (kind, name) = match format {
        Format::Csv => (CSV, "attachment; filename=\"requests.csv\""),
        Format::Jsonl => (JSONL, "attachment; filename=\"requests.jsonl\""),
    };
    let mut reply = reply(StatusCode::OK, kind, body);
    reply
        .headers_mut()
        .insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(reply)
}

struct Export {
    store: Store,
    filter: Filter,
    large: bool,
    /// Rows that may still be written.
    left: i64,
    format: Format,
    after: Option<String>,
    done: bool,
}

impl Export {
    /// The next page, written.
    async fn read(&mut self) -> Result<String, Fault> {
        let (columns, at_once) = if self.large {
            (Columns::All, WHOLE_ROWS_AT_ONCE)
        } else {
            (Columns::Small, ROWS_AT_ONCE)
        };
        let limit = u32::try_from(self.left).map_or(at_once, |left| left.min(at_once));
        let after = self.after.as_deref();
        let Page { records, next, .. } =
            self.store.page(&self.filter, columns, limit, after).await?;
        self.left -= i64::try_from(records.len()).unwrap_or(i64::MAX);
        self.done = next.is_none() || self.left <= 0;
        self.after = next;
        Ok(records.iter().map(|record| self.line(record)).collect())
    }

    fn line(&self, record: &Record) -> String {
        let entry = shape::entry(record, self.large);
        match self.format {
            Format::Csv => csv::line(&entry, self.large),
            Format::Jsonl => format!("{}\n", Value::Object(entry)),
        }
    }
}
