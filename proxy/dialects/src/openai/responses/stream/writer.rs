//! Writes events of a response.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::item::{Kind, Open, Part, between, summary};
use crate::codec::{Context, StreamWriter};
use crate::form::{ErrorKind, Event, Failure, Finish, Usage, Vendor};
use crate::framing::sse;
use crate::json::append;
use crate::openai::responses::reply::{Ids, Status, frame};
use crate::rope::Rope;

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
    output: Vec<(usize, Rope)>,
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
    fn write(&mut self, event: Event<'_>, now: &dyn Fn() -> Timestamp, out: &mut Vec<u8>) {
        let mut rope = Rope::from(std::mem::take(out));
        self.share(event, now, &mut rope);
        *out = rope.into_vec();
    }

    fn share(&mut self, event: Event<'_>, _now: &dyn Fn() -> Timestamp, out: &mut Rope) {
        match event {
            Event::Start {
                id, model, created, ..
            } => {
                if let Some(model) = model {
                    self.context.model = model.into();
                }
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
            Event::ReasoningEncrypted {
                choice: 0,
                vendor: Vendor::OpenAi,
                data,
            } => self.encrypted(&data, out),
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
            Event::Ping => sse::keep_alive(out.tail()),
            Event::Failed(failure) => self.failed(&failure, out),
            Event::Done => self.done(out),
            _ => {}
        }
    }

    fn kept(&self) -> usize {
        self.kept
    }
}

impl Writer {
    /// Begins an event whose other fields follow.
    fn begin(&mut self, name: &str, out: &mut Rope) {
        let out = out.tail();
        sse::begin(Some(name), out);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        append(&self.sequence, out);
        self.sequence += 1;
    }

    /// Begins an event of an item's.
    fn begin_of(&mut self, name: &str, (id, place): (&str, usize), out: &mut Rope) {
        self.begin(name, out);
        field("item_id", id, out);
        field("output_index", &place, out);
    }

    /// Begins an event of an open item's, up to its delta. Returns the item.
    fn begin_delta(
        &mut self,
        name: &str,
        number: usize,
        index: Option<(&str, usize)>,
        out: &mut Rope,
    ) -> &mut Open {
        self.begin(name, out);
        let item = &mut self.open[number];
        field("item_id", &item.id, out);
        field("output_index", &item.place, out);
        if let Some((name, index)) = index {
            field(name, &index, out);
        }
        item
    }

    fn response(&mut self, name: &str, status: &Status, out: &mut Rope) {
        let usage = self.usage.as_ref();
        let empty = Vec::new();
        let about = (self.context.model.as_str(), &self.context);
        let frame = frame(&self.id, self.created, status, empty, usage, about);
        let mut output = std::mem::take(&mut self.output);
        self.begin(name, out);
        out.tail().extend_from_slice(b",\"response\":");
        for (number, (name, value)) in frame.iter().enumerate() {
            let tail = out.tail();
            tail.push(if number == 0 { b'{' } else { b',' });
            append(name, tail);
            tail.push(b':');
            if name == "output" {
                tail.push(b'[');
                for (number, (_, item)) in output.iter_mut().enumerate() {
                    let comma: &[u8] = if number == 0 { b"" } else { b"," };
                    between(comma, item, b"", out);
                }
                out.tail().push(b']');
            } else {
                append(value, tail);
            }
        }
        out.tail().push(b'}');
        end(out);
    }

    fn start(&mut self, out: &mut Rope) {
        if !std::mem::replace(&mut self.started, true) {
            self.response("response.created", &Status::InProgress, out);
            self.response("response.in_progress", &Status::InProgress, out);
        }
    }

    /// Opens an item.
    fn add(&mut self, prefix: &str, kind: Kind, out: &mut Rope) -> usize {
        self.start(out);
        let place = self.output.len() + self.open.len();
        let id = self.ids.item(prefix, place);
        self.kept += size_of::<Open>() + id.len();
        let mut item = Open { place, id, kind };
        self.begin("response.output_item.added", out);
        field("output_index", &place, out);
        out.tail().extend_from_slice(b",\"item\":");
        item.write("in_progress", out);
        end(out);
        self.open.push(item);
        self.open.len() - 1
    }

