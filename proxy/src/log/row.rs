//! A draft, made a record.

use std::time::{Duration, Instant};

use dragoman_config::ObjectKey;
use dragoman_crds::{Dialect, LogBodies};
use dragoman_dialects::Wire;
use dragoman_dialects::form::Usage;
use dragoman_logbook::record::{Attempt, LONGEST_LINE, LONGEST_NAME, Record, cut};
use dragoman_logbook::replay::REPLAY;
use dragoman_logbook::store::micros;
use dragoman_logbook::web::Running;
use serde_json::Value;

use super::attributes;
use super::draft::{Draft, End, Tried};
use super::kept::Kept;
use super::mask;
use super::metrics::Metrics;
use super::said::{Said, said};
use super::tokens::{BYTES_A_TOKEN, Tokens};
use crate::access::usage::cost;
use crate::json;
use crate::state::State;
use crate::state::logging::Logging;

/// So much more than is kept is looked at for what is masked or redacted.
const MARGIN: usize = 4 << 10;
/// What the error of a request says whose client left.
const LEFT: &str = "the client left before the reply ended";

/// The row of a request.
pub(crate) fn record(
    draft: Draft,
    state: &State,
    metrics: &Metrics,
    tokens: &mut Tokens,
) -> Record {
    let proxy = &state.key;
    let logging = &state.logging;
    let bodies = draft.bodies;
    let said = match &draft.encoding {
        None => said(draft.wire, draft.framing, &draft.reply),
        Some(_) => Said::default(),
    };
    let answered = draft.answering.as_ref();
    let replayed = is_replay(&draft);
    let is_call = draft.wire.is_some() || draft.model_requested.is_some();
    let (usage, estimated) = match said.usage {
        // No model used anything for it.
        _ if replayed => (None, false),
        Some(usage) => (Some(usage), usage.estimated),
        None if is_call && answered.is_some() && draft.status < 400 => {
            (Some(estimate(&draft, &said, tokens)), true)
        }
        None => (None, false),
    };
    let price = draft.price.as_ref().filter(|_| answered.is_some());
    let cost = price
        .zip(usage.as_ref())
        .map(|(price, usage)| cost(price, usage));
    let error = match &draft.end {
        _ if draft.fault.is_some() => draft.fault.clone(),
        End::Broke(fault) => Some(fault.clone()),
        End::Left => Some(LEFT.to_owned()),
        End::Complete => said.failed.clone().or_else(|| refused(&draft)),
    };
    let error = error.map(|error| line(&logging.redacted(&mask::text(error.into()))));
    let upstream = upstream_time(&draft);
    let keeps = bodies != LogBodies::None;
    let headers = mask::headers(&draft.headers);
    let attributes = attributes::of(&draft, &said, &headers, logging, metrics);
    let content = said.content.filter(|_| keeps);
    let response_body = kept(&draft.reply, draft.encoding.as_deref(), bodies, logging);
    let replay_as = replay_as(&draft, response_body.as_deref());
    Record {
        id: draft.id.to_string(),
        started_at: micros(draft.started),
        completed_at: micros(draft.started + draft.took),
        proxy: proxy.to_string(),
        route: draft.route.as_ref().map(|route| name(&route.name)),
        namespace: draft
            .route
            .as_ref()
            .map_or_else(|| proxy.namespace.clone(), |route| name(&route.namespace)),
        client_address: draft.address.map(|address| address.to_string()),
        user_name: draft.user.as_ref().map(|user| name(&user.name)),
        method: draft.method.to_string(),
        path: line(&mask::target(draft.uri.path(), draft.uri.query())),
        client_dialect: Some(client_dialect(&draft).to_owned()),
        upstream_dialect: answered.map(|it| dialect(it.dialect)),
        backend: answered.map(|it| name(&it.backend)),
        upstream_url: answered
            .and(draft.tried.last())
            .map(|tried| line(&mask::url(&tried.url))),
        model_requested: draft.model_requested.as_deref().map(name),
        model_sent: answered.and(draft.model_sent.as_deref()).map(name),
        model_reported: said.model.as_deref().map(name),
        stream: streams(&draft),
        status: (draft.status != 0).then_some(draft.status),
        error,
        finish_reason: said.finish.as_deref().map(name),
        prompt_tokens: usage.as_ref().map(|usage| whole(usage.input)),
        completion_tokens: usage.as_ref().map(|usage| whole(usage.output)),
        cached_tokens: usage
            .as_ref()
            .and_then(|usage| usage.cached_input)
            .map(whole),
        reasoning_tokens: usage.as_ref().and_then(|usage| usage.reasoning).map(whole),
        tokens_estimated: estimated,
        cost: cost.map(whole),
        attempts: draft.tried.iter().map(attempt).collect(),
        request_bytes: whole(draft.request.total()),
        response_bytes: whole(draft.reply.total()),
        ttft_ms: draft.first.map(millis),
        duration_ms: millis(draft.took),
        upstream_ms: upstream,
        request_headers: headers,
        request_body: kept(&draft.request, None, bodies, logging),
        response_body,
        response_content: content.map(|content| text(&content, bodies, logging)),
        tool_calls: said
            .tool_calls
            .filter(|_| keeps)
            .map(|calls| masked(calls, logging)),
        attributes,
        replay_as,
    }
}

