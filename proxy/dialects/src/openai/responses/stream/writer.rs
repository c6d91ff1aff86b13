//! Writes events of a response.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::item::{Kind, Open, Piece, raw};
use crate::codec::{Context, StreamWriter};
use crate::form::{ErrorKind, Event, Failure, Finish, Usage};
use crate::framing::sse;
use crate::json::append;
use crate::openai::responses::reply::{Ids, Status, frame, summary};

/// Writes events as a response's.
#[derive(Debug)]
pub struct Writer {
    context: Context,
    ids: Ids,
    id: String,
    created: i64,
    sequence: u64,
    started: bool,
    /// Items that are not done, in order of output.
    open: Vec<Open>,
    /// Items that are, by place.
    output: Vec<(usize, Box<RawValue>)>,
    /// How many bytes of the answer are in either.
    kept: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Writer {
    /// A writer for one client.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        let ids = Ids::new(context);
        Self {
            id: ids.response(None),
            created: context.started.as_second(),
            context: context.clone(),
            ids,
            sequence: 0,
            started: false,
            open: Vec::new(),
            output: Vec::new(),
            kept: 0,
            finish: None,
            usage: None,
        }
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, _now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, created, .. } => {
                self.id = self.ids.response(id.as_deref());
                self.created = created.unwrap_or(self.created);
                self.start(out);
            }
            Event::Text {
                choice: 0,
                text,
                logprobs,
            } => self.text(false, &text, logprobs, out),
            Event::Refusal { choice: 0, text } => self.text(true, &text, None, out),
            Event::Reasoning { choice: 0, text } if self.context.reasoning => {
                self.reasoning(&text, out);
            }
            Event::ReasoningEncrypted { choice: 0, data } => self.encrypted(&data, out),
            Event::ToolStart {
                choice: 0,
                call,
                id,
                name,
                ..
            } => self.call(call, &id, &name, out),
            Event::ToolArguments {
                choice: 0,
                call,
                json,
            } => self.arguments(call, &json, out),
            Event::Finish { choice: 0, reason } => {
                self.finish = Some(reason);
                self.close(|_| true, out);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Ping => sse::keep_alive(out),
            Event::Failed(failure) => self.failed(&failure, out),
            Event::Done => self.done(out),
            _ => {}
        }
    }

    fn kept(&self) -> usize {
        self.kept
    }
}

