//! A call in which a Mapper takes part: what is sent, and what comes back, as its expressions have it.
//!
//! The Mapper stands next to the upstream: what it is given was written for the backend's dialect, and what it makes of replies is read in
//! that dialect. A backend of dialect Custom is asked in OpenAI's, and its Mapper does the rest.

mod elements;
mod events;

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_config::cel::Scope;
use dragoman_config::mapper::{self, Mapper, MapperFault};
use dragoman_crds::{Dialect, MapperPhase, MapperStream};
use dragoman_dialects::{Framing, Wire};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::error::{Blame, Refusal};
use super::{call, reply, spelling, translated, unreadable};
use crate::state::backend::{Backend, CREDENTIAL_HEADERS};
use crate::state::dialect;
use crate::upstream::{Fault, Reply, ReplyBody, Request, RequestBody};
use elements::Elements;
use events::{Events, json_or_text};

/// The longest reply that is mapped whole.
const LONGEST: usize = 64 << 20;

/// One call, as expressions see it.
pub(crate) struct Mapped {
    pub(crate) mapper: Arc<Mapper>,
    pub(crate) dialect: Dialect,
    pub(crate) operation: &'static str,
    /// The upstream's name of the model.
    pub(crate) model: String,
    /// Whether the reply is to be a stream; none until the body says it.
    pub(crate) stream: Cell<Option<bool>>,
    /// Those of the client's headers that expressions read.
    pub(crate) headers: Value,
}

/// What expressions may read of the client's headers: no credential, and nothing that they do not name.
pub(crate) fn read_headers(mapper: &Mapper, client: &HeaderMap) -> Value {
    let read = |name: &str| {
        let name: HeaderName = name.parse().ok()?;
        if CREDENTIAL_HEADERS.contains(&name) || name == header::COOKIE {
            return None;
        }
        let value = client.get(&name)?;
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        Some((name.as_str().to_owned(), Value::from(value)))
    };
    Value::Object(mapper.headers().filter_map(read).collect())
}

/// What is asked for, in a word for expressions, of a backend that is asked in the form `wire`.
pub(crate) fn operation(wire: Option<Wire>, vectors: bool) -> &'static str {
    match wire {
        Some(Wire::Completions) => "completions",
        Some(Wire::Responses) => "responses",
        Some(_) => "chat",
        None if vectors => "embeddings",
        None => "other",
    }
}

/// A fault of the Mapper's, whatever brought it out.
fn refused(fault: &MapperFault) -> Refusal {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Refusal {
        blame: Blame::Proxy,
        ..Refusal::client(status, "mapper_failed", format!("{fault}."))
    }
}

impl Mapped {
    fn is_custom(&self) -> bool {
        self.dialect == Dialect::Custom
    }

    fn scope<'s>(&'s self, body: &'s Value, status: Option<StatusCode>) -> Scope<'s> {
        Scope {
            operation: self.operation,
            model: &self.model,
            stream: self.stream.get().unwrap_or_default(),
            status: status.map(|status| status.as_u16()),
            headers: &self.headers,
            ..Scope::of(body)
        }
    }

    /// What becomes of an event of a stream; none where events go on as they are.
    fn events(&self, body: &Value) -> Result<Option<mapper::Events>, Fault> {
        let made = self.mapper.events(&self.scope(body, None));
        made.map_err(|fault| Fault::Mapper(fault.to_string()))
    }

    /// Changes a request that would be sent as it is.
    ///
    /// # Errors
    /// 500 where an expression fails; 400 where the body is no JSON.
    pub(crate) fn request(&self, request: &mut Request, backend: &Backend) -> Result<(), Refusal> {
        if self.is_custom() {
            request.path = backend.settings.endpoint.root();
        }
        if !self.mapper.maps(MapperPhase::Request) && !self.mapper.maps(MapperPhase::Path) {
            if let Some(body) = whole(&request.body)
                && self.stream.get().is_none()
            {
                self.stream.set(Some(asks_for_stream(&body)));
            }
            return Ok(());
        }
        let body = match whole(&request.body) {
            Some(body) if body.is_empty() => Value::Null,
            Some(body) => serde_json::from_slice(&body).map_err(|_| self.no_json())?,
            None => return Err(self.no_json()),
        };
        if self.stream.get().is_none() {
            self.stream.set(Some(body["stream"] == true));
        }
        let scope = self.scope(&body, None);
        // A name is one segment of a path, whatever it holds.
        let model = dialect::escaped(&self.model);
        let named = Scope {
            model: &model,
            ..self.scope(&body, None)
        };
        if let Some(path) = self.mapper.path(&named).map_err(|fault| refused(&fault))? {
            self.judge_path(&path)?;
            let endpoint = &backend.settings.endpoint;
            let joined = match path.strip_prefix('?') {
                None if path.is_empty() => Ok(endpoint.root()),
                None => endpoint.join(&path).map_err(|_| call::bad_path()),
                Some(_) => format!("{}{path}", endpoint.root().path())
                    .parse()
                    .map_err(|_| call::bad_path()),
            };
            request.path = joined?;
        }
        if let Some(made) = self.mapper.evaluate(MapperPhase::Request, &scope) {
            let made = made.map_err(|fault| refused(&fault))?;
            request.body = RequestBody::Bytes(made.to_string().into());
            let json = HeaderValue::from_static("application/json");
            request.headers.insert(header::CONTENT_TYPE, json);
        }
        Ok(())
    }

