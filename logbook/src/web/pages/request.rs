//! One request with all that is known of it.

use super::figures::{NONE, bytes, duration, maybe, money, number, time};
use super::frame::{self, Here, alert};
use super::requests::{model, status};
use super::{conversation, curl, in_path, talk, timeline};
use crate::record::{Attempt, Record, cut};
use crate::replay::REPLAY;
use crate::web::Asked;
use crate::web::body::Body;
use crate::web::problem::Problem;
use http::{Response, StatusCode};
use maud::{Markup, html};

/// The longest body that is shown, and the longest that is laid out, in bytes.
const LONGEST_SHOWN: usize = 256 << 10;

pub(super) async fn page(id: &str, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let found = asked.store.get(id, asked.viewer.namespaces()).await?;
    let Some(record) = found else {
        return Err(Problem::not_found(
            "no such request is on record, or not for you to see. A request is on record when it has ended, and until its time is over.",
        ));
    };
    let content = html! {
        nav aria-label="Back" { a href="/requests" { "Requests" } }
        h1 { "Request " code { (record.id) } }
        @if let Some(error) = &record.error { (alert(error)) }
        (facts(&record))
        section aria-labelledby="timeline" {
            h2 #timeline { "Timeline" }
            (timeline::draw(&record))
            (attempts(&record.attempts))
        }
        (talk::section(&record))
        (commands(&record))
        (raw(&record))
    };
    Ok(frame::page(
        StatusCode::OK,
        Here::Requests,
        "Request",
        asked.guarded,
        &content,
    ))
}

fn facts(record: &Record) -> Markup {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NONE.to_owned());
    let estimated = if record.tokens_estimated {
        " (estimated)"
    } else {
        ""
    };
    let facts: [(&str, Markup); 20] = [
        ("Status", status(record)),
        ("Finish reason", html! { (text(&record.finish_reason)) }),
        ("Started", time(record.started_at)),
        ("Ended", time(record.completed_at)),
        ("Duration", html! { (duration(record.duration_ms)) }),
        (
            "First token after",
            html! { (maybe(record.ttft_ms, duration)) },
        ),
        (
            "With backends",
            html! { (maybe(record.upstream_ms, duration)) },
        ),
        (
            "Route",
            html! { (record.namespace) "/" (text(&record.route)) },
        ),
        ("Proxy", html! { (record.proxy) }),
        ("User", html! { (text(&record.user_name)) }),
        ("Client", html! { (text(&record.client_address)) }),
        ("Asked", html! { (record.method) " " (record.path) }),
        (
            "Dialects",
            html! { (text(&record.client_dialect)) " → " (text(&record.upstream_dialect)) },
        ),
        ("Model", html! { (model(record)) }),
        (
            "Model that answered",
            html! { (text(&record.model_reported)) },
        ),
        (
            "Backend",
            html! { (text(&record.backend)) " " span.hint { (record.upstream_url.as_deref().unwrap_or_default()) } },
        ),
        (
            "Tokens read",
            html! { (maybe(record.prompt_tokens, number)) (estimated) @if let Some(cached) = record.cached_tokens { ", of them " (number(cached)) " cached" } },
        ),
        (
            "Tokens written",
            html! { (maybe(record.completion_tokens, number)) (estimated) @if let Some(thought) = record.reasoning_tokens { ", of them " (number(thought)) " reasoning" } },
        ),
        ("Cost", html! { (maybe(record.cost, money)) }),
        (
            "Bytes",
            html! { (bytes(record.request_bytes)) " in, " (bytes(record.response_bytes)) " out" @if record.stream { ", streamed" } },
        ),
    ];
    html! {
        dl.facts {
            @for (name, value) in &facts { div { dt { (name) } dd { (value) } } }
            @for (name, value) in record.attributes.iter().flatten() {
                div { dt { "Attribute " code { (name) } } dd { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) } }
            }
        }
    }
}