    fn text(&mut self, refusal: bool, text: &str, logprobs: Option<Value>, out: &mut Rope) {
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
        let index = Some(("content_index", self.part(place, refusal, out)));
        let name = if refusal {
            "response.refusal.delta"
        } else {
            "response.output_text.delta"
        };
        let item = self.begin_delta(name, place, index, out);
        let Kind::Message { part, .. } = &mut item.kind else {
            return;
        };
        let part = part.get_or_insert_default();
        let said = logprobs.and_then(|value| value.get("content")?.as_array().cloned());
        let said = said.unwrap_or_default();
        let kept = delta(text, &mut part.text, out) + part.add(&said);
        if !refusal {
            field("logprobs", &said, out);
        }
        self.kept += kept;
        end(out);
    }

    /// The content index of the part that is going on; a new one is opened if there is none.
    fn part(&mut self, number: usize, refusal: bool, out: &mut Rope) -> usize {
        let Open { place, id, kind } = &mut self.open[number];
        let Kind::Message { done, part } = kind else {
            return 0;
        };
        let index = done.len();
        if part.is_none() {
            *part = Some(Part::new(refusal));
            let (id, place) = (id.clone(), *place);
            self.begin_of("response.content_part.added", (&id, place), out);
            field("content_index", &index, out);
            out.tail().extend_from_slice(b",\"part\":");
            Part::new(refusal).write(out);
            end(out);
        }
        index
    }

    fn close_part(&mut self, number: usize, out: &mut Rope) {
        let Open { place, id, kind } = &mut self.open[number];
        let Kind::Message { done, part } = kind else {
            return;
        };
        let Some(mut part) = part.take() else {
            return;
        };
        let (index, id, place) = (done.len(), id.clone(), *place);
        if part.refusal {
            self.begin_of("response.refusal.done", (&id, place), out);
            field("content_index", &index, out);
            between(b",\"refusal\":\"", &mut part.text, b"\"", out);
        } else {
            self.begin_of("response.output_text.done", (&id, place), out);
            field("content_index", &index, out);
            between(b",\"text\":\"", &mut part.text, b"\"", out);
            between(b",\"logprobs\":[", &mut part.logprobs, b"]", out);
        }
        end(out);
        let mut whole = Rope::default();
        part.write(&mut whole);
        self.begin_of("response.content_part.done", (&id, place), out);
        field("content_index", &index, out);
        between(b",\"part\":", &mut whole, b"", out);
        end(out);
        if let Kind::Message { done, .. } = &mut self.open[number].kind {
            done.push(whole);
        }
    }

    fn reasoning(&mut self, text: &str, out: &mut Rope) {
        self.close(|kind| matches!(kind, Kind::Message { .. }), out);
        let number = self.reasoning_item(out);
        let Open { place, id, kind } = &self.open[number];
        if matches!(kind, Kind::Reasoning { text, .. } if text.is_empty()) {
            let (id, place) = (id.clone(), *place);
            let name = "response.reasoning_summary_part.added";
            self.begin_of(name, (&id, place), out);
            field("summary_index", &0, out);
            out.tail().extend_from_slice(b",\"part\":");
            summary(&mut Rope::default(), out);
            end(out);
        }
        let name = "response.reasoning_summary_text.delta";
        let item = self.begin_delta(name, number, Some(("summary_index", 0)), out);
        if let Kind::Reasoning { text: all, .. } = &mut item.kind {
            let kept = delta(text, all, out);
            self.kept += kept;
        }
        end(out);
    }

    /// The reasoning that is going on, or new.
    fn reasoning_item(&mut self, out: &mut Rope) -> usize {
        let found = |open: &Open| matches!(open.kind, Kind::Reasoning { .. });
        match self.open.iter().position(found) {
            Some(place) => place,
            None => {
                let kind = Kind::Reasoning {
                    text: Rope::default(),
                    encrypted: None,
                };
                self.add("rs", kind, out)
            }
        }
    }

    fn encrypted(&mut self, data: &str, out: &mut Rope) {
        self.close(|kind| matches!(kind, Kind::Message { .. }), out);
        let place = self.reasoning_item(out);
        if let Kind::Reasoning { encrypted, .. } = &mut self.open[place].kind {
            let mut text = Vec::with_capacity(data.len() + 2);
            append(data, &mut text);
            self.kept += text.len();
            *encrypted = Some(text.into());
        }
        self.close(|kind| matches!(kind, Kind::Reasoning { .. }), out);
    }

