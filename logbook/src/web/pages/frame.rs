//! What stands around every page.

use crate::web::body::Body;
use crate::web::problem::Problem;
use crate::web::reply::reply;
use http::{Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const HTML: &str = "text/html; charset=utf-8";

/// Which part of the dashboard a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Overview,
    Requests,
    Inflight,
    /// None of them.
    Elsewhere,
    /// Nobody is signed in.
    Outside,
}

const PARTS: [(Here, &str, &str); 3] = [
    (Here::Overview, "/", "Overview"),
    (Here::Requests, "/requests", "Requests"),
    (Here::Inflight, "/inflight", "In flight"),
];

/// A page. `guarded` says that there is something to sign out of.
pub(super) fn page(
    status: StatusCode,
    here: Here,
    title: &str,
    guarded: bool,
    content: &Markup,
) -> Response<Body> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, &html! {}))
            body {
                a.skip href="#main" { "Skip to content" }
                header.bar {
                    a.brand href="/" { "Dragoman" }
                    @if here != Here::Outside {
                        nav aria-label="Main" {
                            ul {
                                @for (part, path, name) in PARTS {
                                    li { a href=(path) aria-current=[(part == here).then_some("page")] { (name) } }
                                }
                            }
                        }
                    }
                    div.tools {
                        // Shown by the script, without which it would do nothing.
                        button #theme type="button" hidden { "Dark" }
                        @if guarded && here != Here::Outside {
                            form method="post" action="/signout" { button { "Sign out" } }
                        }
                    }
                }
                main #main tabindex="-1" { (content) }
                footer {
                    "Times are UTC. "
                    @if here != Here::Outside {
                        "For programs: " a href="/api/openapi.json" { "/api/openapi.json" } "."
                    }
                }
            }
        }
    };
    reply(status, HTML, page.into_string())
}

/// A page that loads itself again at once: a browser keeps a strict cookie back when another site's link leads here, and brings it then.
pub(super) fn again() -> Response<Body> {
    let refresh = html! { meta http-equiv="refresh" content="0"; };
    let page = html! { (DOCTYPE) html lang="en" { (head("One moment", &refresh)) body { main { "One moment …" } } } };
    reply(StatusCode::OK, HTML, page.into_string())
}

fn head(title: &str, more: &Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Dragoman" }
            link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
            link rel="stylesheet" href="/assets/style.css";
            // Before anything is painted, so that the theme that was chosen does not flash.
            script src="/assets/script.js" {}
            (more)
        }
    }
}

/// A page that shows what was asked for or, with its form, why it cannot.
pub(super) fn shown(
    shown: Result<Markup, Problem>,
    here: Here,
    title: &str,
    guarded: bool,
    form: impl FnOnce(&Problem) -> Markup,
) -> Response<Body> {
    let (problem, content) = match shown {
        Ok(content) => (None, content),
        Err(problem) => {
            let form = form(&problem);
            (Some(problem), form)
        }
    };
    let content = html! { h1 { (title) } (content) };
    let status = problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let mut page = page(status, here, title, guarded, &content);
    if let Some(problem) = problem {
        problem.say(page.headers_mut());
    }
    page
}

/// What could not be shown, and why.
pub(super) fn problem(problem: &Problem, guarded: bool) -> Response<Body> {
    let title = problem.status.canonical_reason().unwrap_or("Refused");
    let content = html! {
        h1 { (title) }
        (alert(&problem.message))
        p { a href="/" { "To the overview" } }
    };
    let mut page = page(problem.status, Here::Elsewhere, title, guarded, &content);
    problem.say(page.headers_mut());
    page
}

/// Something that went wrong, said at once by screen readers.
pub(super) fn alert(message: &str) -> Markup {
    html! { p.alert role="alert" { (message) } }
}

/// SVG that this program drew: its texts are escaped already.
pub(super) const fn drawn(svg: String) -> Markup {
    PreEscaped(svg)
}
