//! A response as a stream: it begins, each item in pieces and then whole, and it is told whole once more.

use serde_json::{Value, json};

use super::reply::{Response, text_part};
use crate::{
    answer::{Call, pieces},
    openai::with_extras,
    wire::{Event, Form, Frame},
};

/// Characters of a streamed piece of a call's arguments.
const FRAGMENT: usize = 6;

/// How this API's streams are written: with names, and without `[DONE]`.
pub(crate) fn form() -> Form {
    let message = "The server had an error while processing your request. Sorry about that!";
    let fault = json!({
        "type": "error",
        "sequence_number": 0,
        "code": "server_error",
        "message": message,
        "param": null,
    });
    Form {
        fault: Event {
            name: Some("error"),
            data: fault.to_string(),
            token: false,
        },
        frame: Frame::Events,
    }
}

/// The events of a response; without `done` it is not told whole.
pub(crate) fn events(response: &Response<'_>, chunk: Option<usize>, done: bool) -> Vec<Event> {
    let mut events = Events {
        all: vec![],
        extras: response.extras,
        item: 0,
    };
    let shell = response.shell("in_progress", &[], &Value::Null);
    events.push("response.created", json!({"response": shell}), false);
    events.push("response.in_progress", json!({"response": shell}), false);
    if let Some(thought) = response.choice.reasoning {
        let shown = response.summarized().then_some(thought);
        events.reasoning(response, shown);
    }
    if let Some(text) = &response.choice.text {
        events.message(response, text, chunk);
    }
    for (at, call) in response.choice.calls.iter().enumerate() {
        events.call(response, at, call);
    }
    if done {
        let whole = response.whole();
        let name = match whole["status"].as_str() {
            Some("incomplete") => "response.incomplete",
            _ => "response.completed",
        };
        events.push(name, json!({"response": whole}), false);
    }
    events.all
}

struct Events {
    all: Vec<Event>,
    extras: bool,
    /// The place of the item that is being told.
    item: usize,
}

impl Events {
    fn push(&mut self, name: &'static str, mut data: Value, token: bool) {
        data["type"] = name.into();
        data["sequence_number"] = self.all.len().into();
        let data = data.to_string();
        self.all.push(Event {
            name: Some(name),
            data: if self.extras {
                with_extras(&data)
            } else {
                data
            },
            token,
        });
    }

    fn begin(&mut self, item: &Value) {
        let added = json!({"output_index": self.item, "item": item});
        self.push("response.output_item.added", added, false);
    }

    fn end(&mut self, item: &Value) {
        let done = json!({"output_index": self.item, "item": item});
        self.push("response.output_item.done", done, false);
        self.item += 1;
    }

    fn reasoning(&mut self, response: &Response<'_>, thought: Option<&str>) {
        let empty = response.reasoning(None);
        self.begin(&empty);
        if let Some(thought) = thought {
            let at = json!({"item_id": empty["id"], "output_index": self.item, "summary_index": 0});
            let part = |text: &str| json!({"part": {"type": "summary_text", "text": text}});
            let name = "response.reasoning_summary_part.added";
            self.push(name, with(&at, &part("")), false);
            for piece in pieces(thought, None) {
                let name = "response.reasoning_summary_text.delta";
                self.push(name, with(&at, &json!({"delta": piece})), true);
            }
            let name = "response.reasoning_summary_text.done";
            self.push(name, with(&at, &json!({"text": thought})), false);
            let name = "response.reasoning_summary_part.done";
            self.push(name, with(&at, &part(thought)), false);
        }
        self.end(&response.reasoning(thought));
    }

    fn message(&mut self, response: &Response<'_>, text: &str, chunk: Option<usize>) {
        let empty = response.message("in_progress", &[]);
        self.begin(&empty);
        let at = json!({"item_id": empty["id"], "output_index": self.item, "content_index": 0});
        let part = |text: &str| json!({"part": text_part(text)});
        self.push("response.content_part.added", with(&at, &part("")), false);
        for piece in pieces(text, chunk) {
            let delta = with(&at, &json!({"delta": piece, "logprobs": []}));
            self.push("response.output_text.delta", delta, true);
        }
        let whole = with(&at, &json!({"text": text, "logprobs": []}));
        self.push("response.output_text.done", whole, false);
        self.push("response.content_part.done", with(&at, &part(text)), false);
        self.end(&response.message("completed", &[text_part(text)]));
    }

    fn call(&mut self, response: &Response<'_>, place: usize, call: &Call) {
        let empty = response.call(place, call, "in_progress", "");
        self.begin(&empty);
        let at = json!({"item_id": empty["id"], "output_index": self.item});
        for piece in pieces(&call.arguments, Some(FRAGMENT)) {
            let delta = with(&at, &json!({"delta": piece}));
            self.push("response.function_call_arguments.delta", delta, true);
        }
        let whole = with(
            &at,
            &json!({"name": call.name, "arguments": call.arguments}),
        );
        self.push("response.function_call_arguments.done", whole, false);
        self.end(&response.call(place, call, "completed", &call.arguments));
    }
}

/// The members of both.
fn with(at: &Value, more: &Value) -> Value {
    let mut both = at.clone();
    for (name, value) in more.as_object().into_iter().flatten() {
        both[name] = value.clone();
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answer::Choice, words::Behaviour};

    fn told(model: &str) -> (Vec<Value>, Value) {
        let body = json!({"model": model, "input": "hi there", "reasoning": {"summary": "auto"}});
        let fields = body.as_object().unwrap();
        let asked = super::super::asked(fields);
        let choice = Choice::of(&Behaviour::of(model).answer, &asked);
        let response = Response {
            id: 1,
            model,
            fields,
            choice: &choice,
            usage: Some(choice.usage(asked.prompt, 1)),
            extras: false,
        };
        let events = events(&response, None, true);
        let events = events
            .iter()
            .map(|event| serde_json::from_str(&event.data).unwrap());
        (events.collect(), response.whole())
    }

    #[test]
    fn a_stream_tells_each_item_in_pieces_then_whole_and_ends_with_the_response() {
        for model in ["echo", "reasoning", "parallel-tools"] {
            let (events, whole) = told(model);
            let (last, before) = events.split_last().unwrap();
            assert_eq!(last["response"], whole, "{model}");
            let done = before
                .iter()
                .filter(|event| event["type"] == "response.output_item.done");
            let items: Vec<_> = done.map(|event| event["item"].clone()).collect();
            assert_eq!(Value::from(items), whole["output"], "{model}");
            for (place, event) in events.iter().enumerate() {
                assert_eq!(event["sequence_number"], place, "{model}");
            }
        }
        let (_, whole) = told("echo");
        assert_eq!(whole["output"][0]["content"][0]["text"], "hi there");
        assert_eq!(whole["usage"]["output_tokens"], 2);
    }
}
