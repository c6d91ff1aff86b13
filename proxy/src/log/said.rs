//! What a reply said, read from the bytes that its client got.

use std::fmt;

use bytes::Bytes;
use dragoman_dialects::form::{Finish, Part as Piece, Reply, Usage};
use dragoman_dialects::{Frame, Framing, StreamReader, Wire};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::kept::Kept;
use crate::access::usage::Finder;
use crate::array::{Array, Part};
use crate::translate::Collected;
use crate::translate::frames::{Frames, Uncut};

/// What a reply said.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// Its text; of several choices one after another.
    pub(crate) content: Option<String>,
    /// Its tool calls, as OpenAI's chat completions tell them.
    pub(crate) tool_calls: Option<Value>,
    /// Why the model stopped, in the words of the dialect.
    pub(crate) finish: Option<String>,
    /// The model that it says it is of.
    pub(crate) model: Option<String>,
    pub(crate) usage: Option<Usage>,
    /// How an error within a stream was told.
    pub(crate) failed: Option<String>,
    /// How many bytes its text and calls have.
    pub(crate) length: u64,
}

/// Reads a reply in the dialect of its client; none where it is of no model, and only tells of tokens, perhaps.
pub(crate) fn said(wire: Option<Wire>, framing: Option<Framing>, kept: &Kept) -> Said {
    let Some(wire) = wire else {
        return figures(kept);
    };
    match framing {
        Some(framing) => stream(wire, framing, kept),
        None => whole(wire, kept),
    }
}

fn whole(wire: Wire, kept: &Kept) -> Said {
    if wire == Wire::Gemini && kept.head().trim_ascii_start().starts_with(b"[") {
        return array(wire, kept);
    }
    if kept.is_cut() {
        return figures(kept);
    }
    let body = kept.head();
    let Ok(reply) = wire.codec().read_reply(body) else {
        return figures(kept);
    };
    let mut said = of(reply, wire);
    said.finish = reason(wire, body).or(said.finish);
    said
}

/// What is no conversation, or cut, may still tell of tokens.
fn figures(kept: &Kept) -> Said {
    let mut finder = Finder::default();
    finder.push(kept.head());
    finder.push(kept.tail());
    Said {
        usage: finder.usage(),
        ..Said::default()
    }
}

/// Reads events one after another.
struct Reading {
    wire: Wire,
    reader: Box<dyn StreamReader>,
    collected: Collected,
    finish: Option<String>,
}

