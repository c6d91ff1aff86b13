//! What whole requests become.

use super::*;

fn whole(segments: Vec<Bytes>) -> String {
    String::from_utf8(segments.concat()).unwrap()
}

fn chat_of(body: &'static str) -> String {
    whole(chat_body(&Bytes::from_static(body.as_bytes())).unwrap())
}

/// A chat's `messages` after the edit; the body is otherwise as short as it can be.
fn messages(messages: &str) -> String {
    let body = format!("{{\"chat_template_kwargs\":{OFF},\"messages\":{messages}}}");
    let edited = whole(chat_body(&body.into()).unwrap());
    edited
        .split_once("\"messages\":")
        .unwrap()
        .1
        .strip_suffix('}')
        .unwrap()
        .to_owned()
}

fn prompt(prompt: &str) -> String {
    let body = format!("{{\"prompt\":{prompt}}}");
    let edited = whole(completions_body(&body.into()).unwrap());
    edited
        .strip_prefix("{\"prompt\":")
        .unwrap()
        .strip_suffix('}')
        .unwrap()
        .to_owned()
}

#[test]
fn a_chat_is_marked_once_and_told_by_template_argument() {
    let body = r#"{"model":"q", "messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"\u00e9 c"},{"role":"tool","content":"t"}],"stream":true}"#;
    let marked = r#"{"model":"q", "messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"\u00e9 c /no_think"},{"role":"tool","content":"t"}],"stream":true,"chat_template_kwargs":{"enable_thinking":false}}"#;
    assert_eq!(chat_of(body), marked);
    assert_eq!(chat_of(marked), marked);
}

