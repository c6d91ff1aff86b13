//! A call for vectors whose client and backend speak different dialects: what is sent, and what the client gets.

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use dragoman_crds::Dialect;
use dragoman_dialects::form::{EmbeddingReply, EmbeddingRequest, Estimate, Garbage, Malformed};
use dragoman_dialects::ollama::{self, measure};
use dragoman_dialects::{Context, EmbeddingCodec, Path, Target, Wire, gemini, openai};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;

use super::body::Body;
use super::dispatch::Asked;
use super::error::Refusal;
use super::path::Operation;
use super::reply::respond;
use super::rewritten;
use super::translated;
use super::translation::{self, Ends};
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::upstream::Reply;

/// The longest reply that is read.
const LONGEST: usize = 64 << 20;

/// A form of requests for vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// OpenAI's.
    OpenAi,
    /// Ollama's `/api/embed`.
    Embed,
    /// Ollama's `/api/embeddings`, which takes one prompt.
    Embeddings,
    /// Gemini's `embedContent`, which takes one content.
    GeminiOne,
    /// Gemini's `batchEmbedContents`.
    GeminiBatch,
}

impl Form {
    /// The form of an operation; none of one that asks for no vectors.
    pub(crate) fn of(operation: Operation<'_>) -> Option<Self> {
        match operation {
            Operation::Embeddings => Some(Self::OpenAi),
            Operation::OllamaEmbed => Some(Self::Embed),
            Operation::OllamaEmbeddings => Some(Self::Embeddings),
            Operation::GeminiEmbed(_) => Some(Self::GeminiOne),
            Operation::GeminiEmbeds(_) => Some(Self::GeminiBatch),
            _ => None,
        }
    }

    fn codec(self) -> &'static dyn EmbeddingCodec {
        match self {
            Self::OpenAi => &openai::Embeddings,
            Self::Embed => &ollama::Embed,
            Self::Embeddings => &ollama::Embeddings,
            Self::GeminiOne => &gemini::EmbedContent,
            Self::GeminiBatch => &gemini::BatchEmbedContents,
        }
    }

    /// The dialect whose errors it has.
    fn wire(self) -> Wire {
        match self {
            Self::OpenAi => Wire::Chat,
            Self::Embed | Self::Embeddings => Wire::OllamaChat,
            Self::GeminiOne | Self::GeminiBatch => Wire::Gemini,
        }
    }

    /// Where a backend takes it that knows the model as `model`, below the base URL or the deployment.
    pub(crate) fn path(self, model: &str) -> Cow<'static, str> {
        let gemini = |method| dialect::gemini(model, method);
        match self {
            Self::OpenAi => "/embeddings".into(),
            Self::Embed => "/api/embed".into(),
            Self::Embeddings => "/api/embeddings".into(),
            Self::GeminiOne => gemini("embedContent").into(),
            Self::GeminiBatch => gemini("batchEmbedContents").into(),
        }
    }
}

/// A client's request for vectors: read once, however many backends of another dialect are tried.
pub(crate) struct Vectors<'a> {
    client: Form,
    body: &'a Bytes,
    path: Path<'a>,
    form: OnceCell<Box<Result<EmbeddingRequest, Malformed>>>,
    started: Timestamp,
}

impl<'a> Vectors<'a> {
    pub(crate) fn new(client: Form, body: &'a Bytes, path: Path<'a>) -> Self {
        Self {
            client,
            body,
            path,
            form: OnceCell::new(),
            started: Timestamp::now(),
        }
    }

    /// The form in which a backend is asked; none where it speaks the client's.
    ///
    /// # Errors
    /// 400, where its dialect has no vectors.
    pub(crate) fn upstream(&self, backend: &Backend) -> Result<Option<Form>, Refusal> {
        match (backend.dialect, self.client) {
            (Dialect::OpenAI | Dialect::AzureOpenAI, Form::OpenAi)
            | (Dialect::Ollama, Form::Embed | Form::Embeddings)
            | (Dialect::Gemini, Form::GeminiOne | Form::GeminiBatch) => Ok(None),
            (Dialect::OpenAI | Dialect::AzureOpenAI | Dialect::Custom, _) => Ok(Some(Form::OpenAi)),
            (Dialect::Ollama, _) => Ok(Some(Form::Embed)),
            (Dialect::Gemini, _) => Ok(Some(Form::GeminiBatch)),
            (Dialect::Anthropic | Dialect::TGI | Dialect::Bedrock, _) => {
                let (whose, source) = match backend.dialect {
                    Dialect::Anthropic => (
                        "which has no embeddings",
                        "https://docs.claude.com/en/docs/build-with-claude/embeddings",
                    ),
                    Dialect::TGI => (
                        "which has no embeddings",
                        "https://huggingface.github.io/text-generation-inference/",
                    ),
                    _ => (
                        "where each vendor's models have their own form of embeddings",
                        "https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html",
                    ),
                };
                let message = format!(
                    "The model's backend speaks {:?}, {whose}; call a model whose backend speaks OpenAI, AzureOpenAI, Ollama or Gemini. See {source}.",
                    backend.dialect
                );
                let status = StatusCode::BAD_REQUEST;
                Err(Refusal {
                    param: Some("model".into()),
                    ..Refusal::client(status, "unsupported_by_upstream", message)
                })
            }
        }
    }

