//! From a request to its reply: control, key, path, checks, faults, answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::{
    anthropic, azure, bedrock, control,
    dialect::Dialect,
    endpoints, gemini, ollama, openai,
    record::{Connection, Guard, State},
    refusal::Refusal,
    reply::Reply,
    shared::Shared,
    tgi,
    wire::{Cut, ReplyBody},
};

/// The longest body that is read.
const LARGEST: usize = 64 << 20;

/// Why there is no reply from an endpoint.
pub(crate) enum Failed {
    /// The request is refused.
    Refused(Refusal),
    /// The connection breaks instead.
    Broken(Cut),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Cut> for Failed {
    fn from(cut: Cut) -> Self {
        Self::Broken(cut)
    }
}

/// Answers one request. An error breaks the connection.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Cut> {
    let (head, body) = request.into_parts();
    if head.uri.path().starts_with("/_simulator/") {
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let reply = control::answer(&shared, &head, &body)
            .unwrap_or_else(|refusal| refusal.reply(Dialect::OpenAi, 0));
        return Ok(finished(reply, &shared.name, None));
    }
    let dialect = Dialect::of(&head);
    let guard = shared.recorder.begin(&connection, &head);
    let reply = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            guard.body(&body);
            route(&shared, &head, body, guard.id).await
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = "The body of your request is too large.";
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message).into())
        }
        // The client left, or its body was malformed: nobody waits for a reply.
        Err(_) => return Err(Cut),
    };
    match reply {
        Ok(reply) => Ok(finished(reply, &shared.name, Some((guard, dialect)))),
        Err(Failed::Refused(refusal)) => {
            let reply = refusal.reply(dialect, guard.id);
            Ok(finished(reply, &shared.name, Some((guard, dialect))))
        }
        Err(Failed::Broken(cut)) => {
            guard.end(State::Cut);
            Err(cut)
        }
    }
}

fn finished(
    mut reply: Reply,
    name: &str,
    received: Option<(Guard, Dialect)>,
) -> Response<ReplyBody> {
    reply.set(HeaderName::from_static("x-simulator"), name);
    let guard = received.map(|(guard, dialect)| {
        reply.set(dialect.id_header(), format!("req_sim_{}", guard.id));
        guard.status(reply.status);
        guard
    });
    let mut response = Response::new(ReplyBody::new(reply.content, guard));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

async fn route(shared: &Shared, head: &Parts, body: Bytes, id: u64) -> Result<Reply, Failed> {
    let path = head.uri.path();
    if path == "/health" && head.method == Method::GET {
        let status = *shared.health.read();
        return Ok(Reply::json(
            status,
            &serde_json::json!({"status": status.as_u16()}),
        ));
    }
    match Dialect::of(head) {
        Dialect::Anthropic => return anthropic::answer(shared, head, &body, id).await,
        Dialect::Ollama => return ollama::answer(shared, head, &body, id).await,
        Dialect::Azure => return azure::answer(shared, head, &body, id).await,
        Dialect::Tgi => return tgi::answer(shared, head, &body, id).await,
        Dialect::Gemini => return gemini::answer(shared, head, &body, id).await,
        Dialect::Bedrock => return bedrock::answer(shared, head, &body, id).await,
        Dialect::OpenAi => {}
    }
    let Some(path) = path.strip_prefix("/v1/") else {
        return Err(unknown(head).into());
    };
    authorize(shared, head)?;
    match (path, &head.method) {
        ("models", &Method::GET) => {
            let status = *shared.health.read();
            if status != StatusCode::OK {
                return Err(Refusal::new(status, "Simulated ill health.").into());
            }
            Ok(Reply::ok(&openai::list(&shared.models.read())))
        }
        (_, &Method::GET) if path.starts_with("models/") => Ok(Reply::ok(&openai::find(
            &shared.models.read(),
            &path["models/".len()..],
        )?)),
        _ if path == "files" || path.starts_with("files/") => Ok(endpoints::files(head, path, id)),
        _ => endpoints::post(shared, head, path, body, id).await,
    }
}

/// Asks for a bearer's key, where keys are set.
pub(crate) fn authorize(shared: &Shared, head: &Parts) -> Result<(), Refusal> {
    let keys = shared.api_keys.read();
    if keys.is_empty() {
        return Ok(());
    }
    let given = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = given
        .and_then(|given| given.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    let refused = |message| Refusal::new(StatusCode::UNAUTHORIZED, message);
    match token {
        Some(token) if keys.iter().any(|key| key == token) => Ok(()),
        Some(_) => Err(refused("Incorrect API key provided.").code("invalid_api_key")),
        None => Err(refused(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )),
    }
}

/// The refusal of a path or method that nobody serves.
pub(crate) fn unknown(head: &Parts) -> Refusal {
    let message = format!("Invalid URL ({} {})", head.method, head.uri.path());
    Refusal::new(StatusCode::NOT_FOUND, message).code("unknown_url")
}
