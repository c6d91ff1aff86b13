//! A call whose client and backend speak different dialects: what is sent, and what the client gets.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use dragoman_crds::Dialect;
use dragoman_dialects::form::{Estimate, Garbage, Malformed, Reasoning, Refused, Request as Form};
use dragoman_dialects::ollama::load;
use dragoman_dialects::template::Stops;
use dragoman_dialects::{Context, Framing, Rope, StreamWriter, Target, Wire};
use dragoman_dialects::{conversation, gemini};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::body::Body;
use super::dispatch::Asked;
use super::error::{Blame, Refusal};
use super::metered::Metered;
use super::reply::respond;
use super::request_id::RequestId;
use super::{headers, judged, mirror, query};
use crate::access::response::{ContentDenied, Judging, Stopped};
use crate::access::usage::Meter;
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::state::route::Route;
use crate::think::disable;
use crate::translate::{
    Broken, Sink, Stream, Thinking, reply as whole, shows_reasoning, stream, untouched, wants_usage,
};
use crate::upstream::{Reply, ReplyBody};

/// How much of a translated chunk is made room for at once.
const ROOM: usize = 4 << 10;

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
    /// Whether models are asked not to think.
    quiet: bool,
    /// Whether replies may have to be changed.
    strips: bool,
    /// Whether tokens are counted, so that servers are asked to tell.
    metered: bool,
    form: OnceCell<Result<Form, Malformed>>,
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
            quiet: route.thinking.disable,
            strips: !route.rules.is_inert(),
            metered: false,
            form: OnceCell::new(),
        }
    }

    /// With tokens counted or not.
    pub(crate) fn metered(mut self, metered: bool) -> Self {
        self.metered = metered;
        self
    }

    /// Between whom is translated; none where the backend speaks the client's dialect, and bytes pass.
    pub(crate) fn ends(&self, backend: &Backend) -> Option<Ends> {
        let (client, upstream) = (self.client, backend.wire(self.client));
        let through = match client {
            // Its replies are few fields, and models behind it think in their text.
            Wire::Tgi => self.strips,
            // These vendors' models have a place of its own for what they think, and their replies say more than the form knows.
            Wire::Gemini | Wire::BedrockConverse | Wire::BedrockInvoke => self.quiet,
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
        let read = || self.client.codec().read_request(self.body, self.path);
        self.form.get_or_init(read)
    }

    /// Where a backend takes what is translated, below the base URL or the deployment; none where bytes pass.
    pub(crate) fn path(&self, backend: &Backend, model: &str) -> Option<Cow<'static, str>> {
        let ends = self.ends(backend)?;
        let streams = self.form().as_ref().is_ok_and(|form| form.stream);
        Some(dialect::path(ends.upstream, model, streams))
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
        let inexpressible = |refused: Refused| {
            let field = ends.client.codec().name_of(&refused.field);
            inexpressible(field, &refused)
        };
        let prompted = (ends.upstream == Wire::Tgi)
            .then(|| backend.template.apply(form.clone(), jiff::Timestamp::now()));
        let prompted = prompted.transpose().map_err(inexpressible)?;
        let form = prompted.as_ref().unwrap_or(form);
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

    /// Whether the client asked for a stream.
    pub(crate) fn streams(&self) -> bool {
        self.form().as_ref().is_ok_and(|form| form.stream)
    }

    /// Whether the client asked for reasoning, and did not ask to have it hidden.
    pub(crate) fn wants_reasoning(&self) -> bool {
        let form = self.form().as_ref().ok();
        let wanted = form.and_then(|form| form.reasoning.as_ref());
        wanted.is_some_and(|reasoning| reasoning.is_on() && !reasoning.hidden)
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
        let way = self.way(ends, backend, asked, None);
        let mut reply = load::reply(form);
        reply.model = Some(form.model.clone());
        let written = self.client.codec().write_reply(&reply, &way.context);
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        let body = Body::whole(written.into());
        Some(respond(StatusCode::OK, headers, body))
    }

    /// What is to be known when the reply comes.
    pub(crate) fn way(
        &self,
        ends: Ends,
        backend: &Backend,
        asked: &Asked,
        model: Option<String>,
    ) -> Way {
        let form = self.form().as_ref().ok();
        let codec = ends.client.codec();
        let wanted = self.wants_reasoning();
        let mut context = Context {
            request_id: asked.id.to_string(),
            model: form.map(|form| form.model.clone()).unwrap_or_default(),
            started: jiff::Timestamp::now(),
            stream_usage: form.is_some_and(|form| form.stream_usage),
            reasoning: wanted,
            echo: codec.echo(self.body),
        };
        let shown = shows_reasoning(ends.client, &context);
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
            model,
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
    ) -> Way {
        let (client, upstream) = (self.client, backend.wire(self.client));
        let mut way = self.way(Ends { client, upstream }, backend, asked, None);
        way.thinking.shown = true;
        way.context.reasoning = true;
        way.streams = streamed;
        way.stops = None;
        way.judging = Some(judging);
        way
    }
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

/// What is known of a translated call when its reply comes.
pub(crate) struct Way {
    pub(crate) ends: Ends,
    pub(crate) thinking: Thinking,
    pub(crate) context: Context,
    /// Whether the client asked for a stream.
    pub(crate) streams: bool,
    /// Whether its stream is to be one JSON array, as Gemini's is where no events are asked for.
    pub(crate) array: bool,
    /// What is to be trimmed from the reply's end, where the upstream leaves it there.
    pub(crate) stops: Option<Stops>,
    /// The model that the reply shall name, instead of the upstream's.
    pub(crate) model: Option<String>,
    /// The rules on the reply.
    pub(crate) judging: Option<Judging>,
    /// What is known of its usage, for an upstream that says none.
    pub(crate) estimate: Option<Estimate>,
}

/// Says how usage was found where it is not the upstream's: `estimated`.
pub(crate) static USAGE: HeaderName = HeaderName::from_static("x-dragoman-usage");
pub(crate) const ESTIMATED: HeaderValue = HeaderValue::from_static("estimated");

/// Passes on what a backend answered to a translated call.
///
/// # Errors
/// 502 when the reply cannot be read.
pub(crate) async fn answer(
    reply: Reply,
    way: Way,
    asked: &Asked,
    name: &str,
    backend: &Arc<Backend>,
    mut meter: Option<Meter>,
) -> Result<Response<Body>, Refusal> {
    let Way {
        ends,
        thinking,
        context,
        streams,
        array,
        stops,
        model,
        judging,
        estimate,
    } = way;
    if reply.status.as_u16() >= 400 {
        if let Some(meter) = &mut meter {
            meter.refund();
        }
        return Ok(mirror::in_dialect(reply, backend, ends, &context.request_id).await);
    }
    if let Some(denied) = judging.as_ref().and_then(Judging::refuses) {
        judged::note(&denied, asked.id);
        return Err(judged::denied(&denied));
    }
    let started = context.started;
    let (client, upstream) = (ends.client.codec(), ends.upstream.codec());
    let Reply {
        status,
        mut headers,
        body,
        ..
    } = reply;
    let streamed = is_stream(&headers);
    headers::downstream(&mut headers);
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::ETAG,
    ] {
        headers.remove(name);
    }
    let kind = if streams && !array {
        client.framing().media_type()
    } else {
        "application/json"
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let writer = || -> Box<dyn StreamWriter> {
        if array {
            Box::new(gemini::stream::Writer::array(&context))
        } else {
            client.stream_writer(&context)
        }
    };
    let sink = || {
        let keeper = Arc::clone(backend);
        Sink::new(writer(), thinking.clone(), model.clone())
            .estimating(estimate)
            .masking(move |said| masked(said, &keeper))
    };
    let reader = |stops: Option<Stops>| match stops {
        Some(stops) if !stops.is_empty() => stops.reader(upstream.stream_reader()),
        _ => upstream.stream_reader(),
    };
    let holds = judging.as_ref().is_some_and(Judging::holds_whole);
    if streamed && streams && !holds {
        let sink = sink()
            .metered(meter)
            .judged(judging.as_ref().map(Judging::stream));
        let stream = Stream::new(upstream.framing(), reader(stops), sink);
        let mut pipe = Pipe::new(body, stream, asked.id, name);
        if judging.is_some() {
            let began = pipe.begin().await;
            began.map_err(|denied| judged::denied(&denied))?;
        }
        return Ok(respond(status, headers, Body::translated(pipe)));
    }
    if streamed && !streams {
        return Err(unreadable(
            name,
            "sent a stream, though it was asked not to",
        ));
    }
    let whole_body = async |body: ReplyBody| {
        let said = body.collect(stream::LONGEST).await;
        let said = said.map_err(|fault| Refusal::upstream(name, &fault))?;
        said.ok_or_else(|| unreadable(name, "sent a reply that is too long"))
    };
    let way = whole::Way {
        stops: stops.as_ref(),
        thinking: &thinking,
        model: model.as_deref(),
        estimate,
    };
    let (mut written, estimated) = if let Some(judging) = judging {
        let mut form = if streamed {
            let reader = reader(stops);
            let collected = judged::collected(body, upstream, reader, name, meter.as_mut());
            let mut form = collected.await?;
            for choice in &mut form.choices {
                whole::strip(choice, &thinking);
            }
            form
        } else {
            let said = whole_body(body).await?;
            let form = whole::read(upstream, &said, way);
            let form = form.map_err(|garbage| self::garbage(name, &garbage))?;
            if let Some(meter) = &mut meter {
                whole::count(&form, meter);
            }
            form
        };
        if let Err(stopped) = judging.whole(&mut form).await {
            if let Stopped::Denied(denied) = &stopped {
                judged::note(denied, asked.id);
            }
            return Err(judged::stopped(stopped, name));
        }
        if streams {
            let thinking = Thinking {
                rules: Arc::new(untouched()),
                shown: thinking.shown,
            };
            (
                whole::told(form, Sink::new(writer(), thinking, model)),
                false,
            )
        } else {
            let estimated = form.usage.is_some_and(|usage| usage.estimated);
            (whole::written(form, client, &context), estimated)
        }
    } else if streams {
        let said = whole_body(body).await?;
        let sink = sink().metered(meter.take());
        let written = whole::streamed(upstream, &said, stops.as_ref(), sink);
        (
            written.map_err(|garbage| self::garbage(name, &garbage))?,
            false,
        )
    } else {
        let said = whole_body(body).await?;
        let written = whole::whole((upstream, client), &said, way, &context, meter.as_mut());
        written.map_err(|garbage| self::garbage(name, &garbage))?
    };
    if estimated {
        headers.insert(USAGE.clone(), ESTIMATED);
    }
    // TGI's root answers with a list, as what it stands in for does.
    if !streams && ends.client == Wire::Tgi && asked.path == "/" {
        written = dragoman_dialects::tgi::listed(written);
    }
    if !streams && ends.client == Wire::Conversation {
        let taken = jiff::Timestamp::now().duration_since(started);
        written = conversation::timed(written, taken.as_secs_f64().max(0.0));
    }
    let body = Body::whole(written.into()).metered(meter.map(Metered::counted));
    Ok(respond(status, headers, body))
}

pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    framing(headers).is_some()
}

