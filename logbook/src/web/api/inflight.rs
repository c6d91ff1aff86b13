//! `/api/inflight`: what has not ended, and ending it.

use super::shape::running;
use crate::web::Asked;
use crate::web::body::Body;
use crate::web::live::Running;
use crate::web::problem::Problem;
use crate::web::reply::json;
use http::Response;
use serde_json::json;

/// What runs and is theirs to see, longest first.
pub(crate) async fn visible(asked: &Asked<'_>) -> Vec<Running> {
    let mut all = asked.live.list().await;
    all.retain(|running| asked.viewer.sees(&running.namespace));
    all.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    all
}

/// Ends one that is theirs to see, and says whether it was there.
pub(crate) async fn end(id: &str, asked: &Asked<'_>) -> bool {
    let theirs = visible(asked).await.iter().any(|running| running.id == id);
    theirs && asked.live.cancel(id).await
}

pub(super) async fn list(asked: &Asked<'_>) -> Response<Body> {
    let all = visible(asked).await;
    let all: Vec<_> = all.iter().map(|one| running(one, asked.now)).collect();
    json(&json!({ "inflight": all }))
}

pub(super) async fn cancel(id: &str, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    if end(id, asked).await {
        tracing::info!(kind = "request_cancelled", request_id = %id, "a request was cancelled through the API");
        return Ok(json(&json!({ "cancelled": id })));
    }
    Err(Problem::not_found(
        "no such request is in flight, or not for you to see; it may have ended",
    ))
}
