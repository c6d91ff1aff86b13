//! The first page: how it goes.

use super::chart::{self, Chart, Series, Shape, Unit};
use super::figures::{duration, maybe, money, number, time};
use super::filters;
use super::frame::{self, Here};
use crate::query::{Figures, Point, Top};
use crate::web::Asked;
use crate::web::api::{DEFAULT_RANGE, default_step};
use crate::web::body::Body;
use crate::web::problem::Problem;
use crate::web::query::Query;
use http::{Response, Uri};
use maud::{Markup, html};
use std::collections::HashMap;
use std::time::Duration;

const TITLE: &str = "Overview";
/// The time that is shown where none is asked for, as a filter says it.
const USUAL: &str = "24h";
/// Lines of each list.
const TOP: u32 = 10;

pub(super) async fn page(uri: &Uri, asked: &Asked<'_>) -> Response<Body> {
    let query = Query::lenient(uri);
    let content = content(&query, asked).await;
    // With the form, so that one can ask for something else.
    let form = |problem: &Problem| filters::form("/", &query, Some(USUAL), Some(problem));
    frame::shown(content, Here::Overview, TITLE, asked.guarded, form)
}

async fn content(query: &Query, asked: &Asked<'_>) -> Result<Markup, Problem> {
    let mut filter = query.filter(asked)?;
    let until = *filter.until.get_or_insert(asked.now);
    let from = *filter.from.get_or_insert(until - DEFAULT_RANGE);
    let step = default_step(from, until);
    let each = Duration::from_micros(step.unsigned_abs());
    let found = asked.store.overview(&filter, each, TOP).await?;
    let steps = steps(from, until, step);
    let charts = charts(&found.series, &steps, step);
    Ok(html! {
        (filters::form("/", query, Some(USUAL), None))
        @if let Some(since) = found.since {
            p.hint { "Looked through what started since " (time(since)) ": figures are of that alone. Filter more, or ask for a shorter time." }
        }
        (tiles(&found.totals))
        @if found.totals.requests == 0 {
            p.empty { "No request was recorded in this time. " @if query.narrowed(&[]).is_empty() { "Look further back, or send one." } @else { "Look further back, or filter less." } }
        } @else {
            section aria-label="Over time" {
                div.charts { @for chart in &charts { (chart.draw()) } }
                (chart::table(&charts, &steps))
            }
            (list("By model", "Model", &found.models, query, |name| vec![("model", name)]))
            (list("By route", "Route", &found.routes, query, route))
            (list("By user", "User", &found.users, query, |name| vec![("user", name)]))
        }
    })
}

/// The beginning of each step, those in which nothing happened too.
fn steps(from: i64, until: i64, step: i64) -> Vec<i64> {
    let first = from.div_euclid(step) * step;
    let mut steps = Vec::new();
    let mut at = first;
    while at < until {
        steps.push(at);
        at += step;
    }
    steps
}

fn charts<'a>(points: &[Point], steps: &'a [i64], step: i64) -> Vec<Chart<'a>> {
    let by_time: HashMap<i64, &Figures> = points
        .iter()
        .map(|point| (point.at, &point.figures))
        .collect();
    let series = |name, class, value: fn(&Figures) -> Option<i64>| Series {
        name,
        class,
        values: steps
            .iter()
            .map(|at| by_time.get(at).and_then(|figures| value(figures)))
            .collect(),
    };
    let chart = |title, unit, shape, series| Chart {
        title,
        unit,
        shape,
        series,
        steps,
        step,
    };
    vec![
        chart(
            "Requests",
            Unit::Count,
            Shape::Bars,
            vec![
                series("succeeded", "s1", |f| Some(f.requests - f.errors)),
                series("failed", "bad", |f| Some(f.errors)),
            ],
        ),
        chart(
            "Duration",
            Unit::Milliseconds,
            Shape::Lines,
            vec![
                series("p50", "s1", |f| f.duration_ms.p50),
                series("p95", "s2", |f| f.duration_ms.p95),
                series("p99", "s3", |f| f.duration_ms.p99),
            ],
        ),
        chart(
            "Time to first token",
            Unit::Milliseconds,
            Shape::Lines,
            vec![
                series("p50", "s1", |f| f.ttft_ms.p50),
                series("p95", "s2", |f| f.ttft_ms.p95),
                series("p99", "s3", |f| f.ttft_ms.p99),
            ],
        ),
        chart(
            "Tokens",
            Unit::Count,
            Shape::Bars,
            vec![
                series("read", "s1", |f| Some(f.prompt_tokens)),
                series("written", "s2", |f| Some(f.completion_tokens)),
            ],
        ),
        chart(
            "Cost",
            Unit::Money,
            Shape::Bars,
            vec![series("cost", "s1", |f| Some(f.cost))],
        ),
    ]
}

