//! What a client is told when it gets no reply of an upstream: status, whose fault, whether to try again, in OpenAI's shape.
//!
//! Source: [OpenAI's error codes](https://platform.openai.com/docs/guides/error-codes) and the objects that its SDKs read. `x-should-retry` is
//! what those SDKs obey before any rule of their own.

use std::borrow::Cow;

use bytes::Bytes;
use dragoman_dialects::form::Failure;
use dragoman_dialects::{Wire, bedrock};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::body::Body;
use super::request_id::RequestId;
use crate::access::metrics::Told;
use crate::json::{self, Malformed};
use crate::upstream::{self, Fault, Phase};

/// Says whose fault an error is: `client`, `upstream` or `proxy`.
pub static FAULT: HeaderName = HeaderName::from_static("x-dragoman-fault");
/// Says whether another try may help.
pub static SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    Client,
    Upstream,
    Proxy,
}

impl Blame {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Proxy => "proxy",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Client => "invalid_request_error",
            Self::Upstream => "upstream_error",
            Self::Proxy => "proxy_error",
        }
    }
}

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) blame: Blame,
    /// One stable word for programs.
    pub(crate) code: &'static str,
    /// For people: what is wrong, and what to do.
    pub(crate) message: Cow<'static, str>,
    /// The field of the body that is meant.
    pub(crate) param: Option<Cow<'static, str>>,
    pub(crate) retry: bool,
    /// Seconds until another try makes sense.
    pub(crate) retry_after: Option<u32>,
    /// Methods that are taken instead.
    pub(crate) allow: Option<&'static str>,
    /// What is left of limits, for those that ask to be told.
    pub(crate) limits: Box<[(HeaderName, HeaderValue)]>,
    /// What the log is told; absent: the message.
    pub(crate) log: Option<Box<Log>>,
}

/// What the log is told of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Log {
    /// This, which is not the client's business.
    Detail(String),
    /// Nothing more: it was told, or the same a moment ago.
    Told,
}

impl Refusal {
    /// The client's fault: the same request fails again.
    pub(crate) fn client(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (message, blame) = (message.into(), Blame::Client);
        Self {
            status,
            blame,
            code,
            message,
            param: None,
            retry: false,
            retry_after: None,
            allow: None,
            limits: Box::default(),
            log: None,
        }
    }

    /// The same, of which the log is told `detail`, unless it was told a moment ago.
    pub(crate) fn told(self, told: &Told, detail: impl FnOnce() -> String) -> Self {
        let log = if told.tells() {
            Log::Detail(detail())
        } else {
            Log::Told
        };
        self.logged(log)
    }

    /// The same, of which the log is told `log`.
    pub(crate) fn logged(self, log: Log) -> Self {
        Self {
            log: Some(Box::new(log)),
            ..self
        }
    }

    /// The line of the log, if there is to be one.
    pub(crate) fn line(&self) -> Option<&str> {
        match self.log.as_deref() {
            None => Some(&self.message),
            Some(Log::Detail(detail)) => Some(detail),
            Some(Log::Told) => None,
        }
    }

    /// Nothing can answer just now: 503.
    pub(crate) fn unavailable(
        blame: Blame,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let message = message.into();
        Self {
            status,
            blame,
            code,
            message,
            param: None,
            retry: true,
            retry_after: Some(1),
            allow: None,
            limits: Box::default(),
            log: None,
        }
    }

    pub(crate) fn no_model(model: &str) -> Self {
        let message = format!(
            "The model {:?} does not exist here, or may not be called. GET /v1/models lists those that may.",
            bounded(model, 256)
        );
        Self {
            param: Some("model".into()),
            ..Self::client(StatusCode::NOT_FOUND, "model_not_found", message)
        }
    }

    pub(crate) fn malformed(fault: Malformed) -> Self {
        let message = format!("The request's body is {fault}.");
        Self::client(StatusCode::BAD_REQUEST, "invalid_json", message)
    }