/// How a reply is cut into events; none where it is no stream.
pub(crate) fn framing(headers: &HeaderMap) -> Option<Framing> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let framings = [Framing::Sse, Framing::Ndjson, Framing::EventStream];
    framings.into_iter().find(|framing| {
        let wanted = framing.media_type().as_bytes();
        kind.get(..wanted.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(wanted))
    })
}

/// A reply that cannot be read for what its backend did.
pub(crate) fn unreadable(backend: &str, what: &str) -> Refusal {
    let message = format!("Backend {backend:?} {what}.");
    Refusal {
        blame: Blame::Upstream,
        ..Refusal::client(StatusCode::BAD_GATEWAY, "upstream_failed", message)
    }
}

/// A reply that is not what its dialect says.
pub(crate) fn garbage(backend: &str, garbage: &Garbage) -> Refusal {
    let message = format!("Backend {backend:?} sent a reply that cannot be read. {garbage}");
    Refusal {
        blame: Blame::Upstream,
        ..Refusal::client(StatusCode::BAD_GATEWAY, "upstream_failed", message)
    }
}

fn masked(said: &str, backend: &Backend) -> String {
    let said = backend.masked(Bytes::copy_from_slice(said.as_bytes()));
    String::from_utf8_lossy(&said).into_owned()
}

