//! The log over HTTP: the APIs under `/api/`, and the dashboard. A handler that knows no server: requests in, replies out.
//!
//! - `viewer`: what of the log is somebody's to see
//! - `live`: requests that have not ended
//! - `entrance`: who may come in; tokens, sessions
//! - `query`, `parameters`, `time`: what is asked, as one reads it from a URL
//! - `api`: JSON, CSV, and the OpenAPI document that describes them
//! - `pages`: the dashboard
//! - `body`, `reply`, `problem`: replies

mod api;
mod body;
mod entrance;
mod live;
mod pages;
mod parameters;
mod problem;
mod query;
mod reply;
mod time;
mod viewer;

use crate::store::{Store, micros};
use bytes::Bytes;
use http::{Request, Response};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

pub use body::Body;
pub use entrance::{AdminToken, Attempts, Door, Entrance, Peer, Refusal};
pub use live::{Live, NoneLive, Running};
pub use viewer::Viewer;

/// The longest request body that any of it reads, in bytes: a sign-in. A server answers 413 to a longer one by itself.
pub const LONGEST_BODY: usize = 64 * 1024;

/// The APIs and the dashboard over one store.
pub struct Web {
    store: Store,
    live: Arc<dyn Live>,
    entrance: Entrance,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

/// What every answer is made from beside the request.
struct Asked<'a> {
    store: &'a Store,
    live: &'a dyn Live,
    viewer: &'a Viewer,
    /// Microseconds since the epoch.
    now: i64,
    /// Whether a token has to be brought, which the OpenAPI document says.
    guarded: bool,
}

impl Web {
    /// What answers from a store, tells of and cancels what runs, and lets in whom the entrance does.
    #[must_use]
    pub fn new(store: Store, live: Arc<dyn Live>, entrance: Entrance) -> Self {
        Self {
            store,
            live,
            entrance,
        }
    }

    /// Answers whoever it is: finds out who asks, shows the sign-in page, or refuses. `secure` says that the request came over TLS.
    pub async fn serve(&self, request: Request<Bytes>, secure: bool) -> Response<Body> {
        if let Some(asset) = pages::asset(&request) {
            return asset;
        }
        let now = Instant::now();
        let secure = secure || came_by_tls(&request);
        if let Some(reply) = pages::door(&request, &self.entrance, secure, now).await {
            return reply;
        }
        match self.entrance.enter(&request, now).await {
            Ok(viewer) => self.answer(request, &viewer).await,
            Err(denied) if is_api(&request) => denied.problem.reply(),
            Err(denied) => pages::denied(&denied, &request, self.entrance.guards()),
        }
    }

    /// Answers somebody of whom the caller knows what is theirs to see.
    pub async fn answer(&self, request: Request<Bytes>, viewer: &Viewer) -> Response<Body> {
        let asked = Asked {
            store: &self.store,
            live: &*self.live,
            viewer,
            now: micros(SystemTime::now()),
            guarded: self.entrance.guards(),
        };
        // Boxed, because what a server holds for each connection would be as large as the largest of them.
        if is_api(&request) {
            Box::pin(api::answer(&request, &asked)).await
        } else {
            Box::pin(pages::answer(&request, &asked)).await
        }
    }
}

fn is_api<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with("/api/")
}

/// Whether something before us took the TLS off. Whoever lies about it makes only their own cookie stricter.
fn came_by_tls<B>(request: &Request<B>) -> bool {
    let proto = request.headers().get("x-forwarded-proto");
    proto.is_some_and(|proto| proto == "https")
}