/// A field of an item's event.
#[derive(Serialize)]
#[serde(untagged)]
enum Field<'a> {
    Number(usize),
    Text(&'a str),
    Raw(&'a RawValue),
}

impl Writer {
    /// Begins an event whose other fields follow.
    fn begin(&mut self, name: &str, out: &mut Vec<u8>) {
        sse::begin(Some(name), out);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        append(&self.sequence, out);
        self.sequence += 1;
    }

    fn field<T: serde::Serialize + ?Sized>(name: &str, value: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        append(value, out);
    }

    fn end(out: &mut Vec<u8>) {
        out.push(b'}');
        sse::end(out);
    }

    /// An event of an item's, with more fields.
    fn of_item(
        &mut self,
        name: &str,
        (id, place): (&str, usize),
        more: &[(&str, Field<'_>)],
        out: &mut Vec<u8>,
    ) {
        self.begin(name, out);
        Self::field("item_id", id, out);
        Self::field("output_index", &place, out);
        for (name, value) in more {
            Self::field(name, value, out);
        }
        Self::end(out);
    }

    /// The hot path: an item's delta, without a value in between.
    fn delta(
        &mut self,
        name: &str,
        place: usize,
        index: Option<(&str, usize)>,
        delta: &str,
        out: &mut Vec<u8>,
    ) {
        self.begin(name, out);
        Self::field("item_id", &self.open[place].id, out);
        Self::field("output_index", &self.open[place].place, out);
        if let Some((name, index)) = index {
            Self::field(name, &index, out);
        }
        Self::field("delta", delta, out);
    }

    fn response(&mut self, name: &str, status: &Status, out: &mut Vec<u8>) {
        let usage = self.usage.as_ref();
        let empty = Vec::new();
        let frame = frame(&self.id, self.created, status, empty, usage, &self.context);
        let output = std::mem::take(&mut self.output);
        let output: Vec<_> = output.into_iter().map(|(_, item)| item).collect();
        self.begin(name, out);
        out.extend_from_slice(b",\"response\":");
        for (number, (name, value)) in frame.iter().enumerate() {
            out.push(if number == 0 { b'{' } else { b',' });
            append(name, out);
            out.push(b':');
            if name == "output" {
                append(&output, out);
            } else {
                append(value, out);
            }
        }
        out.push(b'}');
        Self::end(out);
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.response("response.created", &Status::InProgress, out);
            self.response("response.in_progress", &Status::InProgress, out);
        }
    }

    /// Opens an item.
    fn add(&mut self, prefix: &str, kind: Kind, out: &mut Vec<u8>) -> usize {
        self.start(out);
        let place = self.output.len() + self.open.len();
        let id = self.ids.item(prefix, place);
        self.kept += size_of::<Open>() + id.len();
        let item = Open { place, id, kind };
        let value = item.value("in_progress");
        self.begin("response.output_item.added", out);
        Self::field("output_index", &place, out);
        Self::field("item", &value, out);
        Self::end(out);
        self.open.push(item);
        self.open.len() - 1
    }

    fn text(&mut self, refusal: bool, text: &str, logprobs: Option<Value>, out: &mut Vec<u8>) {
        self.close(
            |kind| !matches!(kind, Kind::Message { .. } | Kind::Call { .. }),
            out,
        );
        let found = |open: &Open| matches!(open.kind, Kind::Message { .. });
        let place = match self.open.iter().rposition(found) {
            // What follows a call is another message.
            Some(place) if place + 1 == self.open.len() => place,
            _ => {
                let done = Vec::new();
                self.close(|kind| matches!(kind, Kind::Message { .. }), out);
                self.add("msg", Kind::Message { done, part: None }, out)
            }
        };
        if let Kind::Message {
            part: Some(part), ..
        } = &self.open[place].kind
            && part.refusal != refusal
        {
            self.close_part(place, out);
        }
        let index = self.part(place, refusal, out);
        let Kind::Message { part, .. } = &mut self.open[place].kind else {
            return;
        };
        let part = part.get_or_insert_default();
        part.text.push_str(text);
        let said = logprobs.and_then(|value| value.get("content")?.as_array().cloned());
        let said = said.unwrap_or_default();
        self.kept += text.len() + part.add(&said);
        let index = Some(("content_index", index));
        if refusal {
            self.delta("response.refusal.delta", place, index, text, out);
        } else {
            self.delta("response.output_text.delta", place, index, text, out);
            Self::field("logprobs", &said, out);
        }
        Self::end(out);
    }

    /// The content index of the part that is going on; a new one is opened if there is none.
    fn part(&mut self, place: usize, refusal: bool, out: &mut Vec<u8>) -> usize {
        let Kind::Message { done, part } = &mut self.open[place].kind else {
            return 0;
        };
        let index = done.len();
        if part.is_none() {
            let new = Piece::new(refusal);
            let value = new.value();
            *part = Some(new);
            let (id, output) = (self.open[place].id.clone(), self.open[place].place);
            let more = [
                ("content_index", Field::Number(index)),
                ("part", Field::Raw(&value)),
            ];
            self.of_item("response.content_part.added", (&id, output), &more, out);
        }
        index
    }

    fn close_part(&mut self, number: usize, out: &mut Vec<u8>) {
        let Open { place, id, kind } = &mut self.open[number];
        let Kind::Message { done, part } = kind else {
            return;
        };
        let Some(part) = part.take() else {
            return;
        };
        let index = || ("content_index", Field::Number(done.len()));
        let (place, text) = (*place, Field::Text(&part.text));
        let value = part.value();
        let logprobs = part.logprobs();
        let (name, first) = if part.refusal {
            let more = vec![index(), ("refusal", text)];
            ("response.refusal.done", more)
        } else {
            let logprobs = Field::Raw(&logprobs);
            let more = vec![index(), ("text", text), ("logprobs", logprobs)];
            ("response.output_text.done", more)
        };
        let second = [index(), ("part", Field::Raw(&value))];
        let id = id.clone();
        self.of_item(name, (&id, place), &first, out);
        self.of_item("response.content_part.done", (&id, place), &second, out);
        if let Kind::Message { done, .. } = &mut self.open[number].kind {
            done.push(value);
        }
    }

    fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
        self.close(|kind| matches!(kind, Kind::Message { .. }), out);
        let place = self.reasoning_item(out);
        let Open {
            place: output,
            id,
            kind,
        } = &mut self.open[place];
        let Kind::Reasoning { text: all, .. } = kind else {
            return;
        };
        let first = all.is_empty();
        all.push_str(text);
        self.kept += text.len();
        if first {
            let (id, output) = (id.clone(), *output);
            let part = raw(&summary(""));
            let more = [
                ("summary_index", Field::Number(0)),
                ("part", Field::Raw(&part)),
            ];
            let name = "response.reasoning_summary_part.added";
            self.of_item(name, (&id, output), &more, out);
        }
        let name = "response.reasoning_summary_text.delta";
        self.delta(name, place, Some(("summary_index", 0)), text, out);
        Self::end(out);
    }

    /// The reasoning that is going on, or new.
    fn reasoning_item(&mut self, out: &mut Vec<u8>) -> usize {
        let found = |open: &Open| matches!(open.kind, Kind::Reasoning { .. });
        match self.open.iter().position(found) {
            Some(place) => place,
            None => {
                let kind = Kind::Reasoning {
                    text: String::new(),
                    encrypted: None,
                };
                self.add("rs", kind, out)
            }
        }
    }

    fn encrypted(&mut self, data: &str, out: &mut Vec<u8>) {
        self.close(|kind| matches!(kind, Kind::Message { .. }), out);
        let place = self.reasoning_item(out);
        if let Kind::Reasoning { encrypted, .. } = &mut self.open[place].kind {
            *encrypted = Some(data.to_owned());
            self.kept += data.len();
        }
        self.close(|kind| matches!(kind, Kind::Reasoning { .. }), out);
    }

    fn call(&mut self, call: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        self.close(|kind| !matches!(kind, Kind::Call { .. }), out);
        let kind = Kind::Call {
            call,
            call_id: id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
        };
        self.kept += id.len() + name.len();
        self.add("fc", kind, out);
    }

    fn arguments(&mut self, of: u32, json: &str, out: &mut Vec<u8>) {
        let found = |open: &Open| matches!(open.kind, Kind::Call { call, .. } if call == of);
        let Some(place) = self.open.iter().position(found) else {
            return;
        };
        if let Kind::Call { arguments, .. } = &mut self.open[place].kind {
            arguments.push_str(json);
            self.kept += json.len();
        }
        let name = "response.function_call_arguments.delta";
        self.delta(name, place, None, json, out);
        Self::end(out);
    }

    /// Ends the items that are so, in order.
    fn close(&mut self, which: impl Fn(&Kind) -> bool, out: &mut Vec<u8>) {
        let mut number = 0;
        while number < self.open.len() {
            if !which(&self.open[number].kind) {
                number += 1;
                continue;
            }
            self.close_part(number, out);
            let mut item = self.open.remove(number);
            let at = (item.id.as_str(), item.place);
            match &mut item.kind {
                Kind::Reasoning { text, .. } if !text.is_empty() => {
                    let index = || ("summary_index", Field::Number(0));
                    let more = [index(), ("text", Field::Text(text))];
                    self.of_item("response.reasoning_summary_text.done", at, &more, out);
                    let part = raw(&summary(text));
                    let more = [index(), ("part", Field::Raw(&part))];
                    self.of_item("response.reasoning_summary_part.done", at, &more, out);
                }
                Kind::Call {
                    name, arguments, ..
                } => {
                    if arguments.is_empty() {
                        arguments.push_str("{}");
                    }
                    let more = [
                        ("name", Field::Text(name)),
                        ("arguments", Field::Text(arguments)),
                    ];
                    self.of_item("response.function_call_arguments.done", at, &more, out);
                }
                _ => {}
            }
            let value = item.value("completed");
            self.begin("response.output_item.done", out);
            Self::field("output_index", &item.place, out);
            Self::field("item", &value, out);
            Self::end(out);
            let after = self
                .output
                .partition_point(|(place, _)| *place < item.place);
            self.output.insert(after, (item.place, value));
        }
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.close(|_| true, out);
        let finish = self.finish.take();
        let incomplete = matches!(
            finish,
            Some(Finish::Length | Finish::ContentFilter | Finish::Refusal)
        );
        let name = if incomplete {
            "response.incomplete"
        } else {
            "response.completed"
        };
        self.response(name, &Status::Ended(finish), out);
    }

    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        let known = failure.code.as_ref().and_then(Value::as_str);
        let code = known.unwrap_or(match failure.kind {
            ErrorKind::RateLimit => "rate_limit_exceeded",
            ErrorKind::InvalidRequest | ErrorKind::TooLarge => "invalid_prompt",
            _ => "server_error",
        });
        self.start(out);
        self.begin("error", out);
        Self::field("code", code, out);
        Self::field("message", &failure.message, out);
        Self::field("param", &failure.param, out);
        Self::end(out);
        let error = json!({"code": code, "message": failure.message});
        self.response("response.failed", &Status::Failed(error), out);
    }
}
