//! What Ollama's clients ask besides conversations, vectors and lists: what a model is, and to change which models there are.
//!
//! Source: [Ollama's API reference](https://docs.ollama.com/api).

use dragoman_dialects::models::ollama;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::content::refuse_encoded;
use super::dispatch::Asked;
use super::error::{Refusal, bounded};
use super::{call, listings, methods, models, relay, tags};
use crate::state::listing::LATEST;

/// Answers `POST /api/show` from the list.
///
/// # Errors
/// 400 for a body that names no model, 404 for one that is not listed.
pub(crate) async fn show(asked: &Asked, body: Incoming) -> Result<Response<Body>, Refusal> {
    call::names(asked.route())?;
    refuse_encoded(&asked.headers())?;
    let body = asked.whole(body).await?;
    let Some(name) = ollama::asked(&body) else {
        let message = "The request's body has no \"model\", or it is not a string.";
        return Err(Refusal {
            param: Some("model".into()),
            ..Refusal::client(StatusCode::BAD_REQUEST, "missing_model", message)
        });
    };
    // Its own command asks for names as people type them, without a tag; others ask for what was listed for them, with one.
    let untagged = name.strip_suffix(LATEST).unwrap_or(&name);
    let entry = models::find(asked, &[&name, &tags::tagged(&name), untagged]).await?;
    Ok(listings::json(&ollama::show(&listings::form(entry))))
}

/// Answers what changes which models an Ollama server has: its owner's to do, unless a backend of the route takes it.
///
/// # Errors
/// 403 where none does; 404 for a model that the route's clients may not name.
pub(crate) async fn manage(asked: &Asked, body: Incoming) -> Result<Response<Body>, Refusal> {
    // Who may make a copy of a model under another name is bound by no policy of models.
    if asked.judges_bodies() && !methods::lists(asked.route(), &asked.method, &asked.path) {
        return Err(forbidden(asked));
    }
    let relayed = relay::answer(asked, body).await;
    relayed.map_err(|refusal| match refusal.code {
        relay::NOT_RELAYED => forbidden(asked),
        _ => refusal,
    })
}

/// The refusal of what changes which models a server has.
pub(crate) fn forbidden(asked: &Asked) -> Refusal {
    let message = format!(
        "{method} {} changes which models a server has, which clients of LLMRoute {} may not. Do it at the server itself, with its own `ollama` command; or have spec.relay of its LLMBackend list {method} {}.",
        asked.shown_path(),
        asked.route().key,
        bounded(&asked.path, 256),
        method = asked.method,
    );
    Refusal::client(StatusCode::FORBIDDEN, relay::NOT_RELAYED, message)
}
