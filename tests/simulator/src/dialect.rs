//! Which API a request speaks, and the shape of that API's errors.

use http::{HeaderName, StatusCode, header, request::Parts};
use serde_json::Value;

use crate::{anthropic, azure, bedrock, gemini, ollama, openai, reply::Reply, tgi, words::Fault};

/// An API that the simulator speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Below `/v1/`, unless another claims the path.
    OpenAi,
    /// `/v1/messages`; `/v1/models` where the request names an `anthropic-version`.
    Anthropic,
    /// Below `/api/`, and `/`.
    Ollama,
    /// Below `/openai/`.
    Azure,
    /// Text Generation Inference: below `/tgi/`, a server for each model.
    Tgi,
    /// Below `/v1beta/`; below `/v1/models` where a verb or the key's header says so.
    Gemini,
    /// Amazon Bedrock: below `/model/`.
    Bedrock,
}

impl Dialect {
    /// The dialect of a request, by its path and headers.
    pub(crate) fn of(head: &Parts) -> Self {
        let path = head.uri.path();
        let below = |root: &str| {
            path.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if below("/v1/messages")
            || (below("/v1/models") && head.headers.contains_key(anthropic::VERSION))
        {
            Self::Anthropic
        } else if below("/v1beta")
            || (below("/v1/models")
                && (gemini::claims(path) || head.headers.contains_key(gemini::KEY)))
        {
            Self::Gemini
        } else if path == "/" || below("/api") {
            Self::Ollama
        } else if below("/openai") {
            Self::Azure
        } else if below("/tgi") {
            Self::Tgi
        } else if below("/model") {
            Self::Bedrock
        } else {
            Self::OpenAi
        }
    }

    /// The body of an error; `id` is that of the request.
    fn error(
        self,
        status: StatusCode,
        message: &str,
        param: Option<&str>,
        code: Option<&str>,
        id: u64,
    ) -> Value {
        match self {
            Self::OpenAi => openai::error(status, message, param, code),
            Self::Anthropic => anthropic::error(status, message, Some(id)),
            Self::Ollama => ollama::error(message),
            Self::Azure => azure::error(status, message, param, code),
            Self::Tgi => tgi::error(status, message),
            Self::Gemini => gemini::error(status, message, param, code),
            Self::Bedrock => bedrock::error(message),
        }
    }

    /// An error as a reply.
    pub(crate) fn refuses(
        self,
        status: StatusCode,
        message: &str,
        param: Option<&str>,
        code: Option<&str>,
        id: u64,
    ) -> Reply {
        let body = self.error(status, message, param, code, id);
        let mut reply = Reply::json(status, &body);
        if self == Self::Bedrock {
            bedrock::named(&mut reply, code);
        }
        reply
    }

    /// A simulated error.
    pub(crate) fn fault(self, status: StatusCode, id: u64) -> Reply {
        let code = match status.as_u16() {
            401 => Some("invalid_api_key"),
            404 => Some("model_not_found"),
            429 => Some("rate_limit_exceeded"),
            _ => None,
        };
        let message = format!("Simulated status {}.", status.as_u16());
        self.refuses(status, &message, None, code, id)
    }

    /// The header that carries a request's id.
    pub(crate) fn id_header(self) -> HeaderName {
        match self {
            Self::Anthropic => HeaderName::from_static("request-id"),
            Self::Bedrock => HeaderName::from_static("x-amzn-requestid"),
            Self::OpenAi | Self::Ollama | Self::Azure | Self::Tgi | Self::Gemini => {
                HeaderName::from_static("x-request-id")
            }
        }
    }

    /// The headers that the word `headers` adds.
    pub(crate) fn limits(self, fault: &Fault) -> Vec<(HeaderName, &'static str)> {
        if !fault.headers {
            return vec![];
        }
        let named: &[(&'static str, &'static str)] = match self {
            Self::OpenAi => &openai::LIMITS,
            Self::Anthropic => &anthropic::LIMITS,
            Self::Ollama => &[],
            Self::Tgi => &tgi::LIMITS,
            Self::Gemini => &gemini::LIMITS,
            Self::Bedrock => &bedrock::LIMITS,
            Self::Azure => &azure::LIMITS,
        };
        let cookies = ["first=1; path=/", "second=2; path=/"];
        let named = named
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), *value));
        let cors = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        ];
        named
            .chain(cors)
            .chain(cookies.map(|value| (header::SET_COOKIE, value)))
            .collect()
    }
}