    /// An upstream that gave no reply. `backend` is its name within the route: neither its URL nor its addresses are the client's business.
    pub(crate) fn upstream(backend: &str, fault: &Fault) -> Self {
        let (status, code, what): (_, _, Cow<'static, str>) = match fault {
            Fault::Timeout {
                phase: Phase::Connect,
                ..
            } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_connect_timeout",
                "could not be connected to in time".into(),
            ),
            Fault::Timeout { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                "did not answer in time".into(),
            ),
            Fault::Dns { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_unresolved",
                "has a name that has no address".into(),
            ),
            Fault::Connect { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_unreachable",
                "could not be connected to".into(),
            ),
            Fault::Tls { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_tls",
                "offered no TLS session that we trust".into(),
            ),
            Fault::DeniedAddress { .. } => (
                StatusCode::BAD_GATEWAY,
                "upstream_denied",
                "has an address that this proxy must not call".into(),
            ),
            Fault::Saturated { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "has as many requests in flight as it may".into(),
            ),
            Fault::Credential(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "credential_unavailable",
                "needs a credential that this proxy has not got".into(),
            ),
            Fault::RequestBody(_) => (
                StatusCode::BAD_REQUEST,
                "incomplete_body",
                "did not get the whole request".into(),
            ),
            Fault::Truncated(_) => (
                StatusCode::BAD_GATEWAY,
                "upstream_cut",
                "broke its reply off".into(),
            ),
            Fault::Mapper(fault) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "mapper_failed",
                format!("gave a reply that could not be mapped: {fault}").into(),
            ),
            _ => (
                StatusCode::BAD_GATEWAY,
                "upstream_failed",
                "gave no reply that can be passed on".into(),
            ),
        };
        let blame = match fault.blame() {
            upstream::Blame::Client => Blame::Client,
            upstream::Blame::Upstream => Blame::Upstream,
            upstream::Blame::Config => Blame::Proxy,
        };
        let saturated = matches!(fault, Fault::Saturated { .. } | Fault::Credential(_));
        // Whatever an upstream did wrong may pass. What failed too late for us to send again, the client may.
        let retry = blame == Blame::Upstream || saturated;
        Self {
            status,
            blame,
            code,
            message: format!("Backend {backend:?} {what}.").into(),
            param: None,
            retry,
            retry_after: saturated.then_some(1),
            allow: None,
            limits: Box::default(),
            log: None,
        }
    }

    /// Whether it may be said before the request's body was read to its end, so that nothing can follow it on an HTTP/1.1 connection.
    pub(crate) fn may_leave_the_body(&self) -> bool {
        matches!(
            self.code,
            "access_policy_unusable"
                | "address_banned"
                | "address_not_allowed"
                | "ambiguous_content_type"
                | "ambiguous_path"
                | "bad_host"
                | "body_timeout"
                | "body_too_large"
                | "encoded_body"
                | "identity_unavailable"
                | "incomplete_body"
                | "invalid_api_key"
                | "method_not_allowed"
                | "missing_api_key"
                | "model_map_unusable"
                | "no_backend"
                | "path_not_relayed"
                | "route_not_found"
                | "route_unusable"
        )
    }

    /// The object that OpenAI's SDKs read.
    pub(crate) fn object(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.message.len());
        out.extend_from_slice(b"{\"error\":{\"message\":");
        json::string::encode(&self.message, &mut out);
        out.extend_from_slice(b",\"type\":");
        json::string::encode(self.blame.kind(), &mut out);
        out.extend_from_slice(b",\"param\":");
        match &self.param {
            Some(param) => json::string::encode(param, &mut out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"code\":");
        json::string::encode(self.code, &mut out);
        out.extend_from_slice(b"}}");
        out
    }

    /// The data of the Responses API's [error event](https://platform.openai.com/docs/api-reference/responses-streaming/error), with the object that makes
    /// OpenAI's SDKs raise it. Which number it has in the sequence is not known: what was relayed was not read.
    fn responses_event(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + 2 * self.message.len());
        out.extend_from_slice(b"{\"type\":\"error\",\"code\":");
        json::string::encode(self.code, &mut out);
        out.extend_from_slice(b",\"message\":");
        json::string::encode(&self.message, &mut out);
        out.extend_from_slice(b",\"param\":null,");
        out.extend_from_slice(self.object().get(1..).unwrap_or_default());
        out
    }

    /// The same in no dialect.
    pub(crate) fn failure(&self) -> Failure {
        Failure {
            code: Some(self.code.into()),
            param: self.param.as_deref().map(str::to_owned),
            ..Failure::new(self.status.as_u16(), self.message.clone())
        }
    }

    /// What ends a stream that had begun, in the words of the client's dialect: an event, or a line of Ollama's.
    pub(crate) fn event(&self, client: Wire, id: RequestId) -> Bytes {
        if matches!(
            client,
            Wire::BedrockConverse | Wire::BedrockInvoke | Wire::BedrockText
        ) {
            let mut out = Vec::new();
            let timeouts = client != Wire::BedrockConverse;
            bedrock::error::write_exception(&self.failure(), timeouts, &mut out);
            return out.into();
        }
        // A stream may break within an event: a blank line first, so that it is not taken for the rest of that one. Lines are passed on whole.
        let (before, after): (&[u8], &[u8]) = match client {
            Wire::OllamaChat | Wire::OllamaGenerate | Wire::Conversation => (b"", b"\n"),
            Wire::Messages | Wire::Responses => (b"\n\nevent: error\ndata: ", b"\n\n"),
            _ => (b"\n\ndata: ", b"\n\n"),
        };
        let said = match client {
            Wire::Responses => self.responses_event(),
            client => self.said(client, id).1,
        };
        [before, &said, after].concat().into()
    }

    /// The status and the body in the words of the client's dialect.
    pub(crate) fn said(&self, client: Wire, id: RequestId) -> (StatusCode, Vec<u8>) {
        match client {
            Wire::Chat | Wire::Completions | Wire::Responses => (self.status, self.object()),
            other => {
                let written = other.codec().write_error(&self.failure(), &id.to_string());
                let status = StatusCode::from_u16(written.0).unwrap_or(self.status);
                (status, written.1)
            }
        }
    }

    /// The whole response, but for the header with the request's id, in the words of the client's dialect.
    pub(crate) fn response(&self, client: Wire, id: RequestId) -> Response<Body> {
        let (status, body) = self.said(client, id);
        let mut response = Response::new(Body::whole(body.into()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(FAULT.clone(), HeaderValue::from_static(self.blame.as_str()));
        headers.insert(SHOULD_RETRY.clone(), retry(self.retry));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1: a 401 names a way to authenticate.
            let bearer = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        headers.extend(self.limits.iter().cloned());
        response
    }
}

/// The value of [`SHOULD_RETRY`].
pub(crate) fn retry(helps: bool) -> HeaderValue {
    HeaderValue::from_static(if helps { "true" } else { "false" })
}

/// At most `most` bytes of a text, cut between characters.
pub(crate) fn bounded(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_is_what_openais_sdks_read() {
        let refusal = Refusal::no_model("a \"quoted\" name");
        let object: serde_json::Value = serde_json::from_slice(&refusal.object()).unwrap();
        assert_eq!(object["error"]["code"], "model_not_found");
        assert_eq!(object["error"]["type"], "invalid_request_error");
        assert_eq!(object["error"]["param"], "model");
        let response = refusal.response(Wire::Chat, RequestId::new());
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[&FAULT], "client");
        assert_eq!(response.headers()[&SHOULD_RETRY], "false");
    }

    #[test]
    fn the_log_is_told_once_what_is_not_the_clients_business() {
        let refusal = || Refusal::unavailable(Blame::Proxy, "route_unusable", "Not now.");
        assert_eq!(refusal().line(), Some("Not now."));
        let told = Told::default();
        let first = refusal().told(&told, || "LLMRoute a/b cannot be used".into());
        assert_eq!(first.line(), Some("LLMRoute a/b cannot be used"));
        assert!(!String::from_utf8_lossy(&first.object()).contains("a/b"));
        let again = refusal().told(&told, || "LLMRoute a/b cannot be used".into());
        assert_eq!(again.line(), None);
    }

    #[test]
    fn a_broken_stream_ends_in_the_clients_dialect() {
        let refusal = Refusal::unavailable(Blame::Upstream, "upstream_cut", "It broke off.");
        let event = |client| {
            let event = refusal.event(client, RequestId::new());
            String::from_utf8(event.to_vec()).unwrap()
        };
        assert!(
            event(Wire::Chat).starts_with("\n\ndata: {\"error\":{\"message\":\"It broke off.\"")
        );
        let anthropics = event(Wire::Messages);
        let data = anthropics.strip_prefix("\n\nevent: error\ndata: ").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            (&data["type"], &data["error"]["message"]),
            (&"error".into(), &"It broke off.".into())
        );
        let openais = event(Wire::Responses);
        let data = openais.strip_prefix("\n\nevent: error\ndata: ").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            (&data["type"], &data["code"], &data["message"]),
            (
                &"error".into(),
                &"upstream_cut".into(),
                &"It broke off.".into()
            )
        );
        assert_eq!(data["error"]["message"], "It broke off.");
        assert_eq!(event(Wire::OllamaChat), "{\"error\":\"It broke off.\"}\n");
    }

    #[test]
    fn each_fault_has_its_status() {
        let address = ([127, 0, 0, 1], 1).into();
        let refused = Fault::Connect {
            address,
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let timeout = Fault::Timeout {
            phase: Phase::FirstByte,
            after: std::time::Duration::from_secs(1),
            replying: false,
        };
        for (fault, status, retry) in [
            (refused, 502, true),
            (timeout, 504, true),
            (Fault::Saturated { limit: 1 }, 503, true),
        ] {
            let refusal = Refusal::upstream("b", &fault);
            assert_eq!((refusal.status.as_u16(), refusal.retry), (status, retry));
            assert!(
                !refusal.message.contains("127.0.0.1"),
                "{}",
                refusal.message
            );
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(bounded("héllo", 2), "h");
        assert_eq!(bounded("hé", 9), "hé");
    }
}
