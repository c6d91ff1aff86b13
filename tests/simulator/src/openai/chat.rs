//! Chat completions.
//!
//! Sources: [the object](https://platform.openai.com/docs/api-reference/chat/object),
//! [its chunks](https://platform.openai.com/docs/api-reference/chat-streaming).

use serde_json::{Value, json};

use super::head::{Head, Piece, Tail, interleaved};
use crate::{
    answer::{Choice, Usage, pieces},
    wire::Event,
};

/// Characters of a streamed piece of a tool call's arguments.
const FRAGMENT: usize = 6;

/// The body of a plain reply with `n` choices.
pub(crate) fn plain(head: &Head, choice: &Choice, n: usize, usage: Option<Usage>) -> String {
    let choices: Vec<_> = (0..n)
        .map(|index| {
            let mut message = json!({"role": "assistant", "content": choice.text, "refusal": null});
            if let Some(reasoning) = choice.reasoning {
                message["reasoning_content"] = reasoning.into();
            }
            if !choice.calls.is_empty() {
                let calls = choice.calls.iter().enumerate().map(|(at, call)| {
                    json!({
                        "id": call_id(head, index, at),
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    })
                });
                message["tool_calls"] = calls.collect();
            }
            let finish = choice.finish;
            json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish})
        })
        .collect();
    head.reply("chat.completion", &choices, usage)
}

/// The events of a stream with `n` choices, interleaved. A piece of choice `i` is `i` characters
/// longer than `chunk`, so that the choices are cut at different places.
pub(crate) fn stream(
    head: &Head,
    choice: &Choice,
    n: usize,
    chunk: Option<usize>,
    tail: &Tail,
) -> Box<dyn Iterator<Item = Event> + Send> {
    let choices = (0..n)
        .map(|index| deltas(head, choice, index, chunk))
        .collect();
    head.events("chat.completion.chunk", interleaved(choices), tail)
}

fn deltas(head: &Head, choice: &Choice, index: usize, chunk: Option<usize>) -> Vec<Piece> {
    let piece = |delta: Value, token: bool, finish: Value| Piece {
        choice: format!(
            "{{\"index\":{index},\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}"
        ),
        token,
    };
    let token = |delta| piece(delta, true, Value::Null);
    let content = choice.text.as_ref().map(|_| "");
    let mut all = vec![piece(
        json!({"role": "assistant", "content": content, "refusal": null}),
        false,
        Value::Null,
    )];
    if let Some(reasoning) = choice.reasoning {
        let texts = pieces(reasoning, None).into_iter();
        all.extend(texts.map(|text| token(json!({"reasoning_content": text}))));
    }
    if let Some(text) = &choice.text {
        let texts = pieces(text, chunk.map(|size| size + index)).into_iter();
        all.extend(texts.map(|text| token(json!({"content": text}))));
    }
    for (at, call) in choice.calls.iter().enumerate() {
        all.push(token(json!({"tool_calls": [{
            "index": at,
            "id": call_id(head, index, at),
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }]})));
        let fragments = pieces(&call.arguments, Some(FRAGMENT)).into_iter();
        all.extend(fragments.map(|fragment| {
            token(json!({"tool_calls": [{"index": at, "function": {"arguments": fragment}}]}))
        }));
    }
    all.push(piece(json!({}), false, choice.finish.into()));
    all
}

fn call_id(head: &Head, choice: usize, call: usize) -> String {
    format!("call_{}_{choice}_{call}", head.id.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answer::Asked, words::Behaviour};

    fn head() -> Head {
        Head {
            id: "x-1".into(),
            model: "m".into(),
            fingerprint: "f".into(),
            extras: true,
            filtered: false,
        }
    }

    fn choice(model: &str) -> Choice {
        let asked = Asked {
            text: "hi <b> there".into(),
            ..Asked::default()
        };
        Choice::of(&Behaviour::of(model).answer, &asked)
    }

    fn chunks(model: &str, n: usize, chunk: Option<usize>) -> Vec<Value> {
        let usage = Some(Usage {
            prompt: 1,
            completion: 2,
            reasoning: 0,
        });
        let tail = Tail { usage, done: true };
        let events: Vec<_> = stream(&head(), &choice(model), n, chunk, &tail).collect();
        assert_eq!(events.last().unwrap().data, "[DONE]");
        let chunks = events[..events.len() - 1].iter();
        chunks
            .map(|event| serde_json::from_str(&event.data).unwrap())
            .collect()
    }

    fn joined(chunks: &[Value], index: usize, pointer: &str) -> String {
        let choices = chunks.iter().filter_map(|chunk| chunk["choices"].get(0));
        let mine = choices.filter(|choice| choice["index"] == index);
        mine.filter_map(|choice| choice.pointer(pointer)?.as_str())
            .collect()
    }

    #[test]
    fn a_stream_says_what_the_plain_reply_says() {
        for (model, pointer) in [
            ("echo", "/content"),
            ("think", "/content"),
            ("reasoning", "/reasoning_content"),
            ("tools", "/tool_calls/0/function/arguments"),
        ] {
            let whole: Value =
                serde_json::from_str(&plain(&head(), &choice(model), 2, None)).unwrap();
            for chunk in [None, Some(1), Some(3)] {
                let chunks = chunks(model, 2, chunk);
                for index in 0..2 {
                    let said = whole.pointer(&format!("/choices/{index}/message{pointer}"));
                    let joined = joined(&chunks, index, &format!("/delta{pointer}"));
                    assert_eq!(Some(joined.as_str()), said.unwrap().as_str());
                }
            }
        }
    }

    #[test]
    fn a_stream_begins_with_the_role_and_ends_with_usage() {
        let chunks = chunks("echo", 1, None);
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(chunks[0].get("usage"), Some(&Value::Null));
        let [.., finish, usage] = &chunks[..] else {
            panic!("too short")
        };
        assert_eq!(finish["choices"][0]["finish_reason"], "stop");
        assert_eq!(
            (&usage["choices"], &usage["usage"]["total_tokens"]),
            (&json!([]), &json!(3))
        );
        assert_eq!(usage["x_extra"]["kept"][2], "A/");
    }

    #[test]
    fn a_tool_call_comes_in_fragments_after_its_name() {
        let chunks = chunks("parallel-tools", 1, None);
        let calls: Vec<_> = chunks
            .iter()
            .filter_map(|c| c.pointer("/choices/0/delta/tool_calls/0"))
            .collect();
        assert_eq!(
            calls[0]["function"],
            json!({"name": "get_weather", "arguments": ""})
        );
        assert!(calls.iter().filter(|call| call["index"] == 1).count() > 2);
        let ids: Vec<_> = calls
            .iter()
            .filter_map(|call| call["id"].as_str())
            .collect();
        assert_eq!(ids, ["call_x_1_0_0", "call_x_1_0_1"]);
    }
}
