//! A client's conversation for backends of another dialect: what is sent.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_crds::Dialect;
use dragoman_dialects::anthropic::betas;
use dragoman_dialects::form::{
    Estimate, Field, Malformed, Reasoning, Refused, Request as Form, Sampling,
};
use dragoman_dialects::ollama::load;
use dragoman_dialects::openai::chat::request::with_reasoning;
use dragoman_dialects::{Context, Target, Wire};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::body::Body;
use super::dispatch::Asked;
use super::error::Refusal;
use super::query;
use super::reply::respond;
use super::translated::Way;
use crate::access::response::Judging;
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::state::route::Route;
use crate::think::disable;
use crate::translate::{Thinking, shows_reasoning, wants_usage};

/// Both ends of a translated call.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) client: Wire,
    pub(crate) upstream: Wire,
}

/// A client's conversation for backends of another dialect: read once, however many are tried.
pub(crate) struct Translation<'a> {
    client: Wire,
    body: &'a Bytes,
    path: dragoman_dialects::Path<'a>,
    /// The vendor's previews that the client's headers name, as a body has them.
    betas: Option<Value>,
    /// Whether models are asked not to think.
    quiet: bool,
    /// Whether tokens are counted, so that servers are asked to tell.
    metered: bool,
    /// Whether rules want the reply read.
    judged: bool,
    /// In a box, since most requests go where bytes pass, and whatever is in this is moved with every one of them.
    form: OnceCell<Box<Result<Form, Malformed>>>,
}

impl<'a> Translation<'a> {
    pub(crate) fn new(
        client: Wire,
        body: &'a Bytes,
        path: dragoman_dialects::Path<'a>,
        route: &Route,
    ) -> Self {
        Self {
            client,
            body,
            path,
            betas: None,
            quiet: route.thinking.disable,
            metered: false,
            judged: false,
            form: OnceCell::new(),
        }
    }

    /// With what the client's headers say of its vendor's previews.
    pub(crate) fn betas(mut self, headers: &HeaderMap) -> Self {
        if self.client == Wire::Messages {
            let values = headers.get_all(betas::HEADER).iter();
            self.betas = betas::of_headers(values.filter_map(|value| value.to_str().ok()));
        }
        self
    }

    /// With tokens counted or not.
    pub(crate) fn metered(mut self, metered: bool) -> Self {
        self.metered = metered;
        self
    }

    /// With a reply that rules want read, or not.
    pub(crate) fn judged(mut self, judged: bool) -> Self {
        self.judged = judged;
        self
    }

    /// Between whom is translated; none where the backend speaks the client's dialect, and bytes pass.
    pub(crate) fn ends(&self, backend: &Backend) -> Option<Ends> {
        let (client, upstream) = (self.client, backend.wire(self.client));
        let through = match client {
            // An array is not read, and who is asked by us is asked for events.
            Wire::Gemini => self.judged,
            // What a Mapper makes is read, and told as one that speaks OpenAI would.
            _ => backend.dialect == Dialect::Custom,
        };
        (client != upstream || through).then_some(Ends { client, upstream })
    }

    /// The form in which a backend is asked.
    pub(crate) fn upstream(&self, backend: &Backend) -> Wire {
        backend.wire(self.client)
    }

    fn form(&self) -> &Result<Form, Malformed> {
        let read = || {
            let mut form = self.client.codec().read_request(self.body, self.path)?;
            if let Some(names) = &self.betas {
                form.extra.insert(betas::FIELD.into(), names.clone());
            }
            Ok(form)
        };
        self.form.get_or_init(|| Box::new(read()))
    }

