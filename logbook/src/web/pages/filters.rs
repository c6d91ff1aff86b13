//! The form that narrows what a page shows. It says what it does in the URL, so that a view can be sent to somebody.

use super::frame::alert;
use crate::web::parameters::{
    ATTRIBUTE, FROM, MIN_DURATION, MODEL, NAMESPACE, Parameter, ROUTE, STATUS, TEXT, UNTIL, USER,
};
use crate::web::problem::Problem;
use crate::web::query::Query;
use maud::{Markup, html};

/// Times that one looks back at, and what they are called.
const RANGES: [(&str, &str); 5] = [
    ("15m", "15 minutes"),
    ("1h", "1 hour"),
    ("6h", "6 hours"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
];
const STATUSES: [(&str, &str); 9] = [
    ("", "any"),
    ("failed", "failed"),
    ("succeeded", "succeeded"),
    ("2xx", "2xx"),
    ("4xx", "4xx"),
    ("5xx", "5xx"),
    ("401", "401"),
    ("429", "429"),
    ("502", "502"),
];

/// The form of the page at `path`, which shows `usual` where no time is asked for. What could not be understood is said above it, and its field marked.
pub(super) fn form(
    path: &str,
    query: &Query,
    usual: Option<&str>,
    wrong: Option<&Problem>,
) -> Markup {
    let fields = [
        (&FROM, "From", "24h, or 2026-01-31T12:00:00Z"),
        (&UNTIL, "Until", "now"),
        (&NAMESPACE, "Namespace", ""),
        (&ROUTE, "Route", ""),
        (&USER, "User", ""),
        (&MODEL, "Model", ""),
        (&MIN_DURATION, "Took at least (ms)", ""),
        (&TEXT, "Text within", "in bodies and errors"),
        (&ATTRIBUTE, "Attribute", "name=value"),
    ];
    let narrowed = !query.narrowed(&[]).is_empty();
    html! {
        @if let Some(problem) = wrong { (alert(&problem.message)) }
        nav.ranges aria-label="Time" {
            span aria-hidden="true" { "Last" }
            ul {
                @for (span, name) in RANGES {
                    @let to = format!("{path}?{}", query.narrowed(&[("from", Some(span)), ("until", None)]));
                    @let here = query.one(&FROM).or(usual) == Some(span) && query.one(&UNTIL).is_none();
                    li { a href=(to) aria-current=[here.then_some("true")] { (name) } }
                }
            }
        }
        form.filters role="search" method="get" action=(path) {
            @for (parameter, name, hint) in fields {
                (field(parameter, name, hint, query, wrong))
            }
            p.field {
                label for="filter-status" { "Status" }
                select #filter-status name="status" {
                    @let given = query.one(&STATUS).unwrap_or_default();
                    @for (value, name) in STATUSES {
                        option value=(value) selected[value == given] { (name) }
                    }
                    @if !STATUSES.iter().any(|(value, _)| *value == given) {
                        option value=(given) selected { (given) }
                    }
                }
            }
            p.field.actions {
                button.primary { "Show" }
                @if narrowed { a href=(path) { "Clear" } }
            }
        }
    }
}

fn field(
    parameter: &Parameter,
    name: &str,
    hint: &str,
    query: &Query,
    wrong: Option<&Problem>,
) -> Markup {
    let id = format!("filter-{}", parameter.name);
    let here = |problem: &&Problem| problem.parameter.as_deref() == Some(parameter.name);
    let wrong = wrong.filter(here).map(|_| "true");
    html! {
        p.field {
            label for=(id) { (name) }
            input id=(id) name=(parameter.name) value=[query.one(parameter)] placeholder=[Some(hint).filter(|hint| !hint.is_empty())]
                aria-invalid=[wrong] title=(parameter.about) autocomplete="off" spellcheck="false";
        }
    }
}
