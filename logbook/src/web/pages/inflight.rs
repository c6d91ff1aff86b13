//! What has not ended.

use super::figures::{NONE, bytes, duration, maybe, number, time};
use super::frame::{self, Here};
use super::in_path;
use crate::web::Asked;
use crate::web::api::{end, visible};
use crate::web::body::Body;
use crate::web::live::Running;
use crate::web::problem::Problem;
use crate::web::reply::reply;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use maud::{Markup, html};

const TITLE: &str = "In flight";
/// Rows at most: more is nothing to look through.
const MOST: usize = 200;

pub(super) async fn page(asked: &Asked<'_>) -> Response<Body> {
    let all = visible(asked).await;
    let content = html! {
        h1 { (TITLE) }
        p.live {
            // The script fetches this page again every two seconds, and replaces what is marked.
            button #pause type="button" aria-pressed="false" hidden { "Pause" }
            noscript { "Load the page again to see what changed." }
        }
        div #live data-refresh="2000" {
            p #count role="status" { (count(all.len())) }
            @if !all.is_empty() { (table(&all, asked.now)) }
        }
    };
    frame::page(
        StatusCode::OK,
        Here::Inflight,
        TITLE,
        asked.guarded,
        &content,
    )
}

fn count(all: usize) -> String {
    match all {
        0 => "Nothing is in flight.".into(),
        1 => "1 request is in flight.".into(),
        _ if all > MOST => format!("{all} requests are in flight; the {MOST} longest are shown."),
        _ => format!("{all} requests are in flight."),
    }
}

fn table(all: &[Running], now: i64) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Requests in flight, longest first" {
            table {
                thead {
                    tr {
                        th scope="col" { "Started" }
                        th scope="col" { "Route" }
                        th scope="col" { "User" }
                        th scope="col" { "Model" }
                        th scope="col" { "Backend" }
                        th.n scope="col" { "For" }
                        th.n scope="col" { "First token" }
                        th.n scope="col" { abbr title="Tokens written so far" { "Out" } }
                        th.n scope="col" { "Tokens/s" }
                        th.n scope="col" { "Bytes" }
                        th scope="col" { span.unseen { "Cancel" } }
                    }
                }
                tbody { @for running in all.iter().take(MOST) { (row(running, now)) } }
            }
        }
    }
}

fn row(running: &Running, now: i64) -> Markup {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
    let rate = running.tokens_per_second(now);
    html! {
        tr {
            th scope="row" { (time(running.started_at)) }
            td.name { (running.namespace) "/" (text(&running.route)) }
            td.name { (text(&running.user_name)) }
            td.name { (text(&running.model_requested)) }
            td.name { (text(&running.backend)) }
            td.n { (duration(running.duration_ms(now))) }
            td.n { @match running.ttft_ms { Some(ms) => (duration(ms)), None => "waiting" } }
            td.n { (number(running.completion_tokens)) }
            td.n { (maybe(rate, |rate| format!("{rate:.1}"))) }
            td.n { (bytes(running.response_bytes)) }
            td {
                form method="post" action={ "/inflight/" (in_path(&running.id)) "/cancel" } {
                    button.danger id={ "cancel-" (in_path(&running.id)) } aria-label={ "Cancel the request to " (text(&running.model_requested)) " of " (text(&running.user_name)) } { "Cancel" }
                }
            }
        }
    }
}

pub(super) async fn cancel(id: &str, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    if !end(id, asked).await {
        return Err(Problem::not_found(
            "this request is not in flight any more, or not for you to see",
        ));
    }
    tracing::info!(kind = "request_cancelled", request_id = %id, "a request was cancelled from the dashboard");
    let mut reply = reply(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    let to = HeaderValue::from_static("/inflight");
    reply.headers_mut().insert(LOCATION, to);
    Ok(reply)
}