impl Reading {
    fn new(wire: Wire) -> Self {
        Self {
            wire,
            reader: wire.codec().stream_reader(),
            collected: Collected::default(),
            finish: None,
        }
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<(), Unread> {
        self.finish = reason(self.wire, frame.data).or(self.finish.take());
        let collected = &mut self.collected;
        let read = self.reader.read(frame, &mut |event| collected.take(event));
        read.map_err(|_| Unread)
    }

    fn said(mut self) -> Said {
        let collected = &mut self.collected;
        let _ = self.reader.end(&mut |event| collected.take(event));
        let failed = self.collected.failed();
        let failed = failed.map(|failure| failure.message.clone());
        let mut said = of(self.collected.reply(), self.wire);
        said.finish = self.finish.or(said.finish);
        said.failed = failed;
        said
    }
}

/// A stream's events, the last ones of what was too long to be kept too. What cannot be read is the client's to see: what came before it is told.
fn stream(wire: Wire, framing: Framing, kept: &Kept) -> Said {
    let mut reading = Reading::new(wire);
    for part in [kept.head(), after_a_gap(framing, kept.tail())] {
        let mut frames = Frames::new(framing);
        let part = Bytes::copy_from_slice(part);
        let pushed = frames.push(part, |frame| reading.frame(frame));
        if pushed.is_ok() && !kept.is_cut() {
            let _ = frames.finish(|frame| reading.frame(frame));
        }
    }
    reading.said()
}

/// The elements of an array, in which Gemini streams where no events are asked for.
fn array(wire: Wire, kept: &Kept) -> Said {
    let mut reading = Reading::new(wire);
    let mut array = Array::default();
    array.feed(&Bytes::copy_from_slice(kept.head()));
    while let Ok(Some(part)) = array.next_part() {
        if let Part::Element(data) = part {
            let frame = Frame {
                data: &data,
                ..Frame::default()
            };
            if reading.frame(frame).is_err() {
                break;
            }
        }
    }
    reading.said()
}

struct Unread;

impl From<Uncut> for Unread {
    fn from(_: Uncut) -> Self {
        Self
    }
}

/// The end of a stream from where an event begins. Binary events have no such place that could be told.
fn after_a_gap(framing: Framing, tail: &[u8]) -> &[u8] {
    let mark: &[u8] = match framing {
        Framing::Sse => b"\n\n",
        Framing::Ndjson => b"\n",
        Framing::EventStream => return &[],
    };
    let at = memchr::memmem::find(tail, mark);
    at.and_then(|at| tail.get(at + mark.len()..))
        .unwrap_or_default()
}

fn of(reply: Reply, wire: Wire) -> Said {
    let mut texts = Vec::new();
    let mut calls = Vec::new();
    let mut length = 0;
    let finish = reply
        .choices
        .iter()
        .find_map(|choice| choice.finish.as_ref());
    let finish = finish.map(|finish| word(finish, wire));
    for choice in &reply.choices {
        let mut text = String::new();
        for part in &choice.parts {
            match part {
                Piece::Text { text: more, .. } | Piece::Refusal(more) => text.push_str(more),
                Piece::Reasoning { text, .. } => length += text.len(),
                Piece::ToolCall(call) => {
                    let arguments = call.arguments.as_text();
                    length += arguments.len();
                    calls.push(json!({
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": arguments},
                    }));
                }
                _ => {}
            }
        }
        length += text.len();
        if !text.is_empty() {
            texts.push(text);
        }
    }
    Said {
        content: (!texts.is_empty()).then(|| texts.join("\n\n")),
        tool_calls: (!calls.is_empty()).then(|| Value::Array(calls)),
        finish,
        model: reply.model.filter(|model| !model.is_empty()),
        usage: reply.usage.filter(|usage| !usage.lacks_input()),
        failed: None,
        length: length as u64,
    }
}

/// Why the model stopped, in the words that the client reads; none where this body or event does not say.
fn reason(wire: Wire, data: &[u8]) -> Option<String> {
    let name = match wire {
        Wire::Chat | Wire::Completions => "finish_reason",
        Wire::Tgi => "finish_reason",
        Wire::Messages | Wire::BedrockText => "stop_reason",
        Wire::BedrockConverse => "stopReason",
        Wire::Gemini => "finishReason",
        Wire::OllamaChat | Wire::OllamaGenerate => "done_reason",
        // Their words are within other words, or coded once more.
        Wire::BedrockInvoke | Wire::Responses | Wire::Conversation | Wire::ConversationChat => {
            return None;
        }
    };
    if !says_more_than_null(name, data) {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_slice(data);
    Word(name).deserialize(&mut deserializer).ok()?
}

/// Whether a member of this name may be something else than `null`, which it is in all of a stream's events but the last.
fn says_more_than_null(name: &str, data: &[u8]) -> bool {
    memchr::memmem::find_iter(data, name.as_bytes()).any(|at| {
        let rest = data[at + name.len()..].strip_prefix(b"\"");
        let value = rest.and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"));
        !value.is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
    })
}

/// The text of the member of a name, wherever dialects have it: at the top, or in one of these or the first element of one.
#[derive(Clone, Copy)]
struct Word<'n>(&'n str);

const AROUND: [&str; 4] = ["choices", "candidates", "delta", "details"];

impl<'de> DeserializeSeed<'de> for Word<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Word<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut word = None;
        while let Some(place) = members.next_key_seed(Name(self.0))? {
            match place {
                Place::Here => {
                    let value: Value = members.next_value()?;
                    word = value.as_str().map(str::to_owned).or(word);
                }
                Place::Within => {
                    let within = members.next_value_seed(self)?;
                    word = word.or(within);
                }
                Place::Elsewhere => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(word)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let word = elements.next_element_seed(self)?.flatten();
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(word)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// What the name of a member says of where the word is.
enum Place {
    Here,
    Within,
    Elsewhere,
}

struct Name<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Place, E> {
        Ok(match name {
            name if name == self.0 => Place::Here,
            name if AROUND.contains(&name) => Place::Within,
            _ => Place::Elsewhere,
        })
    }
}

/// A reason where the dialect's own word is not told plainly.
fn word(finish: &Finish, wire: Wire) -> String {
    let anthropic = matches!(wire, Wire::Messages | Wire::BedrockInvoke);
    let word = match finish {
        Finish::Stop | Finish::StopSequence(None) if anthropic => "end_turn",
        Finish::StopSequence(_) if anthropic => "stop_sequence",
        Finish::Length if anthropic => "max_tokens",
        Finish::ToolCalls if anthropic => "tool_use",
        Finish::Stop | Finish::StopSequence(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Refusal => "refusal",
        Finish::Pause => "pause_turn",
        Finish::Other(word) => word,
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> Kept {
        let mut kept = Kept::bounded(1 << 20);
        kept.push(body.as_bytes());
        kept
    }

    #[test]
    fn a_stream_is_put_together_with_its_calls() {
        let stream = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\",\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
        let said = said(Some(Wire::Chat), Some(Framing::Sse), &kept(stream));
        assert_eq!(said.content.as_deref(), Some("Hello"));
        assert_eq!(said.model.as_deref(), Some("m"));
        assert_eq!(said.finish.as_deref(), Some("tool_calls"));
        assert_eq!(
            said.tool_calls,
            Some(
                json!([{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}])
            )
        );
        assert_eq!(
            said.usage.map(|usage| (usage.input, usage.output)),
            Some((3, 5))
        );
    }

    #[test]
    fn a_stream_that_was_cut_off_tells_what_came() {
        let stream =
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: {\"choi";
        let said = said(Some(Wire::Chat), Some(Framing::Sse), &kept(stream));
        assert_eq!((said.content.as_deref(), said.finish), (Some("Hel"), None));
    }

    #[test]
    fn words_are_the_clients() {
        let body = r#"{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
        let said = said(Some(Wire::Messages), None, &kept(body));
        assert_eq!(
            (said.content.as_deref(), said.finish.as_deref()),
            (Some("Hi"), Some("end_turn"))
        );
    }

    #[test]
    fn odd_bodies_tell_what_they_tell() {
        let null = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"stop"}]}"#;
        let read = said(Some(Wire::Chat), None, &kept(null));
        assert_eq!((read.content, read.finish.as_deref()), (None, Some("stop")));
        assert_eq!(
            said(Some(Wire::Chat), None, &kept("<html>")),
            Said::default()
        );
        let vectors = r#"{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        let read = said(None, None, &kept(vectors));
        assert_eq!(read.usage.map(|usage| usage.input), Some(7));
    }

    #[test]
    fn the_end_of_a_long_stream_tells_of_tokens() {
        let mut long = Kept::bounded(1000);
        for _ in 0..5000 {
            long.push(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n");
        }
        long.push(b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5000}}\n\n");
        let said = said(Some(Wire::Chat), Some(Framing::Sse), &long);
        assert_eq!(said.usage.map(|usage| usage.output), Some(5000));
        assert_eq!(said.finish.as_deref(), Some("length"));
    }
}