    /// Where a backend takes what is translated, below the base URL or the deployment; none where bytes pass.
    pub(crate) fn path(&self, backend: &Backend, model: &str) -> Option<Cow<'static, str>> {
        let ends = self.ends(backend)?;
        let streams = self.form().as_ref().is_ok_and(|form| form.stream);
        Some(dialect::path(ends.upstream, model, streams))
    }

    /// Adds what a body of the client's says and the upstream's dialect has a header for.
    pub(crate) fn headers(&self, backend: &Backend, headers: &mut HeaderMap) {
        let anthropic = self.upstream(backend) == Wire::Messages;
        let form = self.form().as_ref().ok().filter(|_| anthropic);
        let names = form.and_then(betas::header);
        if let Some(Ok(names)) = names.map(HeaderValue::try_from) {
            // What the backend's resource says goes before.
            headers.entry(betas::HEADER).or_insert(names);
        }
    }

    /// The body for a backend that knows the model as `model`.
    ///
    /// # Errors
    /// 400, where the client's dialect is spoken wrongly or the upstream's cannot express the request.
    pub(crate) fn write(
        &self,
        ends: Ends,
        backend: &Backend,
        model: &str,
    ) -> Result<Bytes, Refusal> {
        let form = self.form().as_ref().map_err(malformed)?;
        let quieted = self.quiet.then(|| quieted(form, ends.upstream));
        let form = quieted.as_ref().unwrap_or(form);
        let telling = (self.metered && !form.stream_usage).then(|| Form {
            stream_usage: true,
            ..form.clone()
        });
        let form = telling.as_ref().unwrap_or(form);
        let single = (ends.upstream == Wire::Messages && self.takes_one_call(form)).then(|| Form {
            parallel_tool_calls: Some(false),
            ..form.clone()
        });
        let form = single.as_ref().unwrap_or(form);
        let inexpressible = |refused: Refused| {
            let field = ends.client.codec().name_of(&refused.field);
            inexpressible(field, &refused)
        };
        let prompted = (ends.upstream == Wire::Tgi)
            .then(|| backend.template.apply(form.clone(), jiff::Timestamp::now()));
        let prompted = prompted.transpose().map_err(inexpressible)?;
        let form = prompted.as_ref().unwrap_or(form);
        let azures = match backend.dialect {
            Dialect::AzureOpenAI => for_azure(form).map_err(inexpressible)?,
            _ => None,
        };
        let form = azures.as_ref().unwrap_or(form);
        let sent = (ends.upstream == Wire::Chat && backend.takes_reasoning())
            .then(|| with_reasoning(form));
        let form = sent.as_ref().unwrap_or(form);
        let target = Target {
            model,
            stream: form.stream && backend.streams(),
        };
        let written = ends.upstream.codec().write_request(form, target);
        let written = Bytes::from(written.map_err(inexpressible)?);
        // Azure refuses fields that it does not know, and nobody knows what others do.
        let plain = matches!(backend.dialect, Dialect::AzureOpenAI | Dialect::Custom);
        if !self.quiet || ends.upstream != Wire::Chat || plain {
            return Ok(written);
        }
        let segments = disable::chat_body(&written).map_err(Refusal::malformed)?;
        Ok(segments.concat().into())
    }

    /// Whether the client can be told one call of a turn alone, since it said `functions`: whoever can is asked for no more.
    fn takes_one_call(&self, form: &Form) -> bool {
        let tools = form.parallel_tool_calls.is_none() && !form.tools.is_empty();
        tools
            && self
                .client
                .codec()
                .echo(self.body)
                .contains_key("functions")
    }

    /// Whether the client asked for a stream.
    pub(crate) fn streams(&self) -> bool {
        self.form().as_ref().is_ok_and(|form| form.stream)
    }

    /// Whether the client asked for reasoning, and did not ask to have it hidden.
    pub(crate) fn wants_reasoning(&self) -> bool {
        self.form()
            .as_ref()
            .is_ok_and(|form| match &form.reasoning {
                Some(reasoning) => reasoning.is_on() && !reasoning.hidden,
                None => form.encrypted_reasoning,
            })
    }

    /// Whether the client asked for no reasoning, or to have it hidden: it is shown none then, though its dialect has a place for it.
    fn hides_reasoning(&self) -> bool {
        let form = self.form().as_ref().ok();
        let asked = form.and_then(|form| form.reasoning.as_ref());
        asked.is_some_and(|reasoning| reasoning.hidden || !reasoning.is_on())
    }

    /// Whether requests of the client's dialect may only load a model.
    pub(crate) fn may_load(&self) -> bool {
        matches!(self.client, Wire::OllamaChat | Wire::OllamaGenerate)
    }

    /// The answer to a request that only loads a model, which no other dialect has: there is nothing to load.
    pub(crate) fn loaded(&self, backend: &Backend, asked: &Asked) -> Option<Response<Body>> {
        let ends = self.ends(backend)?;
        let form = self.form().as_ref().ok()?;
        if !load::is_load(form) {
            return None;
        }
        let way = self.way(ends, backend, asked, (&form.model, None));
        let reply = load::reply(form);
        let written = self.client.codec().write_reply(&reply, &way.context);
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        let body = Body::whole(written.into());
        Some(respond(StatusCode::OK, headers, body))
    }

    /// What is to be known when the reply comes. It names the model that the upstream says, or as which it was `sent`; or the one that was `requested`.
    pub(crate) fn way(
        &self,
        ends: Ends,
        backend: &Backend,
        asked: &Asked,
        (sent, requested): (&str, Option<String>),
    ) -> Way {
        let form = self.form().as_ref().ok();
        let codec = ends.client.codec();
        let wanted = self.wants_reasoning();
        let mut context = Context {
            request_id: asked.id.to_string(),
            model: requested.as_deref().unwrap_or(sent).to_owned(),
            started: jiff::Timestamp::now(),
            stream_usage: form.is_some_and(|form| form.stream_usage),
            reasoning: wanted,
            echo: codec.echo(self.body),
        };
        let shown = !self.hides_reasoning() && shows_reasoning(ends.client, &context);
        context.reasoning = shown;
        let thinking = Thinking {
            rules: Arc::clone(&asked.route().rules),
            shown,
        };
        Way {
            ends,
            thinking,
            context,
            streams: form.is_some_and(|form| form.stream),
            array: ends.client == Wire::Gemini && !query::asks_for_events(asked.uri.query()),
            stops: form
                .filter(|_| ends.upstream == Wire::Tgi)
                .map(|form| backend.template.stops_of(form)),
            model: requested,
            judging: None,
            estimate: form.filter(|_| wants_usage(ends.client)).map(Estimate::of),
        }
    }

    /// The same where the backend speaks the client's dialect, and rules want the reply read: all that it says is told again.
    pub(crate) fn way_back(
        &self,
        backend: &Backend,
        asked: &Asked,
        streamed: bool,
        judging: Judging,
        names: (&str, Option<String>),
    ) -> Way {
        let (client, upstream) = (self.client, backend.wire(self.client));
        let mut way = self.way(Ends { client, upstream }, backend, asked, names);
        way.thinking.shown = true;
        way.context.reasoning = true;
        way.streams = streamed;
        way.stops = None;
        way.judging = Some(judging);
        way
    }
}