fn tiles(totals: &Figures) -> Markup {
    let share = (totals.errors * 1000)
        .checked_div(totals.requests)
        .unwrap_or_default();
    let tile = |name: &str, value: String, more: String| {
        html! { div.tile { dt { (name) } dd { (value) @if !more.is_empty() { " " small { (more) } } } } }
    };
    let times = |p50: Option<i64>, p95: Option<i64>| {
        (
            maybe(p50, duration),
            format!("p95 {}", maybe(p95, duration)),
        )
    };
    let (half, most) = times(totals.duration_ms.p50, totals.duration_ms.p95);
    let (first, first_most) = times(totals.ttft_ms.p50, totals.ttft_ms.p95);
    html! {
        dl.tiles aria-label="In all" {
            (tile("Requests", number(totals.requests), String::new()))
            (tile("Failed", number(totals.errors), format!("{}.{} %", share / 10, share % 10)))
            (tile("Duration", half, most))
            (tile("First token", first, first_most))
            (tile("Tokens read", number(totals.prompt_tokens), String::new()))
            (tile("Tokens written", number(totals.completion_tokens), String::new()))
            (tile("Cost", money(totals.cost), String::new()))
        }
    }
}

/// A route of a list is named `namespace/name`; filters take the two apart.
fn route(name: &str) -> Vec<(&'static str, &str)> {
    let (namespace, route) = name.split_once('/').unwrap_or(("", name));
    vec![("namespace", namespace), ("route", route)]
}

fn list<'a>(
    title: &str,
    what: &str,
    top: &'a [Top],
    query: &Query,
    filter: impl Fn(&'a str) -> Vec<(&'static str, &'a str)>,
) -> Markup {
    let link = |name| {
        let mut set = vec![("from", Some(query.named("from").unwrap_or(USUAL)))];
        set.extend(
            filter(name)
                .into_iter()
                .map(|(name, value)| (name, Some(value))),
        );
        format!("/requests?{}", query.narrowed(&set))
    };
    html! {
        section {
            h2 { (title) }
            @if top.is_empty() {
                p.empty { "None." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (what) }
                                @for name in ["Requests", "Failed", "p50", "p95", "First token p95", "Tokens read", "Tokens written", "Cost"] {
                                    th.n scope="col" { (name) }
                                }
                            }
                        }
                        tbody {
                            @for Top { name, figures } in top {
                                tr {
                                    th.name scope="row" { a href=(link(name.as_str())) { (name) } }
                                    td.n { (number(figures.requests)) }
                                    td.n.bad[figures.errors > 0] { (number(figures.errors)) }
                                    td.n { (maybe(figures.duration_ms.p50, duration)) }
                                    td.n { (maybe(figures.duration_ms.p95, duration)) }
                                    td.n { (maybe(figures.ttft_ms.p95, duration)) }
                                    td.n { (number(figures.prompt_tokens)) }
                                    td.n { (number(figures.completion_tokens)) }
                                    td.n { (money(figures.cost)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_the_time_and_begin_where_the_store_does() {
        assert_eq!(steps(65, 125, 60), [60, 120]);
        assert_eq!(steps(60, 120, 60), [60]);
        assert_eq!(steps(-5, 60, 60), [-60, 0]);
        assert!(steps(60, 60, 60).is_empty());
    }
}
