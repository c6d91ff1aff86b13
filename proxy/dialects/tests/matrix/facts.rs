//! What is heard of an answer: the facts that a client can tell.

use std::collections::BTreeMap;

use dragoman_dialects::form::{Finish, Part, Reply, Source, Vendor, message};
use serde_json::Value;

/// What an answer says, by what the documentation calls it.
pub(crate) type Facts = BTreeMap<&'static str, String>;

/// Every fact there is, in the order of the table.
pub(crate) const FACTS: [&str; 23] = [
    "text",
    "a second answer",
    "tool calls",
    "ids of calls",
    "reasoning",
    "signed reasoning",
    "reasoning that only Anthropic reads",
    "reasoning that only OpenAI reads",
    "a refusal in words",
    "an image",
    "probabilities of tokens",
    "end: done",
    "end: limit",
    "end: tool calls",
    "end: stop text",
    "which stop text",
    "end: filter",
    "end: refusal",
    "tokens of the prompt",
    "tokens of the answer",
    "tokens read from the cache",
    "tokens written to the cache",
    "tokens of reasoning",
];

/// What an answer says.
pub(crate) fn facts(reply: &Reply) -> Facts {
    let mut facts = Facts::new();
    for choice in &reply.choices {
        let said = message::joined_text(&choice.parts);
        let name = if choice.index == 0 {
            "text"
        } else {
            "a second answer"
        };
        if !said.is_empty() {
            facts.insert(name, said);
        }
        for part in &choice.parts {
            heard(part, &mut facts);
        }
        if let (0, Some(finish)) = (choice.index, &choice.finish) {
            end(finish, &mut facts);
        }
        if let Some(logprobs) = &choice.logprobs {
            let token = |token: &Value| format!("{}{}", token["token"], token["logprob"]);
            let tokens = logprobs["content"].as_array();
            let tokens = tokens.into_iter().flatten().map(token);
            facts.insert("probabilities of tokens", tokens.collect());
        }
    }
    if let Some(usage) = &reply.usage {
        let mut put = |name, count: Option<u64>| {
            facts.extend(count.map(|count| (name, count.to_string())));
        };
        put("tokens read from the cache", usage.cached_input);
        put("tokens written to the cache", usage.cache_write);
        put("tokens of reasoning", usage.reasoning);
        put("tokens of the prompt", Some(usage.input));
        put("tokens of the answer", Some(usage.output));
    }
    facts
}

fn heard(part: &Part, facts: &mut Facts) {
    let mut add = |name, text: &str| facts.entry(name).or_default().push_str(text);
    match part {
        Part::Reasoning {
            text,
            signature,
            encrypted,
            ..
        } => {
            if !text.is_empty() {
                add("reasoning", text);
            }
            if let Some(signature) = signature {
                add("signed reasoning", signature);
            }
            if let Some(encrypted) = encrypted {
                let fact = match encrypted.vendor {
                    Vendor::OpenAi => "reasoning that only OpenAI reads",
                    Vendor::Anthropic => "reasoning that only Anthropic reads",
                };
                add(fact, &encrypted.data);
            }
        }
        Part::Refusal(text) => add("a refusal in words", text),
        Part::Image {
            source: Source::Inline { data, .. },
            ..
        } => add("an image", data.as_str()),
        Part::ToolCall(call) => {
            let arguments: Value = serde_json::from_str(call.arguments.as_text()).unwrap();
            add("tool calls", &format!("{}{arguments};", call.name));
            add("ids of calls", &format!("{};", call.id));
        }
        _ => {}
    }
}

fn end(finish: &Finish, facts: &mut Facts) {
    let name = match finish {
        Finish::Stop => "end: done",
        Finish::StopSequence(_) => "end: stop text",
        Finish::Length => "end: limit",
        Finish::ToolCalls => "end: tool calls",
        Finish::ContentFilter => "end: filter",
        Finish::Refusal => "end: refusal",
        // Told to clients with the same words alone, of which the table says nothing.
        Finish::Pause => "end: paused",
        Finish::Other(_) => "end: broken off",
    };
    facts.insert(name, String::new());
    if let Finish::StopSequence(Some(text)) = finish {
        facts.insert("which stop text", text.clone());
    }
}