/// Whether its reply is one that was on record.
fn is_replay(draft: &Draft) -> bool {
    draft.tried.last().is_some_and(|it| it.backend == REPLAY)
}

/// The content type of a reply that came to its end and is kept to the byte, where its route replays: no other is read by proxies.
fn replay_as(draft: &Draft, kept: Option<&str>) -> Option<String> {
    if !draft.replays || draft.bodies != LogBodies::Full {
        return None;
    }
    let whole = matches!(draft.end, End::Complete) && !draft.reply.is_cut();
    let same = kept.unwrap_or_default().as_bytes() == draft.reply.head();
    // A NUL is no text to a database.
    let is_text = || memchr::memchr(0, draft.reply.head()).is_none();
    let kind = match &draft.content_type {
        Some(kind) => kind.to_str().ok()?,
        None => "",
    };
    (whole && same && is_text()).then(|| name(kind))
}

/// A request that has not ended.
pub(crate) fn running(draft: &Draft, proxy: &ObjectKey) -> Running {
    let answering = draft.answering.as_ref();
    let route = draft.route.as_ref();
    Running {
        id: draft.id.to_string(),
        started_at: micros(draft.started),
        proxy: proxy.to_string(),
        route: route.map(|route| name(&route.name)),
        namespace: route.map_or_else(|| proxy.namespace.clone(), |route| name(&route.namespace)),
        client_address: draft.address.map(|address| address.to_string()),
        user_name: draft.user.as_ref().map(|user| name(&user.name)),
        method: draft.method.to_string(),
        path: line(&mask::target(draft.uri.path(), draft.uri.query())),
        client_dialect: Some(client_dialect(draft).to_owned()),
        backend: answering.map(|it| name(&it.backend)),
        model_requested: draft.model_requested.as_deref().map(name),
        model_sent: answering.and(draft.model_sent.as_deref()).map(name),
        stream: streams(draft),
        ttft_ms: draft.first.map(millis),
        completion_tokens: i64::from(draft.pieces),
        response_bytes: whole(draft.reply.total()),
    }
}

