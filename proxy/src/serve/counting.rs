//! A count of tokens whose client and backend speak different dialects that both count: Anthropic's and Gemini's.

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use dragoman_crds::Dialect;
use dragoman_dialects::form::{Malformed, Request as Form};
use dragoman_dialects::{Path, Target, Wire, anthropic, gemini};
use http::{HeaderMap, Response};

use super::body::Body;
use super::dispatch::Asked;
use super::error::Refusal;
use super::path::Operation;
use super::rewritten;
use super::translation::{self, Ends};
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::upstream::Reply;

/// The longest reply that is read.
const LONGEST: usize = 64 << 10;

/// A client's request to count tokens: read once, however many backends of another dialect are tried.
pub(crate) struct Counting<'a> {
    client: Wire,
    body: &'a Bytes,
    path: Path<'a>,
    form: OnceCell<Box<Result<Form, Malformed>>>,
}

impl<'a> Counting<'a> {
    /// The request, if it is one.
    pub(crate) fn of(operation: Operation<'_>, body: &'a Bytes, path: Path<'a>) -> Option<Self> {
        let client = match operation {
            Operation::CountTokens => Wire::Messages,
            Operation::GeminiCount(_) => Wire::Gemini,
            _ => return None,
        };
        let form = OnceCell::new();
        Some(Self {
            client,
            body,
            path,
            form,
        })
    }

    /// The dialect in which a backend counts; none where it gets the client's bytes, or does not count.
    pub(crate) fn upstream(&self, asked: &Asked, backend: &Backend) -> Option<Wire> {
        if backend.lists(&asked.method, &asked.path) {
            return None;
        }
        match (self.client, backend.dialect) {
            (Wire::Messages, Dialect::Gemini) => Some(Wire::Gemini),
            (Wire::Gemini, Dialect::Anthropic) => Some(Wire::Messages),
            _ => None,
        }
    }

    /// Where a backend counts that knows the model as `model`.
    pub(crate) fn path(upstream: Wire, model: &str) -> Cow<'static, str> {
        match upstream {
            Wire::Gemini => dialect::gemini(model, "countTokens").into(),
            _ => "/v1/messages/count_tokens".into(),
        }
    }

    fn form(&self) -> &Result<Form, Malformed> {
        let read = match self.client {
            Wire::Gemini => gemini::count::read_request,
            _ => anthropic::count::read_request,
        };
        self.form
            .get_or_init(|| Box::new(read(self.body, self.path)))
    }

    /// The body for a backend that knows the model as `model`.
    ///
    /// # Errors
    /// 400, where the client's dialect is spoken wrongly or the upstream's cannot express the request.
    pub(crate) fn write(&self, upstream: Wire, model: &str) -> Result<Bytes, Refusal> {
        let form = self.form().as_ref().map_err(translation::malformed)?;
        let target = Target {
            model,
            stream: false,
        };
        let write = match upstream {
            Wire::Gemini => gemini::count::write_request,
            _ => anthropic::count::write_request,
        };
        let written = write(form, target).map_err(|refused| {
            let field = self.client.codec().name_of(&refused.field);
            translation::inexpressible(field, &refused)
        })?;
        Ok(written.into())
    }

    /// Passes on what a backend answered.
    ///
    /// # Errors
    /// 502 when the reply cannot be read.
    pub(crate) async fn answer(
        &self,
        reply: Reply,
        upstream: Wire,
        asked: &Asked,
        who: (&str, &Backend),
    ) -> Result<Response<Body>, Refusal> {
        let ends = Ends {
            client: self.client,
            upstream,
        };
        let write = |said: &[u8], _: &mut HeaderMap| {
            let counted = match upstream {
                Wire::Gemini => gemini::count::read_reply(said),
                _ => anthropic::count::read_reply(said),
            }?;
            Ok(match self.client {
                Wire::Gemini => gemini::count::write_reply(counted),
                _ => anthropic::count::write_reply(counted),
            })
        };
        rewritten::answer(reply, ends, LONGEST, asked, who, write).await
    }
}
