//! When what happened within one request, drawn; the table of attempts says the same.

use super::figures::duration;
use super::frame::drawn;
use crate::record::{Record, cut};
use maud::{Escaper, Markup, html};
use std::fmt::Write as _;

const WIDTH: i64 = 720;
const ROW: i64 = 24;
/// Rows of attempts at most.
const MOST: usize = 20;

/// The bar of the whole request, and one for each attempt.
pub(super) fn draw(record: &Record) -> Markup {
    let end = record
        .attempts
        .iter()
        .map(|attempt| attempt.started_ms.saturating_add(attempt.duration_ms))
        .chain([record.duration_ms])
        .max()
        .unwrap_or_default()
        .max(1);
    let x = |ms: i64| {
        let part = i128::from(ms.clamp(0, end)) * i128::from(WIDTH) / i128::from(end);
        i64::try_from(part).unwrap_or(WIDTH)
    };
    let rows = 1 + record.attempts.len().min(MOST);
    let height = ROW * i64::try_from(rows).unwrap_or(1) + 20;
    let mut svg = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Timeline: {} in all, {} of it until the first token, {} attempts\">",
        duration(record.duration_ms),
        record.ttft_ms.map_or_else(|| "none".into(), duration),
        record.attempts.len()
    );
    let mut bar = |row: i64, class: &str, from: i64, until: i64, label: &str| {
        let (left, right) = (x(from), x(until));
        let (y, middle) = (row * ROW + 3, row * ROW + 17);
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{y}\" width=\"{}\" height=\"{}\"/><text class=\"label\" x=\"6\" y=\"{middle}\">",
            (right - left).max(2),
            ROW - 6
        );
        let _ = write!(Escaper::new(&mut svg), "{label}");
        svg.push_str("</text>");
    };
    let first = record.ttft_ms.unwrap_or(record.duration_ms);
    let waiting = format!("request, {}", duration(record.duration_ms));
    bar(0, "wait", 0, first, "");
    bar(0, "write", first, record.duration_ms, &waiting);
    for (row, attempt) in (1..).zip(record.attempts.iter().take(MOST)) {
        let failed = attempt.error.is_some() || attempt.status.is_none_or(|status| status >= 400);
        let class = if failed { "bad" } else { "good" };
        let label = format!(
            "{}, {}",
            cut(&attempt.backend, 80),
            duration(attempt.duration_ms)
        );
        let until = attempt.started_ms.saturating_add(attempt.duration_ms);
        bar(row, class, attempt.started_ms, until, &label);
    }
    for (ms, anchor) in [(0, "start"), (end / 2, "middle"), (end, "end")] {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            x(ms),
            height - 4,
            duration(ms)
        );
    }
    svg.push_str("</svg>");
    html! {
        figure.timeline {
            figcaption {
                ul.legend {
                    li { span.swatch.wait {} "until the first token" }
                    li { span.swatch.write {} "writing" }
                    li { span.swatch.good {} "attempt" }
                    li { span.swatch.bad {} "failed attempt" }
                }
            }
            (drawn(svg))
        }
    }
}