fn attempts(attempts: &[Attempt]) -> Markup {
    html! {
        @if attempts.is_empty() {
            p.empty { "No backend was asked." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Attempts" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Backend" }
                            th scope="col" { "Status" }
                            th.n scope="col" { "After" }
                            th.n scope="col" { "Took" }
                            th scope="col" { "URL" }
                            th scope="col" { "Error" }
                        }
                    }
                    tbody {
                        @for attempt in attempts {
                            tr {
                                th.name scope="row" { (attempt.backend) }
                                td { (attempt.status.map_or_else(|| "no reply".into(), |status| status.to_string())) }
                                td.n { (duration(attempt.started_ms)) }
                                td.n { (duration(attempt.duration_ms)) }
                                @if attempt.backend == REPLAY {
                                    td.name { "of " a href={ "/requests/" (in_path(&attempt.url)) } { (attempt.url) } }
                                } @else {
                                    td.name { (attempt.url) }
                                }
                                td.end { (attempt.error.as_deref().unwrap_or(NONE)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn commands(record: &Record) -> Markup {
    html! {
        section aria-labelledby="again" {
            h2 #again { "Ask again" }
            p.hint {
                "Set " code { "BASE_URL" } " to the proxy's, such as http://" (record.route.as_deref().unwrap_or("route")) "." (record.namespace) ".svc, and "
                code { "API_KEY" } " to a key of yours."
                @if cut_by_policy(record) { " The log's policy cut the body; fill in what is missing." }
            }
            (copied("ask", "As curl", &curl::ask_again(record)))
            @if record.replay_as.is_some() {
                (copied("replay", "With this too, the stored reply once more, for whoever got it", &curl::replay(record)))
            } @else {
                p.hint { "The reply cannot be replayed: the route did not replay, or it is not on record to the byte." }
            }
        }
    }
}

/// Whether less of the body is on record than was sent.
fn cut_by_policy(record: &Record) -> bool {
    let kept = record.request_body.as_ref().map_or(0, String::len);
    i64::try_from(kept).is_ok_and(|kept| kept < record.request_bytes)
}

fn copied(id: &str, name: &str, text: &str) -> Markup {
    html! {
        div.copied {
            h3 { (name) }
            // Shown by the script.
            button type="button" data-copy=(id) hidden { "Copy" }
            pre id=(id) tabindex="0" { (text) }
        }
    }
}

fn raw(record: &Record) -> Markup {
    html! {
        section aria-labelledby="raw" {
            h2 #raw { "As recorded" }
            p { a href={ "/api/logs/" (in_path(&record.id)) } { "All of it as JSON" } }
            details {
                summary { "Request headers (" (record.request_headers.len()) ")" }
                table.headers {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Value" } } }
                    tbody { @for (name, value) in &record.request_headers { tr { th.name scope="row" { (name) } td.name { (value) } } } }
                }
            }
            (body("Request body", record.request_body.as_deref()))
            (body("Reply's body", record.response_body.as_deref()))
            (body("Reply's text as delivered", record.response_content.as_deref()))
            (body("Tool calls", record.tool_calls.as_ref().map(conversation::pretty).as_deref()))
        }
    }
}

fn body(name: &str, text: Option<&str>) -> Markup {
    let Some(text) = text else {
        return html! { p.hint { (name) ": not on record." } };
    };
    let laid_out = (text.len() <= LONGEST_SHOWN)
        .then(|| {
            serde_json::from_str(text)
                .ok()
                .as_ref()
                .map(conversation::pretty)
        })
        .flatten();
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    html! {
        details {
            summary { (name) " (" (bytes(length)) ")" }
            pre tabindex="0" { (cut(laid_out.as_deref().unwrap_or(text), LONGEST_SHOWN)) }
            @if text.len() > LONGEST_SHOWN { p.hint { "Cut here; the JSON above has all of it." } }
        }
    }
}