/// The same request for Azure, if it says what compatible servers know of drawing tokens: Azure refuses fields that it does not know.
fn for_azure(form: &Form) -> Result<Option<Form>, Refused> {
    const PAGE: &str =
        "https://learn.microsoft.com/azure/ai-foundry/openai/reference#chat-completions";
    let sampling = &form.sampling;
    let is_more = |said: Option<f64>, neutral: f64| {
        said.is_some_and(|said| (said - neutral).abs() > f64::EPSILON)
    };
    let unknown = [
        (
            sampling.top_k.is_some_and(|top| top > 0),
            Field::TopK,
            "top_k",
        ),
        (is_more(sampling.min_p, 0.0), Field::MinP, "min_p"),
        (
            is_more(sampling.typical_p, 1.0),
            Field::TypicalP,
            "typical_p",
        ),
        (
            is_more(sampling.repetition_penalty, 1.0),
            Field::RepetitionPenalty,
            "repetition penalty",
        ),
    ];
    if let Some((_, field, what)) = unknown.into_iter().find(|(said, ..)| *said) {
        let message =
            format!("Azure OpenAI has no {what}; leave the field out, or choose another model.");
        return Err(Refused::new(field, message, PAGE));
    }
    let known = Sampling {
        top_k: None,
        min_p: None,
        typical_p: None,
        repetition_penalty: None,
        ..sampling.clone()
    };
    Ok((known != *sampling).then(|| Form {
        sampling: known,
        ..form.clone()
    }))
}

/// The same request of a model that is asked not to reason.
fn quieted(form: &Form, upstream: Wire) -> Form {
    let off = Reasoning {
        enabled: Some(false),
        ..Reasoning::default()
    };
    // OpenAI's servers are told in more ways than one, once the body is written.
    let reasoning = (upstream != Wire::Chat).then_some(off);
    Form {
        reasoning,
        ..form.clone()
    }
}

/// A body that is not what the client's dialect says.
pub(crate) fn malformed(fault: &Malformed) -> Refusal {
    let message = if fault.at.is_empty() {
        fault.message.clone()
    } else {
        format!("{}: {}", fault.at, fault.message)
    };
    Refusal {
        param: (!fault.at.is_empty()).then(|| fault.at.clone().into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "invalid_request", message)
    }
}

/// What an upstream's dialect cannot express, by the client's name of the field.
pub(crate) fn inexpressible(field: Cow<'static, str>, refused: &Refused) -> Refusal {
    let mut message = format!("{field}: {}", refused.message);
    if let Some(source) = refused.source {
        message.push_str(" See ");
        message.push_str(source);
    }
    Refusal {
        param: Some(field),
        ..Refusal::client(StatusCode::BAD_REQUEST, "unsupported_by_upstream", message)
    }
}