#[test]
fn other_template_arguments_stay() {
    let kwargs = |kwargs: &str| {
        let body = format!("{{\"chat_template_kwargs\":{kwargs}}}");
        let edited = whole(chat_body(&body.into()).unwrap());
        edited
            .strip_prefix("{\"chat_template_kwargs\":")
            .unwrap()
            .strip_suffix('}')
            .unwrap()
            .to_owned()
    };
    assert_eq!(kwargs(r#"{"a": 1}"#), r#"{"a": 1,"enable_thinking":false}"#);
    assert_eq!(
        kwargs(r#"{"enable_thinking":true, "a":1}"#),
        r#"{"enable_thinking":false, "a":1}"#
    );
    assert_eq!(kwargs("{}"), r#"{"enable_thinking":false}"#);
    assert_eq!(kwargs("null"), r#"{"enable_thinking":false}"#);
    assert_eq!(
        chat_of(r#"{"chat_template_kwargs":{},"chat_template_kwargs":{"enable_thinking":true}}"#),
        r#"{"chat_template_kwargs":{"enable_thinking":false},"chat_template_kwargs":{"enable_thinking":false}}"#
    );
}

#[test]
fn the_last_text_part_is_marked() {
    assert_eq!(
        messages(
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"image_url","image_url":{"url":"x"}}]}]"#
        ),
        r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b /no_think"},{"type":"image_url","image_url":{"url":"x"}}]}]"#
    );
    assert_eq!(
        messages(r#"[{"role":"user","content":[{"type":"image_url"}]}]"#),
        r#"[{"role":"user","content":[{"type":"image_url"},{"type":"text","text":"/no_think"}]}]"#
    );
    let marked = r#"[{"role":"user","content":[{"type":"text","text":"/no_think a"},{"type":"text","text":"b"}]}]"#;
    assert_eq!(messages(marked), marked);
}

#[test]
fn whoever_has_no_user_text_is_left_alone() {
    for unmarked in [
        "null",
        "[]",
        "[1,null]",
        r#"[{"role":"system","content":"s"}]"#,
        r#"[{"role":"user","content":null}]"#,
        r#"[{"role":"user"}]"#,
        r#"{"role":"user","content":"x"}"#,
    ] {
        assert_eq!(messages(unmarked), unmarked);
    }
}

#[test]
fn every_text_prompt_is_marked() {
    assert_eq!(prompt(r#""Say \"hi\"""#), r#""Say \"hi\" /no_think""#);
    assert_eq!(prompt(r#""Hi \n""#), r#""Hi /no_think""#);
    assert_eq!(
        prompt(r#"["a", "b\t", "c /no_think"]"#),
        r#"["a /no_think", "b /no_think", "c /no_think"]"#
    );
    for unmarked in ["[1,2,3]", "[[1,2],[3]]", "null", "[]"] {
        assert_eq!(prompt(unmarked), unmarked);
    }
}

#[test]
fn every_duplicate_is_marked() {
    let body = Bytes::from_static(br#"{"prompt":"a","\u0070rompt":"b"}"#);
    assert_eq!(
        whole(completions_body(&body).unwrap()),
        r#"{"prompt":"a /no_think","\u0070rompt":"b /no_think"}"#
    );
}

/// A body of another dialect's, edited in full.
fn edited(
    body: &'static str,
    change: impl FnOnce(&mut ObjectEdit<'_, '_, &'static str>),
) -> String {
    let members = scan(body.as_bytes(), &NAMES).unwrap();
    let mut edit = ObjectEdit::new(&members);
    change(&mut edit);
    whole(splice(&Bytes::from_static(body.as_bytes()), edit.finish()))
}

#[test]
fn anthropics_thinking_is_disabled_and_all_else_stays() {
    let disabled = |body, model| edited(body, |edit| super::messages(edit, model));
    assert_eq!(
        disabled(
            r#"{"thinking":{"type":"enabled","budget_tokens":1024}, "x":"\u00e9"}"#,
            "claude-opus-4-7"
        ),
        r#"{"thinking":{"type":"disabled"}, "x":"\u00e9"}"#
    );
    let body = r#"{"messages":[],"max_tokens":9}"#;
    assert_eq!(
        disabled(body, "kimi-k2"),
        r#"{"messages":[],"max_tokens":9,"thinking":{"type":"disabled"}}"#
    );
    assert_eq!(disabled(body, "claude-3-5-sonnet-20241022"), body);
}

#[test]
fn ollama_is_told_not_to_think_whatever_the_client_asked() {
    for (body, told) in [
        (r#"{"prompt":"a"}"#, r#"{"prompt":"a","think":false}"#),
        (r#"{"think":"high", "x":1}"#, r#"{"think":false, "x":1}"#),
        (
            r#"{"think":true,"think":1}"#,
            r#"{"think":false,"think":false}"#,
        ),
    ] {
        assert_eq!(edited(body, ollama), told);
    }
}

#[test]
fn a_malformed_body_is_refused() {
    assert!(chat_body(&Bytes::from_static(b"{\"messages\":[}")).is_err());
    assert!(completions_body(&Bytes::from_static(b"[]")).is_err());
}

/// A body edited for an upstream's model.
fn told(wire: Wire, model: &str, body: &'static str) -> String {
    let members = scan(body.as_bytes(), &NAMES).unwrap();
    let mut edit = ObjectEdit::new(&members);
    let mut edits = request(wire, model, body.as_bytes(), &members, &mut edit).unwrap();
    edits.extend(edit.finish());
    whole(splice(&Bytes::from_static(body.as_bytes()), edits))
}

#[test]
fn gemini_is_told_within_its_configuration_as_the_model_takes_it() {
    let off = r#""thinkingConfig":{"thinkingBudget":0}"#;
    for (model, body, expected) in [
        (
            "gemini-2.5-flash",
            r#"{"contents":[], "x":"\u00e9"}"#,
            format!(r#"{{"contents":[], "x":"\u00e9","generationConfig":{{{off}}}}}"#),
        ),
        (
            "gemini-2.5-flash",
            r#"{"generationConfig":{"topP": 1.0, "thinkingConfig":{"includeThoughts":true,"thinkingBudget":9}, "x":[ ]}}"#,
            format!(r#"{{"generationConfig":{{"topP": 1.0, {off}, "x":[ ]}}}}"#),
        ),
        (
            "gemini-2.5-flash",
            r#"{"generation_config":{"thinking_config":{"thinking_budget":9}}}"#,
            format!(r#"{{"generation_config":{{{off}}}}}"#)
                .replace("thinkingConfig", "thinking_config"),
        ),
        (
            "gemini-2.5-flash",
            r#"{"generationConfig":null}"#,
            format!(r#"{{"generationConfig":{{{off}}}}}"#),
        ),
        (
            "gemini-3-pro-preview",
            "{}",
            r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW"}}}"#.to_owned(),
        ),
        ("gemini-2.0-flash", "{}", "{}".to_owned()),
    ] {
        assert_eq!(told(Wire::Gemini, model, body), expected, "{model} {body}");
    }
}

#[test]
fn converse_is_told_among_the_models_own_fields() {
    let claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let off = r#""thinking":{"type":"disabled"}"#;
    for (model, body, expected) in [
        (
            claude,
            r#"{"messages":[] , "additionalModelRequestFields":{"top_k": 5,"thinking":{"type":"enabled","budget_tokens":1024}}}"#,
            format!(r#"{{"messages":[] , "additionalModelRequestFields":{{"top_k": 5,{off}}}}}"#),
        ),
        (
            claude,
            "{}",
            format!(r#"{{"additionalModelRequestFields":{{{off}}}}}"#),
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            "{}",
            "{}".to_owned(),
        ),
        ("amazon.nova-pro-v1:0", "{}", "{}".to_owned()),
        (
            "openai.gpt-oss-120b-1:0",
            "{}",
            r#"{"additionalModelRequestFields":{"reasoning_effort":"low"}}"#.to_owned(),
        ),
    ] {
        assert_eq!(
            told(Wire::BedrockConverse, model, body),
            expected,
            "{model}"
        );
    }
}

#[test]
fn anthropics_bodies_are_told_at_bedrock_and_others_are_not() {
    let body = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":9}"#;
    let expected = body.replace("9}", r#"9,"thinking":{"type":"disabled"}}"#);
    assert_eq!(
        told(Wire::BedrockInvoke, "anthropic.claude-sonnet-4-5", body),
        expected
    );
    for other in [
        r#"{"inputText":"a"}"#,
        r#"{"messages":[],"inferenceConfig":{}}"#,
    ] {
        assert_eq!(
            told(Wire::BedrockInvoke, "amazon.nova-lite-v1:0", other),
            other
        );
    }
}
