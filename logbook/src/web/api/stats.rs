//! `/api/stats`: figures over time, in all, and by model, route and user.

use super::shape::{figures, named};
use crate::query::{Filter, Top};
use crate::web::Asked;
use crate::web::body::Body;
use crate::web::parameters::{STEP, TOP};
use crate::web::problem::Problem;
use crate::web::query::Query;
use crate::web::reply::json;
use crate::web::time::rfc3339;
use http::Response;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: i64 = 1_000_000;
/// The time that is looked at where none is asked for.
pub(crate) const DEFAULT_RANGE: i64 = 86_400 * SECOND;
const DEFAULT_TOP: i64 = 10;
/// About how many points a series has where no step is asked for, and how many it has at most.
const POINTS: i64 = 60;
const MOST_POINTS: i64 = 1999;
/// Steps that people reckon in, in seconds.
const STEPS: [i64; 14] = [
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800,
];

pub(super) async fn answer(query: &Query, asked: &Asked<'_>) -> Result<Response<Body>, Problem> {
    let mut filter = query.filter(asked)?;
    let until = *filter.until.get_or_insert(asked.now);
    let from = *filter.from.get_or_insert(until - DEFAULT_RANGE);
    let step = match query.span(&STEP)? {
        Some(step) => step.max(least_step(from, until)),
        None => default_step(from, until),
    };
    let top = query.int(&TOP)?.unwrap_or(DEFAULT_TOP);
    let top = u32::try_from(top).unwrap_or(u32::MAX);
    let each = Duration::from_micros(step.unsigned_abs());
    let found = asked.store.overview(&filter, each, top).await?;
    let points: Vec<_> = found
        .series
        .iter()
        .map(|point| named("at", rfc3339(point.at), figures(&point.figures)))
        .collect();
    let Filter { from, until, .. } = filter;
    Ok(json(&json!({
        "from": from.map(rfc3339),
        "until": until.map(rfc3339),
        "searched_from": found.since.map(rfc3339),
        "step_seconds": step / SECOND,
        "totals": figures(&found.totals),
        "series": points,
        "by_model": list(found.models),
        "by_route": list(found.routes),
        "by_user": list(found.users),
    })))
}

fn list(top: Vec<Top>) -> Vec<Value> {
    top.into_iter()
        .map(|line| named("name", line.name, figures(&line.figures)))
        .collect()
}

/// The shortest step that a series of this time may have: whole seconds.
fn least_step(from: i64, until: i64) -> i64 {
    (until.saturating_sub(from).max(0) / SECOND / MOST_POINTS + 1) * SECOND
}

/// A step that gives some sixty points.
pub(crate) fn default_step(from: i64, until: i64) -> i64 {
    let wanted = until.saturating_sub(from).max(0) / SECOND / POINTS;
    let step = STEPS.into_iter().find(|step| *step >= wanted);
    step.unwrap_or(wanted) * SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_gives_a_series_that_a_chart_can_show() {
        for range in [0, 1, 60, 3600, 86_400, 31_536_000, 300_000_000_000] {
            let (from, until) = (-range * SECOND / 2, range * SECOND / 2);
            let (least, usual) = (least_step(from, until), default_step(from, until));
            assert!(range * SECOND / least < 2000, "{range}");
            assert!(range * SECOND / usual <= POINTS, "{range}");
        }
        assert_eq!(default_step(0, 3600 * SECOND), 60 * SECOND);
        assert_eq!(default_step(0, 86_400 * SECOND), 1800 * SECOND);
        assert_eq!(default_step(5, 0), SECOND);
    }
}