    fn call(&mut self, call: u32, id: &str, name: &str, out: &mut Rope) {
        self.close(|kind| !matches!(kind, Kind::Call { .. }), out);
        let kind = Kind::Call {
            call,
            call_id: id.to_owned(),
            name: name.to_owned(),
            arguments: Rope::default(),
        };
        self.kept += id.len() + name.len();
        self.add("fc", kind, out);
    }

    fn arguments(&mut self, of: u32, json: &str, out: &mut Rope) {
        let found = |open: &Open| matches!(open.kind, Kind::Call { call, .. } if call == of);
        let Some(number) = self.open.iter().position(found) else {
            return;
        };
        let name = "response.function_call_arguments.delta";
        let item = self.begin_delta(name, number, None, out);
        if let Kind::Call { arguments, .. } = &mut item.kind {
            let kept = delta(json, arguments, out);
            self.kept += kept;
        }
        end(out);
    }

    /// Ends the items that are so, in order.
    fn close(&mut self, which: impl Fn(&Kind) -> bool, out: &mut Rope) {
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
                    self.begin_of("response.reasoning_summary_text.done", at, out);
                    field("summary_index", &0, out);
                    between(b",\"text\":\"", text, b"\"", out);
                    end(out);
                    self.begin_of("response.reasoning_summary_part.done", at, out);
                    field("summary_index", &0, out);
                    out.tail().extend_from_slice(b",\"part\":");
                    summary(text, out);
                    end(out);
                }
                Kind::Call {
                    name, arguments, ..
                } => {
                    if arguments.is_empty() {
                        arguments.keep(b"{}");
                    }
                    self.begin_of("response.function_call_arguments.done", at, out);
                    field("name", name, out);
                    between(b",\"arguments\":\"", arguments, b"\"", out);
                    end(out);
                }
                _ => {}
            }
            let place = item.place;
            let mut whole = Rope::default();
            item.write("completed", &mut whole);
            self.begin("response.output_item.done", out);
            field("output_index", &place, out);
            between(b",\"item\":", &mut whole, b"", out);
            end(out);
            let after = self.output.partition_point(|(other, _)| *other < place);
            self.output.insert(after, (place, whole));
        }
    }

    fn done(&mut self, out: &mut Rope) {
        self.start(out);
        self.close(|_| true, out);
        let finish = self.finish.take();
        let incomplete = matches!(
            finish,
            Some(
                Finish::Length
                    | Finish::Pause
                    | Finish::ContentFilter
                    | Finish::Refusal
                    | Finish::Other(_)
            )
        );
        let name = if incomplete {
            "response.incomplete"
        } else {
            "response.completed"
        };
        self.response(name, &Status::Ended(finish), out);
    }

    fn failed(&mut self, failure: &Failure, out: &mut Rope) {
        let known = failure.code.as_ref().and_then(Value::as_str);
        let code = known.unwrap_or(match failure.kind {
            ErrorKind::RateLimit => "rate_limit_exceeded",
            ErrorKind::InvalidRequest | ErrorKind::TooLarge => "invalid_prompt",
            _ => "server_error",
        });
        self.start(out);
        self.begin("error", out);
        field("code", code, out);
        field("message", &failure.message, out);
        field("param", &failure.param, out);
        end(out);
        let error = json!({"code": code, "message": failure.message});
        self.response("response.failed", &Status::Failed(error), out);
    }
}

fn field<T: Serialize + ?Sized>(name: &str, value: &T, out: &mut Rope) {
    let out = out.tail();
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    append(value, out);
}

/// Writes a delta, and keeps the inside of its string; how many bytes that has.
fn delta(text: &str, kept: &mut Rope, out: &mut Rope) -> usize {
    let out = out.tail();
    out.extend_from_slice(b",\"delta\":");
    let start = out.len() + 1;
    append(text, out);
    let inside = out.get(start..out.len() - 1).unwrap_or_default();
    kept.keep(inside);
    inside.len()
}

fn end(out: &mut Rope) {
    let out = out.tail();
    out.push(b'}');
    sse::end(out);
}