    fn form(&self) -> &Result<EmbeddingRequest, Malformed> {
        let read = || self.client.codec().read_request(self.body, self.path);
        self.form.get_or_init(|| Box::new(read()))
    }

    /// The answer to a request of Ollama's that only loads a model, which no other dialect has: there is nothing to load.
    pub(crate) fn loaded(&self, backend: &Backend) -> Option<Response<Body>> {
        let form = self.form().as_ref().ok()?;
        let loads = matches!(self.client, Form::Embed | Form::Embeddings) && form.inputs.is_empty();
        self.upstream(backend).ok().flatten().filter(|_| loads)?;
        let reply = EmbeddingReply::default();
        let context = self.context(String::new(), form.model.clone());
        let written = self.client.codec().write_reply(&reply, false, &context);
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        Some(respond(
            StatusCode::OK,
            headers,
            Body::whole(written.into()),
        ))
    }

    fn context(&self, request_id: String, model: String) -> Context {
        Context {
            request_id,
            model,
            started: self.started,
            stream_usage: false,
            reasoning: false,
            echo: serde_json::Map::new(),
        }
    }

    /// The body for a backend that knows the model as `model`.
    ///
    /// # Errors
    /// 400, where the client's dialect is spoken wrongly or the upstream's cannot express the request.
    pub(crate) fn write(&self, upstream: Form, model: &str) -> Result<Bytes, Refusal> {
        let form = self.form().as_ref().map_err(translation::malformed)?;
        let target = Target {
            model,
            stream: false,
        };
        let written = upstream.codec().write_request(form, target);
        let written = written.map_err(|refused| {
            let field = self.client.codec().name_of(&refused.field);
            translation::inexpressible(field, &refused)
        })?;
        Ok(written.into())
    }

    /// Passes on what a backend answered. It names the model that the upstream says, or as which it was sent; or the one that was requested.
    ///
    /// # Errors
    /// 502 when the reply cannot be read.
    pub(crate) async fn answer(
        &self,
        reply: Reply,
        upstream: Form,
        asked: &Asked,
        who: (&str, &Backend),
        names: (&str, Option<String>),
    ) -> Result<Response<Body>, Refusal> {
        let ends = Ends {
            client: self.client.wire(),
            upstream: upstream.wire(),
        };
        let write = |said: &[u8], headers: &mut HeaderMap| {
            let (written, estimated) =
                self.rewritten(upstream, said, asked.id.to_string(), names)?;
            if estimated {
                headers.insert(translated::USAGE.clone(), translated::ESTIMATED);
            }
            Ok(written)
        };
        rewritten::answer(reply, ends, LONGEST, asked, who, write).await
    }