    /// What a request says may lead out of the path that the expression means.
    fn judge_path(&self, path: &str) -> Result<(), Refusal> {
        let start = path.split('?').next().unwrap_or_default();
        let is_one = start.is_empty() || spelling::plain(start).is_ok_and(|plain| plain == start);
        if is_one && !path.contains('#') {
            return Ok(());
        }
        let message = format!(
            "With what this request says, the path that Mapper {} makes leads elsewhere than it means; send names without dots alone, doubled slashes and `#`.",
            self.mapper.name()
        );
        Err(Refusal::client(
            StatusCode::BAD_REQUEST,
            "ambiguous_path",
            message,
        ))
    }

    fn no_json(&self) -> Refusal {
        let message = format!(
            "The body is no JSON, and the backend's Mapper {} changes JSON alone.",
            self.mapper.name()
        );
        Refusal::client(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// Changes a reply: a stream on its way, anything else as a whole.
    ///
    /// # Errors
    /// 500 where an expression fails, 502 where the reply cannot be read.
    pub(crate) async fn reply(
        self,
        mut reply: Reply,
        name: &str,
        backend: &Backend,
    ) -> Result<Reply, Refusal> {
        if reply.status.as_u16() >= 400 {
            return self.whole(reply, MapperPhase::Error, name, backend).await;
        }
        if self.is_array(&reply.headers) {
            if self.mapper.maps(MapperPhase::StreamEvent) {
                reply.headers.remove(header::CONTENT_LENGTH);
                reply.body = reply.body.edited(Box::new(Elements::new(self)));
            }
            return Ok(reply);
        }
        match self.framing(&reply.headers) {
            Some(framing) => {
                if !self.is_custom() && !self.mapper.maps(MapperPhase::StreamEvent) {
                    return Ok(reply);
                }
                let written = if self.is_custom() {
                    Framing::Sse
                } else {
                    framing
                };
                let kind = HeaderValue::from_static(written.media_type());
                reply.headers.insert(header::CONTENT_TYPE, kind);
                reply.headers.remove(header::CONTENT_LENGTH);
                let events = Events::new(self, framing, written);
                reply.body = reply.body.edited(Box::new(events));
                Ok(reply)
            }
            None => {
                self.whole(reply, MapperPhase::Response, name, backend)
                    .await
            }
        }
    }

    /// Whether the reply is a stream that is one JSON array, as Gemini's is where no events are asked for.
    fn is_array(&self, headers: &HeaderMap) -> bool {
        let asked = self.stream.get().unwrap_or_default();
        self.dialect == Dialect::Gemini && asked && reply::is_json(headers)
    }

    /// How the reply is a stream; none where it is none.
    fn framing(&self, headers: &HeaderMap) -> Option<Framing> {
        if !self.is_custom() {
            let framing = translated::framing(headers)?;
            return (framing != Framing::EventStream).then_some(framing);
        }
        let asked = self.stream.get().unwrap_or_default();
        match self.mapper.stream() {
            _ if !asked => None,
            MapperStream::None => None,
            // A server may answer with a whole reply all the same.
            MapperStream::SSE => (!reply::is_json(headers)).then_some(Framing::Sse),
            MapperStream::NDJSON => Some(Framing::Ndjson),
        }
    }

    async fn whole(
        self,
        mut reply: Reply,
        phase: MapperPhase,
        name: &str,
        backend: &Backend,
    ) -> Result<Reply, Refusal> {
        // What is no JSON, as audio, is no Custom server's answer to a conversation, and nothing to map of others.
        if !self.mapper.maps(phase) || !(self.is_custom() || reply::is_json(&reply.headers)) {
            return Ok(reply);
        }
        let said = reply.body.collect(LONGEST).await;
        let said = said
            .map_err(|fault| Refusal::upstream(name, &fault))?
            .ok_or_else(|| unreadable::refusal(name, "sent a reply that is too long"))?;
        // Before an expression sees it, which may be another team's than the key: what it makes of a key nobody would know again.
        let said = backend.masked(said);
        let body = json_or_text(&said);
        let made = self
            .mapper
            .evaluate(phase, &self.scope(&body, Some(reply.status)));
        let made = match made.transpose().map_err(|fault| refused(&fault))? {
            Some(made) => Bytes::from(made.to_string()),
            None => said,
        };
        for name in [header::CONTENT_LENGTH, header::ETAG] {
            reply.headers.remove(name);
        }
        let json = HeaderValue::from_static("application/json");
        reply.headers.insert(header::CONTENT_TYPE, json);
        reply.body = ReplyBody::held(made);
        Ok(reply)
    }
}

fn whole(body: &RequestBody) -> Option<Bytes> {
    match body {
        RequestBody::Empty => Some(Bytes::new()),
        RequestBody::Bytes(bytes) => Some(bytes.clone()),
        RequestBody::Segments(segments) => Some(segments.concat().into()),
        RequestBody::Stream(_) => None,
    }
}

fn asks_for_stream(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["stream"] == true)
}

#[cfg(test)]
mod tests;
