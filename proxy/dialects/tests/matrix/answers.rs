//! Answers that between them hold every fact.

use dragoman_dialects::Context;
use dragoman_dialects::form::{
    Arguments, Base64, Choice, Encrypted, Finish, Part, Reply, Source, ToolCall, Usage,
};
use serde_json::{Map, Value, json};

/// What a proxy knows of the request.
pub(crate) fn context() -> Context {
    Context {
        request_id: "019aa5c0-0000-7000-8000-000000000001".into(),
        model: "m".into(),
        started: "2026-11-21T07:00:00Z".parse().unwrap(),
        stream_usage: true,
        reasoning: true,
        echo: Map::new(),
    }
}

/// Answers that between them hold every fact, by name.
pub(crate) fn answers() -> Vec<(&'static str, Reply)> {
    let text = || Part::text("The cat is in the box.");
    let reasoning = |signature: Option<&str>| Part::Reasoning {
        text: "Boxes first, then beds.".into(),
        signature: signature.map(str::to_owned),
        encrypted: None,
        id: None,
    };
    let hidden = |encrypted: Encrypted| Part::Reasoning {
        text: String::new(),
        signature: None,
        encrypted: Some(encrypted),
        id: Some("rs_1".into()),
    };
    let by_openai = hidden(Encrypted::by_openai("Z0FBQUE=".into()));
    let by_anthropic = hidden(Encrypted::by_anthropic("ZW5j".into()));
    let calls = vec![
        reasoning(None),
        Part::text("Looking in both."),
        call("call_a", json!({"at": "box \"1\"", "deep": {"n": [1, 2]}})),
        call("call_b", json!({})),
    ];
    let mut two = answer(vec![text()], Finish::Stop);
    two.choices.push(Choice {
        index: 1,
        parts: vec![Part::text("Try the bed.")],
        finish: Some(Finish::Stop),
        logprobs: None,
    });
    let mut measured = answer(vec![text()], Finish::Stop);
    measured.choices[0].logprobs = Some(json!({
        "content": [{"token": "The", "logprob": -0.5, "bytes": [84, 104, 101], "top_logprobs": []}],
    }));
    let image = Part::Image {
        source: Source::Inline {
            media_type: Some("image/png".into()),
            data: Base64::new("iVBORw0KGgo=".into()),
        },
        detail: None,
        cache: None,
    };
    let stop = Finish::StopSequence(Some("END".into()));
    let refusal = Part::Refusal("I may not say.".into());
    vec![
        ("text", answer(vec![text()], Finish::Stop)),
        ("calls", answer(calls, Finish::ToolCalls)),
        (
            "reasoning",
            answer(vec![reasoning(None), text()], Finish::Stop),
        ),
        (
            "signed reasoning",
            answer(vec![reasoning(Some("c2ln")), text()], Finish::Stop),
        ),
        (
            "reasoning hidden by OpenAI",
            answer(vec![by_openai, text()], Finish::Stop),
        ),
        (
            "reasoning hidden by Anthropic",
            answer(vec![by_anthropic, text()], Finish::Stop),
        ),
        ("limit", answer(vec![text()], Finish::Length)),
        ("stop text", answer(vec![text()], stop)),
        ("filter", answer(vec![text()], Finish::ContentFilter)),
        ("refusal", answer(vec![refusal], Finish::Refusal)),
        ("an image", answer(vec![text(), image], Finish::Stop)),
        ("two", two),
        ("probabilities", measured),
    ]
}

fn call(id: &str, arguments: Value) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: Arguments::from_text(arguments.to_string()),
        signature: None,
    })
}

fn answer(parts: Vec<Part>, finish: Finish) -> Reply {
    let choice = Choice {
        index: 0,
        parts,
        finish: Some(finish),
        logprobs: None,
    };
    Reply {
        id: Some("answer_1".into()),
        model: Some("m".into()),
        created: Some(1_763_708_400),
        choices: vec![choice],
        usage: Some(Usage {
            input: 120,
            output: 34,
            cached_input: Some(60),
            cache_write: Some(20),
            reasoning: Some(11),
            ..Usage::default()
        }),
        extra: Map::new(),
    }
}
