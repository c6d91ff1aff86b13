//! Prompt templates.

use std::fmt::Write as _;

use dragoman_dialects::form::{Request, Role};
use dragoman_dialects::template::{BuiltIn, Custom, LIMIT, Template};
use dragoman_dialects::{Codec, Path, openai};
use serde_json::{Value, json};

use crate::golden::{Case, context};

fn request(messages: Value) -> Request {
    let body = json!({"model": "m", "messages": messages}).to_string();
    openai::Chat
        .read_request(body.as_bytes(), Path::default())
        .unwrap()
}

fn prompt(template: &Template, messages: Value) -> Result<String, String> {
    let request = template
        .apply(request(messages), context().started)
        .map_err(|refused| refused.message)?;
    assert!(request.raw);
    assert_eq!(request.max_tokens, Some(LIMIT));
    assert_eq!(request.messages[0].role, Role::User);
    Ok(dragoman_dialects::form::message::joined_text(
        &request.messages[0].parts,
    ))
}

fn custom(source: &str) -> Template {
    let custom = Custom {
        source: source.into(),
        bos_token: "<s>".into(),
        eos_token: "</s>".into(),
        stops: vec!["###".into()],
    };
    Template::custom(custom).unwrap()
}

/// The conversations that every template must give a prompt for.
fn conversations() -> Vec<(&'static str, Value)> {
    let system = json!({"role": "system", "content": " Answer briefly. "});
    let user = |text: &str| json!({"role": "user", "content": text});
    let model = |text: &str| json!({"role": "assistant", "content": text});
    vec![
        ("one question", json!([user("Hi")])),
        (
            "a conversation",
            json!([system, user("Hi"), model("Hello."), user("Bye\n")]),
        ),
        ("a system message alone", json!([system])),
        (
            "two user turns in a row",
            json!([user("Hi"), user("You there?")]),
        ),
        (
            "a later system message",
            json!([user("Hi"), model("Hello."), {"role": "developer", "content": "In French."}, user("Bye")]),
        ),
        (
            "a list of texts",
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
        ),
        (
            "tools",
            json!([
                user("Weather?"),
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "rain"},
            ]),
        ),
        (
            "an answer to be continued",
            json!([user("Name a cat."), model("It is ")]),
        ),
        ("the model first", json!([model("Hello."), user("Hi")])),
    ]
}

#[test]
fn every_built_in_template_writes_what_its_vendor_publishes() {
    for (name, kind) in BuiltIn::ALL {
        let mut all = String::new();
        for (title, messages) in conversations() {
            let prompt = prompt(&kind.into(), messages).unwrap();
            writeln!(all, "==== {title}\n{prompt}⏎").unwrap();
        }
        Case::new("template", "").assert(&format!("{name}.txt"), &all);
        assert_eq!(BuiltIn::named(name), Some(kind));
    }
}

/// As Hugging Face's models have it: whitespace control, Python's methods, `tojson`, exceptions, loop controls, the date.
const SOURCE: &str = r#"{%- if strftime_now is defined %}{%- set date = strftime_now("%d %b %Y") %}{%- endif %}
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'].strip() %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = '' %}
{%- endif %}
{{- '[' + date + '] ' + system + '\n' }}
{% for message in messages %}
    {% if message.role not in ['user', 'assistant', 'tool'] %}
        {{ raise_exception('Only user, assistant and tool, not ' + message.role + '!') }}
    {% endif %}
    {% if loop.index0 > 50 %}{% break %}{% endif %}
    {%- if message.role == 'assistant' %}
        {%- generation %}
{{ 'M: ' + message.content | trim }}{% if message.tool_calls %}{% for call in message.tool_calls %}{{ call.function | tojson }}{% endfor %}{% endif %}{{ eos_token }}
        {%- endgeneration %}
    {%- else %}
{{ message.role.upper()[0] }}: {{ message.content.split('<x>')[-1] }}
    {%- endif %}
{% endfor %}
{% if add_generation_prompt %}
M:{% endif %}"#;

#[test]
fn a_custom_template_runs_as_hugging_face_runs_it() {
    let template = custom(SOURCE);
    let mut all = String::new();
    for (title, messages) in conversations() {
        let prompt = prompt(&template, messages).unwrap_or_else(|refused| refused);
        writeln!(all, "==== {title}\n{prompt}⏎").unwrap();
    }
    Case::new("template", "").assert("custom.txt", &all);
    assert_eq!(template.stops(), ["###", "</s>"]);
}

