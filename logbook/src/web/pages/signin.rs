//! Where a token is given for a session, and the session ended.

use super::frame::{self, Here, alert};
use crate::web::body::Body;
use crate::web::entrance::{Denied, Entrance, may_have_kept_its_cookie};
use crate::web::problem::Problem;
use crate::web::query::Query;
use crate::web::reply::reply;
use bytes::Bytes;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use maud::html;
use std::time::Instant;

const SIGN_IN: &str = "/signin";
const SIGN_OUT: &str = "/signout";

/// Answers what is asked of the door itself.
pub(in crate::web) async fn door(
    request: &Request<Bytes>,
    entrance: &Entrance,
    secure: bool,
    now: Instant,
) -> Option<Response<Body>> {
    let (path, method) = (request.uri().path(), request.method());
    let reads = method == Method::GET || method == Method::HEAD;
    match path {
        SIGN_IN | SIGN_OUT if !entrance.guards() => Some(see("/", None)),
        SIGN_IN if reads => {
            let query = Query::lenient(request.uri());
            Some(form(StatusCode::OK, &next(query.named("next")), None))
        }
        SIGN_IN if method == Method::POST => Some(sign_in(request, entrance, secure, now).await),
        SIGN_IN => Some(frame::problem(&Problem::method("GET, HEAD, POST"), false)),
        SIGN_OUT if method == Method::POST => Some(match entrance.sign_out(request) {
            Ok(cookie) => see(SIGN_IN, Some(cookie)),
            Err(denied) => frame::problem(&denied.problem, false),
        }),
        SIGN_OUT => Some(frame::problem(&Problem::method("POST"), false)),
        _ => None,
    }
}

async fn sign_in(
    request: &Request<Bytes>,
    entrance: &Entrance,
    secure: bool,
    now: Instant,
) -> Response<Body> {
    let query = Query::of_form(request.body());
    let (token, next) = (
        query.named("token").unwrap_or_default().trim(),
        next(query.named("next")),
    );
    match entrance.sign_in(request, token, secure, now).await {
        Ok(cookie) => see(&next, Some(cookie)),
        Err(Denied { problem, .. }) => {
            let mut reply = form(problem.status, &next, Some(&problem.message));
            problem.say(reply.headers_mut());
            reply
        }
    }
}

/// What a browser is shown that may not come in.
pub(in crate::web) fn denied(
    denied: &Denied,
    request: &Request<Bytes>,
    guarded: bool,
) -> Response<Body> {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    if !denied.sign_in {
        return frame::problem(&denied.problem, guarded);
    }
    if reads && may_have_kept_its_cookie(request) {
        return frame::again();
    }
    let wanted = request.uri().path_and_query().filter(|_| reads);
    let wanted = wanted.map_or("/", |wanted| wanted.as_str());
    if wanted == "/" {
        return see(SIGN_IN, None);
    }
    let next: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    see(&format!("{SIGN_IN}?next={next}"), None)
}

/// A page of ours to go on to, whatever was asked for.
fn next(wanted: Option<&str>) -> String {
    let path = wanted
        .filter(|wanted| wanted.starts_with('/') && !wanted.contains('\\'))
        .and_then(|wanted| wanted.parse::<Uri>().ok())
        .filter(|uri| uri.authority().is_none() && !uri.path().starts_with("//"));
    path.map_or_else(|| "/".to_owned(), |path| path.to_string())
}

fn see(path: &str, cookie: Option<HeaderValue>) -> Response<Body> {
    let mut reply = reply(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    let to = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    reply.headers_mut().insert(LOCATION, to);
    if let Some(cookie) = cookie {
        reply.headers_mut().insert(SET_COOKIE, cookie);
    }
    reply
}

fn form(status: StatusCode, next: &str, message: Option<&str>) -> Response<Body> {
    let content = html! {
        div.card.signin {
            h1 { "Sign in" }
            @if let Some(message) = message { (alert(message)) }
            form method="post" action=(SIGN_IN) {
                input type="hidden" name="next" value=(next);
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus autocomplete="current-password"
                    spellcheck="false" aria-describedby="which";
                p #which.hint {
                    "The admin token sees all. On the logbook of a cluster, a Kubernetes token sees the namespaces in which it may "
                    code { "get llmroutes/log" } "."
                }
                button.primary { "Sign in" }
            }
        }
    };
    frame::page(status, Here::Outside, "Sign in", true, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_pages_of_ours_alone() {
        for ours in ["/", "/requests?user=a%20b&status=5xx", "/requests/0192-a"] {
            assert_eq!(next(Some(ours)), ours);
        }
        for other in [
            "",
            "requests",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(next(Some(other)), "/", "{other:?}");
        }
        assert_eq!(next(None), "/");
    }
}