    /// The reply for the client, and whether its usage is estimated.
    fn rewritten(
        &self,
        upstream: Form,
        said: &[u8],
        request_id: String,
        (sent, requested): (&str, Option<String>),
    ) -> Result<(Vec<u8>, bool), Garbage> {
        let mut reply = upstream.codec().read_reply(said)?;
        let form = self.form().as_ref().ok();
        let wanted = form.map_or(reply.vectors.len(), |form| form.inputs.len());
        if reply.vectors.len() != wanted {
            let got = reply.vectors.len();
            let message = format!("{wanted} vectors were asked for, and {got} came.");
            return Err(Garbage::new(message, said));
        }
        // Where the others leave it out, OpenAI's clients require it.
        if let (None, Some(form), Wire::Chat) = (reply.usage, form, self.client.wire()) {
            reply.usage = Some(Estimate::of_vectors(form).usage());
        }
        let estimated = reply.usage.is_some_and(|usage| usage.estimated);
        // Only Ollama's replies tell times, and its own server measures them itself.
        measure::fill(&mut reply.usage, self.started, Timestamp::now());
        let model = requested.or(reply.model.take());
        let model = model.unwrap_or_else(|| sent.to_owned());
        let context = self.context(request_id, model);
        let base64 = form.is_some_and(|form| form.base64);
        let written = self.client.codec().write_reply(&reply, base64, &context);
        Ok((written, estimated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn across(client: Form, body: &str, upstream: Form, said: &str) -> (String, String) {
        let body = Bytes::from(body.to_owned());
        let vectors = Vectors::new(client, &body, Path::default());
        let sent = vectors.write(upstream, "up").unwrap();
        let got = vectors.rewritten(upstream, said.as_bytes(), "id".into(), ("up", None));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&sent), text(&got.unwrap().0))
    }

    #[test]
    fn openais_request_becomes_ollamas_and_its_vectors_come_back_in_order() {
        let (sent, got) = across(
            Form::OpenAi,
            r#"{"model":"m","input":["a","b"],"dimensions":2}"#,
            Form::Embed,
            r#"{"model":"up","embeddings":[[0.5,1.0],[2.50,3]],"prompt_eval_count":4}"#,
        );
        assert_eq!(sent, r#"{"model":"up","input":["a","b"],"dimensions":2}"#);
        assert_eq!(
            got,
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,1.0]},{"object":"embedding","index":1,"embedding":[2.5,3]}],"model":"up","usage":{"prompt_tokens":4,"total_tokens":4}}"#
        );
    }

    #[test]
    fn base64_is_made_of_ollamas_numbers_for_a_client_that_wants_it() {
        let (sent, got) = across(
            Form::OpenAi,
            r#"{"model":"m","input":"a","encoding_format":"base64"}"#,
            Form::Embed,
            r#"{"model":"up","embeddings":[[0.5,1.0]]}"#,
        );
        assert_eq!(sent, r#"{"model":"up","input":"a"}"#);
        let got: serde_json::Value = serde_json::from_str(&got).unwrap();
        assert_eq!(got["data"][0]["embedding"], "AAAAPwAAgD8=");
    }

    #[test]
    fn each_of_ollamas_requests_becomes_openais_and_is_answered_in_its_own_form() {
        let said = r#"{"data":[{"index":0,"embedding":[0.25]}],"model":"up","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
        let (sent, got) = across(
            Form::Embed,
            r#"{"model":"m","input":"a","keep_alive":"5m","options":{"num_ctx":9}}"#,
            Form::OpenAi,
            said,
        );
        assert_eq!(sent, r#"{"model":"up","input":"a"}"#);
        let got: serde_json::Value = serde_json::from_str(&got).unwrap();
        assert_eq!(
            (&got["model"], &got["embeddings"][0][0]),
            (&"up".into(), &0.25.into())
        );
        assert_eq!(got["prompt_eval_count"], 3);
        assert!(got["total_duration"].is_u64(), "{got}");
        let older = r#"{"model":"m","prompt":"a"}"#;
        let (sent, got) = across(Form::Embeddings, older, Form::OpenAi, said);
        assert_eq!(sent, r#"{"model":"up","input":"a"}"#);
        assert_eq!(got, r#"{"embedding":[0.25]}"#);
    }

    #[test]
    fn what_the_upstream_cannot_express_is_refused_by_the_clients_name_of_it() {
        let body = Bytes::from(r#"{"model":"m","input":[[1,2]]}"#);
        let refused = Vectors::new(Form::OpenAi, &body, Path::default()).write(Form::Embed, "up");
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.status.as_u16(), refused.param.as_deref()),
            (400, Some("input[0]"))
        );
        let body = Bytes::from(r#"{"model":"m"}"#);
        let refused = Vectors::new(Form::OpenAi, &body, Path::default()).write(Form::Embed, "up");
        assert_eq!(refused.unwrap_err().param.as_deref(), Some("input"));
    }

    #[test]
    fn a_reply_with_too_few_vectors_is_not_passed_on() {
        let body = Bytes::from(r#"{"model":"m","input":["a","b"]}"#);
        let vectors = Vectors::new(Form::OpenAi, &body, Path::default());
        let said = br#"{"embeddings":[[1]]}"#;
        assert!(
            vectors
                .rewritten(Form::Embed, said, "id".into(), ("up", None))
                .is_err()
        );
    }
}