#[test]
fn a_template_that_is_none_is_told_with_its_line() {
    let custom = Custom {
        source: "a\n{% if x %}\n{{ y ".into(),
        ..Custom::default()
    };
    let fault = Template::custom(custom).unwrap_err();
    assert_eq!(fault.line, 3);
    assert!(!fault.message.is_empty());
}

#[test]
fn a_template_cannot_run_for_ever_nor_write_without_end() {
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set text = 'x' * 1000000 %}{% for a in range(1000) %}{{ text }}{% endfor %}",
    ] {
        let fault = prompt(&custom(source), json!([{"role": "user", "content": "x"}])).unwrap_err();
        assert!(fault.ends_with('.'), "{fault}");
    }
}

#[test]
fn python_and_html_are_told_apart_in_json() {
    let source =
        "{{ {'a': ['<b>', 1, none, true], 'ü': 'x&y'} | tojson }}|{{ [1] | tojson(indent=2) }}";
    let written = prompt(&custom(source), json!([{"role": "user", "content": "x"}])).unwrap();
    assert_eq!(
        written,
        "{\"a\": [\"<b>\", 1, null, true], \"ü\": \"x&y\"}|[\n  1\n]"
    );
}

#[test]
fn namespaces_reversed_lists_and_pythons_strings_work() {
    let source = r#"{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- if ns.last == -1 and message.role == 'user' and not message.content.startswith('<t>') %}
        {%- set ns.last = (messages|length - 1) - loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string and message.reasoning_content is not defined and tools is none %}
        {{- message.content.split('</think>')[-1].lstrip('\n').rstrip() + '|' }}
    {%- endif %}
    {%- for call in message.tool_calls or [] %}{% for name, value in call.function.arguments.items() %}{{ name ~ '=' ~ value }}{% endfor %}{% endfor %}
{%- endfor %}
{{- ns.last }}{{ messages[0].get('missing', 'x') }}{{ "%s-%02d" | format('a', 3) }}"#;
    let messages = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "<think>x</think>\n\nb ", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"n\": 1}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "<t>"},
    ]);
    assert_eq!(
        prompt(&custom(source), messages).unwrap(),
        "a|b|n=1<t>|0xa-03"
    );
}

#[test]
fn the_templates_stops_are_added_once_and_a_plain_prompt_stays_as_it_stands() {
    let template = Template::from(BuiltIn::ChatMl);
    let mut of_client = request(json!([{"role": "user", "content": "x"}]));
    of_client.stop = vec!["<|im_end|>".into(), "END".into()];
    of_client.max_tokens = Some(5);
    let applied = template.apply(of_client, context().started).unwrap();
    assert_eq!(applied.stop, ["<|im_end|>", "END"]);
    assert_eq!(applied.max_tokens, Some(5));
    let mut raw = request(json!([{"role": "user", "content": "x"}]));
    raw.raw = true;
    assert_eq!(
        template.apply(raw.clone(), context().started),
        Ok(raw.clone())
    );
    assert!(template.stops_of(&raw).is_empty());
}

#[test]
fn what_no_text_can_say_is_refused_by_its_place() {
    let sound = json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]}]);
    let template = Template::from(BuiltIn::Plain);
    let fault = prompt(&template, sound).unwrap_err();
    assert!(fault.contains("audio"), "{fault}");
    let fault = prompt(&template, image("https://example.org/a(b).png")).unwrap_err();
    assert!(fault.contains("%29"), "{fault}");
}

fn image(url: &str) -> Value {
    let parts = json!([{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]);
    json!([{"role": "user", "content": parts}])
}

#[test]
fn an_image_stands_in_the_prompt_as_markdown() {
    let template = Template::from(BuiltIn::Plain);
    for url in [
        "https://example.org/a.png",
        "data:image/png;base64,iVBORw0KGgo=",
    ] {
        let prompt = prompt(&template, image(url)).unwrap();
        assert!(
            prompt.contains(&format!("![]({url})\nWhat is it?")),
            "{prompt}"
        );
    }
}