/// A translated stream on its way to the client.
pub(crate) struct Pipe {
    /// None once it is over.
    body: Option<ReplyBody>,
    stream: Stream,
    /// What was written and has not been taken yet.
    pieces: VecDeque<Bytes>,
    id: RequestId,
    /// The backend's name within the route, for an error event.
    backend: Box<str>,
}

impl Pipe {
    fn new(body: ReplyBody, stream: Stream, id: RequestId, backend: &str) -> Self {
        Self {
            body: Some(body),
            stream,
            pieces: VecDeque::new(),
            id,
            backend: backend.into(),
        }
    }

    /// Waits until rules let something pass: before that a refusal can still be an error of its own.
    ///
    /// # Errors
    /// [`ContentDenied`], where they refuse the reply.
    pub(crate) async fn begin(&mut self) -> Result<(), ContentDenied> {
        let mut ready = VecDeque::new();
        while let Some(piece) = poll_fn(|cx| self.poll_chunk(cx)).await {
            ready.push_back(piece);
            if self.stream.has_said() {
                break;
            }
            if let Some(denied) = self.stream.denied() {
                return Err(denied.clone());
            }
        }
        ready.append(&mut self.pieces);
        self.pieces = ready;
        Ok(())
    }

    /// The next piece; none at the end. What breaks becomes the dialect's error event, and nothing follows it.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Task<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Some(piece));
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let chunk = ready!(body.poll_chunk(cx));
            let mut out = Rope::default();
            let ended = chunk.is_none();
            let outcome = match chunk {
                Some(Ok(chunk)) => {
                    out.tail().reserve(chunk.len() + ROOM);
                    let pushed = self.stream.push(chunk, &mut out);
                    pushed.map_err(|broken| broken_off(&self.backend, &broken))
                }
                Some(Err(fault)) => {
                    tracing::warn!(request_id = %self.id, backend = &*self.backend, kind = fault.kind(), "{fault}");
                    Err(Refusal::upstream(&self.backend, &fault))
                }
                None => {
                    let finished = self.stream.finish(&mut out);
                    finished.map_err(|broken| broken_off(&self.backend, &broken))
                }
            };
            if let Err(refusal) = &outcome {
                self.stream.fail(refusal.failure(), &mut out);
            }
            if let Some(denied) = self.stream.denied() {
                judged::note(denied, self.id);
                self.body = None;
            }
            // A stream that has had its end is read on, so that the connection can serve again; what it says is dropped.
            if ended || outcome.is_err() {
                self.body = None;
            }
            self.pieces.extend(out.into_pieces());
        }
    }
}

pub(crate) fn broken_off(backend: &str, broken: &Broken) -> Refusal {
    let message = format!("The stream of backend {backend:?} cannot be read on: {broken}.");
    let code = match broken {
        Broken::Cut => "upstream_cut",
        Broken::Uncut(_) | Broken::Garbage(_) | Broken::TooLong => "upstream_failed",
    };
    Refusal {
        blame: Blame::Upstream,
        retry: true,
        ..Refusal::client(StatusCode::BAD_GATEWAY, code, message)
    }
}