/// What a body says, as far as it is kept; of what is no text, how long it was.
fn kept(
    kept: &Kept,
    encoding: Option<&str>,
    bodies: LogBodies,
    logging: &Logging,
) -> Option<String> {
    let head = match bodies {
        LogBodies::None => return None,
        // What is kept of it besides is for attributes.
        LogBodies::Truncated => shortened(kept.head(), logging.most.saturating_add(MARGIN)),
        LogBodies::Full => kept.head(),
    };
    if head.is_empty() {
        return None;
    }
    let length = kept.total();
    let is_cut = head.len() as u64 != length;
    if let Some(encoding) = encoding {
        return Some(format!("[{length} bytes, {}]", name(encoding)));
    }
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        // Cut within a character.
        Err(fault) if fault.error_len().is_none() && is_cut => {
            std::str::from_utf8(&head[..fault.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Some(format!("[{length} bytes that are not UTF-8]")),
    };
    let shown = text(whole, bodies, logging);
    Some(if is_cut && !shown.ends_with('…') {
        shown + "…"
    } else {
        shown
    })
}

fn shortened(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}

/// A text within the bound that the policy sets. Redacted first, so that no half of what must go is left.
fn text(text: &str, bodies: LogBodies, logging: &Logging) -> String {
    let text = mask::text(text.into());
    let text = logging.redacted(&text);
    match bodies {
        LogBodies::Truncated => cut(&text, logging.most).into_owned(),
        _ => text.into_owned(),
    }
}

/// The same without what is masked or redacted in its texts.
pub(super) fn masked(value: Value, logging: &Logging) -> Value {
    let shown = |text: String| logging.redacted(&mask::text(text.into())).into_owned();
    match value {
        Value::String(text) => Value::String(shown(text)),
        Value::Array(items) => items.into_iter().map(|it| masked(it, logging)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (shown(name), masked(value, logging)))
            .collect(),
        other => other,
    }
}

/// Whether a streamed reply is asked for: by the path, or by the body, as far as it is kept.
fn streams(draft: &Draft) -> bool {
    let in_body = || {
        let wire = draft.wire?;
        let body = draft.request.head();
        if draft.request.is_cut() || body.is_empty() {
            return None;
        }
        let members = json::scan(body, &["stream"]).ok()?;
        let ollamas = matches!(wire, Wire::OllamaChat | Wire::OllamaGenerate);
        Some(members.is_true(body, "stream") || (ollamas && members.get("stream").is_none()))
    };
    let by_reply = || draft.framing.is_some();
    draft.streams.or_else(in_body).unwrap_or_else(by_reply)
}

/// How a reply with an error's status says what is wrong, where it was an upstream's.
fn refused(draft: &Draft) -> Option<String> {
    if draft.status < 400 {
        return None;
    }
    let wire = draft.wire.unwrap_or(draft.speaks);
    let failure = wire.codec().read_error(draft.status, draft.reply.head());
    Some(failure.message).filter(|message| !message.is_empty())
}

/// What nobody told of tokens.
fn estimate(draft: &Draft, said: &Said, tokens: &mut Tokens) -> Usage {
    let now = Instant::now();
    let model = draft.model_sent.as_ref().or(draft.model_requested.as_ref());
    let model = model.map(String::as_str);
    let (asked, content) = (&draft.request, said.content.as_deref().unwrap_or_default());
    Usage {
        input: tokens.of_body(asked.head(), asked.total(), model, now),
        // Calls and thoughts are taken to be like the text.
        output: match content.len() as u64 {
            0 => said.length.div_ceil(BYTES_A_TOKEN),
            part => {
                let counted = tokens.of(content, model, now);
                counted.saturating_mul(said.length.max(part)).div_ceil(part)
            }
        },
        estimated: true,
        ..Usage::default()
    }
}

/// The time that backends took: each try, and the last one's reply to its end.
fn upstream_time(draft: &Draft) -> Option<i64> {
    draft.answering.as_ref()?;
    let (last, earlier) = draft.tried.split_last()?;
    let earlier: Duration = earlier.iter().map(|tried| tried.took).sum();
    let last = match (&draft.answering, last.status) {
        (Some(_), Some(_)) => draft.took.saturating_sub(last.from),
        _ => last.took,
    };
    Some(millis(earlier + last))
}

fn attempt(tried: &Tried) -> Attempt {
    Attempt {
        backend: name(&tried.backend),
        url: line(&mask::url(&tried.url)),
        status: tried.status,
        error: tried
            .fault
            .as_deref()
            .map(|fault| line(&mask::text(fault.into()))),
        started_ms: millis(tried.from),
        duration_ms: millis(tried.took),
    }
}

fn client_dialect(draft: &Draft) -> &'static str {
    match draft.wire.unwrap_or(draft.speaks) {
        Wire::Messages => "Anthropic",
        Wire::BedrockInvoke | Wire::BedrockText | Wire::BedrockConverse => "Bedrock",
        Wire::Chat | Wire::Responses | Wire::Completions if draft.azure => "AzureOpenAI",
        Wire::Chat | Wire::Responses | Wire::Completions => "OpenAI",
        Wire::Conversation | Wire::ConversationChat => "Conversation",
        Wire::Gemini => "Gemini",
        Wire::OllamaChat | Wire::OllamaGenerate => "Ollama",
        Wire::Tgi => "TGI",
    }
}

/// As manifests name it.
fn dialect(dialect: Dialect) -> String {
    match serde_json::to_value(dialect) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

fn name(name: impl AsRef<str>) -> String {
    cut(name.as_ref(), LONGEST_NAME).into_owned()
}

fn line(line: &str) -> String {
    cut(line, LONGEST_LINE).into_owned()
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
