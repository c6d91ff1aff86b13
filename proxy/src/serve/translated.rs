//! A call whose client and backend speak different dialects: what the client gets.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::bounds::Bounded;
use dragoman_dialects::ends::Ended;
use dragoman_dialects::form::Estimate;
use dragoman_dialects::template::Stops;
use dragoman_dialects::{Context, Framing, StreamReader, StreamWriter, Wire};
use dragoman_dialects::{conversation, gemini};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::body::Body;
use super::dispatch::Asked;
use super::error::{Refusal, bounded};
use super::metered::Metered;
use super::pipe::Pipe;
use super::reply::respond;
use super::translation::Ends;
use super::unreadable::Whose;
use super::{headers, judged, mirror};
use crate::access::response::Judging;
use crate::access::usage::Meter;
use crate::state::backend::Backend;
use crate::translate::{Sink, Stream, Thinking, reply as whole, stream, untouched};
use crate::upstream::{Reply, ReplyBody};

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

/// The most that a client is shown of an error within a stream, in bytes.
const SHOWN: usize = 4 << 10;

/// Says how usage was found where it is not the upstream's: `estimated`.
pub(crate) static USAGE: HeaderName = HeaderName::from_static("x-dragoman-usage");
pub(crate) const ESTIMATED: HeaderValue = HeaderValue::from_static("estimated");

/// Passes on what a backend answered to a translated call. The reply takes the meter along.
///
/// # Errors
/// 502 when the reply cannot be read.
pub(crate) async fn answer(
    reply: Reply,
    way: Way,
    asked: &Asked,
    (name, backend): (&str, &Arc<Backend>),
    meter: &mut Option<Meter>,
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
        if let Some(mut meter) = meter.take() {
            meter.refund();
        }
        return Ok(mirror::in_dialect(reply, backend, ends, &context.request_id).await);
    }
    if let Some(denied) = judging.as_ref().and_then(Judging::refuses) {
        judged::note(&denied, asked.id, &asked.worker.shared);
        return Err(judged::denied(&denied));
    }
    let whose = Whose {
        backend,
        name,
        id: asked.id,
    };
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
    let ends_alike = ends.client.ends_like(ends.upstream);
    let reader = |stops: Option<Stops>| -> Box<dyn StreamReader> {
        let mut reader: Box<dyn StreamReader> = Box::new(Bounded(upstream.stream_reader()));
        if let Some(stops) = stops {
            reader = stops.reader(reader);
        }
        if ends_alike {
            return reader;
        }
        Box::new(Ended::new(reader))
    };
    let holds = judging.as_ref().is_some_and(Judging::holds_whole);
    if streamed && streams && !holds {
        let sink = sink()
            .metered(meter.take())
            .judged(judging.as_ref().map(Judging::stream));
        let stream = Stream::new(upstream.framing(), reader(stops), sink);
        let mut pipe = Pipe::new(body, stream, asked, name, backend);
        if judging.is_some() {
            let began = pipe.begin().await;
            began.map_err(|stopped| judged::refusal(&stopped, name))?;
        }
        return Ok(respond(status, headers, Body::translated(pipe)));
    }
    if streamed && !streams {
        return Err(whose.did("sent a stream, though it was asked not to"));
    }
    let whole_body = async |body: ReplyBody| {
        let said = body.collect(stream::LONGEST).await;
        let said = said.map_err(|fault| whose.fault(&fault))?;
        said.ok_or_else(|| whose.did("sent a reply that is too long"))
    };
    let way = whole::Way {
        stops: stops.as_ref(),
        thinking: &thinking,
        model: model.as_deref(),
        estimate,
        ends_alike,
    };
    let (mut written, estimated) = if let Some(judging) = judging {
        let mut form = if streamed {
            let reader = reader(stops);
            let collected = judged::collected(body, upstream, reader, whose, meter.as_mut());
            let mut form = collected.await?;
            for choice in &mut form.choices {
                whole::strip(choice, &thinking);
            }
            form
        } else {
            let said = whole_body(body).await?;
            let form = whole::read(upstream, &said, way);
            let form = form.map_err(|broken| whose.whole(&broken))?;
            if let Some(meter) = meter {
                whole::count(&form, meter);
            }
            form
        };
        if let Err(stopped) = judging.whole(&mut form).await {
            return Err(judged::stopped(&stopped, name, asked));
        }
        if streams {
            let thinking = Thinking {
                rules: Arc::new(untouched()),
                shown: thinking.shown,
            };
            let told = whole::told(form, Sink::new(writer(), thinking, model));
            (told.map_err(|untold| whose.untold(&untold))?, false)
        } else {
            let estimated = form.usage.is_some_and(|usage| usage.estimated);
            let written = whole::written(form, client, &context);
            (written.map_err(|untold| whose.untold(&untold))?, estimated)
        }
    } else if streams {
        let said = whole_body(body).await?;
        let (ending, meter) = ((stops.as_ref(), ends_alike), meter.as_mut());
        let written = whole::streamed(upstream, &said, ending, sink(), meter);
        (written.map_err(|broken| whose.whole(&broken))?, false)
    } else {
        let said = whole_body(body).await?;
        let written = whole::whole((upstream, client), &said, way, &context, meter.as_mut());
        written.map_err(|broken| whose.whole(&broken))?
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
    let body = Body::whole(written.into()).metered(meter.take().map(Metered::counted));
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

/// What an error within a stream may say: no secret, and not without end. Cut last, so that no half of a secret is left.
fn masked(said: &str, backend: &Backend) -> String {
    let said = backend.masked(Bytes::copy_from_slice(said.as_bytes()));
    bounded(&String::from_utf8_lossy(&said), SHOWN).to_owned()
}
