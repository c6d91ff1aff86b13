//! The list of requests, newest first.

use super::figures::{NONE, duration, maybe, money, number, time};
use super::filters;
use super::frame::{self, Here};
use super::in_path;
use crate::query::{Columns, Page};
use crate::record::{Record, cut};
use crate::web::Asked;
use crate::web::body::Body;
use crate::web::parameters::{AFTER, FROM, TEXT};
use crate::web::problem::Problem;
use crate::web::query::{Query, encode_cursor};
use http::{Response, Uri};
use maud::{Markup, html};

const TITLE: &str = "Requests";
const ROWS: u32 = 50;
/// The longest error that stands in a list, in bytes.
const LONGEST_ERROR: usize = 200;

pub(super) async fn page(uri: &Uri, asked: &Asked<'_>) -> Response<Body> {
    let query = Query::lenient(uri);
    let content = content(&query, asked).await;
    // With the form, so that one can ask for something else.
    let form = |problem: &Problem| filters::form("/requests", &query, None, Some(problem));
    frame::shown(content, Here::Requests, TITLE, asked.guarded, form)
}

async fn content(query: &Query, asked: &Asked<'_>) -> Result<Markup, Problem> {
    let (filter, after) = (query.filter(asked)?, query.cursor()?);
    let Page {
        records,
        next,
        searched,
    } = asked
        .store
        .page(&filter, Columns::Small, ROWS, after.as_deref())
        .await?;
    Ok(html! {
        (filters::form("/requests", query, None, None))
        @if query.one(&TEXT).is_some() && query.one(&FROM).is_none() {
            p.hint { "A text is looked for in every request of a time: here, of the last day. Say another under From." }
        }
        @if let Some(searched) = searched {
            p.hint { "Looked through what started since " (time(searched)) "; " b { "Older" } " goes on there." }
        } @else if records.is_empty() {
            p.empty { "No request matches. One is on record when it has ended; " a href="/inflight" { "what runs" } " has a page of its own." }
        }
        @if !records.is_empty() {
            (table(&records))
        }
        (pager(query, next.as_deref(), &records))
    })
}

fn table(records: &[Record]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Requests, newest first" {
            table.requests {
                thead {
                    tr {
                        th scope="col" { "Started" }
                        th scope="col" { "Status" }
                        th scope="col" { "Route" }
                        th scope="col" { "User" }
                        th scope="col" { "Model" }
                        th.n scope="col" { "Duration" }
                        th.n scope="col" { "First token" }
                        th.n scope="col" { abbr title="Tokens read" { "In" } }
                        th.n scope="col" { abbr title="Tokens written" { "Out" } }
                        th.n scope="col" { "Cost" }
                        th scope="col" { "Ended" }
                    }
                }
                tbody { @for record in records { (row(record)) } }
            }
        }
    }
}

fn row(record: &Record) -> Markup {
    let estimated = if record.tokens_estimated { "~" } else { "" };
    let tokens = |count| format!("{estimated}{}", number(count));
    html! {
        tr.failed[record.failed()] {
            th scope="row" { a href={ "/requests/" (in_path(&record.id)) } { (time(record.started_at)) } }
            td { (status(record)) }
            td.name { (record.namespace) "/" (record.route.as_deref().unwrap_or(NONE)) }
            td.name { (record.user_name.as_deref().unwrap_or(NONE)) }
            td.name { (model(record)) }
            td.n { (duration(record.duration_ms)) }
            td.n { (maybe(record.ttft_ms, duration)) }
            td.n { (maybe(record.prompt_tokens, tokens)) }
            td.n { (maybe(record.completion_tokens, tokens)) }
            td.n { (maybe(record.cost, money)) }
            td.end { @match (&record.error, &record.finish_reason) {
                (Some(error), _) => (cut(error, LONGEST_ERROR)),
                (None, Some(reason)) => (reason),
                (None, None) => (NONE),
            } }
        }
    }
}

/// The status in words and colour.
pub(super) fn status(record: &Record) -> Markup {
    let (text, class) = match record.status {
        Some(status) if record.failed() => (status.to_string(), "status bad"),
        Some(status) => (status.to_string(), "status good"),
        None => ("no reply".to_owned(), "status bad"),
    };
    html! {
        span class=(class) {
            (text)
            @if record.failed() && record.status.is_some_and(|status| status < 400) { " failed" }
        }
    }
}

/// What was asked for, and what was asked instead.
pub(super) fn model(record: &Record) -> Markup {
    let requested = record.model_requested.as_deref();
    let sent = record
        .model_sent
        .as_deref()
        .filter(|sent| Some(*sent) != requested);
    html! {
        (requested.unwrap_or(NONE))
        @if let Some(sent) = sent { " " span.sent { span aria-hidden="true" { "→ " } span.unseen { "sent as " } (sent) } }
    }
}

fn pager(query: &Query, next: Option<&str>, records: &[Record]) -> Markup {
    let narrowed = query.narrowed(&[]);
    let next = next.map(|next| query.narrowed(&[("after", Some(&encode_cursor(next)))]));
    html! {
        nav.pager aria-label="Pages" {
            @if query.one(&AFTER).is_some() { a href={ "/requests?" (narrowed) } rel="first" { "Newest" } }
            @if let Some(next) = next { a href={ "/requests?" (next) } rel="next" { "Older" } }
            @if !records.is_empty() {
                span.exports {
                    "All that match: "
                    a href={ "/api/logs.csv?" (narrowed) } download { "CSV" } " "
                    a href={ "/api/logs.jsonl?" (narrowed) } download { "JSON lines" } " "
                    a href={ "/?" (narrowed) } { "figures" }
                }
            }
        }
    }
}
