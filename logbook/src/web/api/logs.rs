//! `/api/logs` and `/api/logs/{id}`.

use super::shape::entry;
use crate::query::{Columns, Page};
use crate::web::Asked;
use crate::web::body::Body;
use crate::web::parameters::LIMIT;
use crate::web::problem::Problem;
use crate::web::query::{Query, encode_cursor};
use crate::web::reply::json;
use crate::web::time::rfc3339;
use http::Response;
use serde_json::{Value, json};

const DEFAULT_LIMIT: i64 = 50;

pub(super) async fn list(query: &Query, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let filter = query.filter(asked)?;
    let limit = query.int(&LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let after = query.cursor()?;
    let Page {
        records,
        next,
        searched,
    } = asked
        .store
        .page(&filter, Columns::Small, limit, after.as_deref())
        .await?;
    let logs: Vec<_> = records
        .iter()
        .map(|record| Value::Object(entry(record, false)))
        .collect();
    let next = next.map(|next| encode_cursor(&next));
    Ok(json(
        &json!({"logs": logs, "next": next, "searched_from": searched.map(rfc3339)}),
    ))
}

pub(super) async fn one(id: &str, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let found = asked.store.get(id, asked.viewer.namespaces()).await?;
    let record = found.ok_or_else(|| {
        Problem::not_found(
            "no such request is on record, or not for you to see; it is written when it has ended",
        )
    })?;
    Ok(json(&Value::Object(entry(&record, true))))
}
