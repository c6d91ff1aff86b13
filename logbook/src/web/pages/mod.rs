//! The dashboard: pages that the server draws, with one stylesheet and a little script of our own. Every page does without the script.
//!
//! - `overview`: figures over time; `chart` draws them
//! - `requests`: the list; `filters` is the form above it
//! - `request`: one request; `conversation` reads bodies, `talk` shows them, `timeline` draws, `curl` says how to ask again
//! - `inflight`: what has not ended
//! - `signin`: where a token is given
//! - `frame`, `figures`, `assets`: what all of them share

mod assets;
mod chart;
mod conversation;
mod curl;
mod figures;
mod filters;
mod frame;
mod inflight;
mod overview;
mod request;
mod requests;
mod signin;
mod talk;
mod timeline;

use super::Asked;
use super::body::Body;
use super::problem::Problem;
use bytes::Bytes;
use http::{Method, Request, Response};
use percent_encoding::percent_decode_str;

pub(super) use assets::answer as asset;
pub(super) use signin::{denied, door};

/// Answers what is no API.
pub(super) async fn answer(request: &Request<Bytes>, asked: &Asked<'_>) -> Response<Body> {
    let answered = show(request, asked).await;
    answered.unwrap_or_else(|problem| frame::problem(&problem, asked.guarded))
}

async fn show(request: &Request<Bytes>, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let (method, uri) = (request.method(), request.uri());
    let path = uri.path();
    if let Some(id) = path
        .strip_prefix("/inflight/")
        .and_then(|rest| rest.strip_suffix("/cancel"))
    {
        if method != Method::POST {
            return Err(Problem::method("POST"));
        }
        return inflight::cancel(&decoded(id), asked).await;
    }
    let page = match path {
        "/" | "/requests" | "/inflight" => path,
        _ if path.starts_with("/requests/") => path,
        _ => return Err(Problem::not_found("there is no such page")),
    };
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::method("GET, HEAD"));
    }
    match page {
        "/" => Ok(overview::page(uri, asked).await),
        "/requests" => Ok(requests::page(uri, asked).await),
        "/inflight" => Ok(inflight::page(asked).await),
        _ => request::page(&decoded(&path["/requests/".len()..]), asked).await,
    }
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into()
}

/// Text as it may stand within a path.
fn in_path(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
