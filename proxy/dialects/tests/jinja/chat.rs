//! Templates as vendors publish them, with conversations of every kind.

use dragoman_dialects::jinja::{Blocks, Bounds, Program};
use serde_json::{Value, json};

use super::{ours, same};

const TEMPLATES: [(&str, &str); 9] = [
    ("llama-2", include_str!("templates/llama-2.jinja")),
    ("llama-3", include_str!("templates/llama-3.jinja")),
    ("chatml", include_str!("templates/chatml.jinja")),
    ("mistral", include_str!("templates/mistral.jinja")),
    ("falcon", include_str!("templates/falcon.jinja")),
    ("qwen-2.5", include_str!("templates/qwen-2.5.jinja")),
    ("qwen-3", include_str!("templates/qwen-3.jinja")),
    ("gemma", include_str!("templates/gemma.jinja")),
    ("macros", include_str!("templates/macros.jinja")),
];

fn conversations() -> Vec<Value> {
    let say = |role: &str, text: &str| json!({"role": role, "content": text});
    let call = json!({"role": "assistant", "content": "", "tool_calls": [{"id": "abcdefghi", "type": "function",
        "function": {"name": "weather", "arguments": {"city": "Paris <&'\"> é", "days": [1, 2.5, null, true]}}}]});
    let result = json!({"role": "tool", "content": "{\"rain\": true}", "tool_call_id": "abcdefghi", "name": "weather"});
    vec![
        json!([say("user", "Hi")]),
        json!([]),
        json!([
            say("system", " Be brief.\n"),
            say("user", "  Hi\n"),
            say("assistant", "Yes? "),
            say("user", "Bye")
        ]),
        json!([say("system", "Be brief.")]),
        json!([say("user", "Hi"), say("user", "There?")]),
        json!([say("assistant", "Hello."), say("user", "Hi")]),
        json!([
            say("user", "1+1"),
            say("assistant", "<think>\nadd\n</think>\n\n2"),
            say("user", "and 1"),
            say("assistant", "<think>more</think>3")
        ]),
        json!([
            say("user", "Weather?"),
            call,
            result,
            say("assistant", "Rain."),
            say("user", "Thanks")
        ]),
        json!([say("user", "Weather?"), call, result, result]),
        json!([{"role": "user", "content": [{"type": "text", "text": " a "}, {"type": "image"}]}]),
    ]
}

#[test]
fn vendors_templates_write_what_they_write_elsewhere() {
    let tools = json!([{"type": "function", "function": {"name": "weather", "description": "Of a city,\nnow", "parameters": {"type": "object",
        "required": ["city"], "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}},
        "unit": {"enum": ["c", "f"]}, "at": {"type": "object", "properties": {"z": {"type": "boolean"}, "Y": {}}}}}}}]);
    for (name, template) in TEMPLATES {
        let mut prompts = 0;
        for messages in conversations() {
            for tools in [Value::Null, tools.clone()] {
                for add_generation_prompt in [true, false] {
                    let of = json!({"messages": messages, "tools": tools, "bos_token": "<s>", "eos_token": "</s>",
                        "add_generation_prompt": add_generation_prompt});
                    same(template, &of);
                    prompts += usize::from(ours(template, &of).is_ok());
                }
            }
        }
        assert!(prompts >= 12, "{name} refuses nearly all");
    }
}

/// Writes a conversation with a little more than half of the memory, and half of the work, that is allowed.
fn costs_half(name: &str, template: &str, messages: &[Value], bytes: usize) {
    let of = json!({"messages": messages, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true});
    let program = Program::compile(template, Blocks::Trimmed).unwrap();
    let bounds = Bounds {
        held: 5 * bytes,
        work: 16 * bytes,
    };
    let rendered = program.render(super::variables(&of), None, bounds);
    let rendered = rendered.unwrap_or_else(|failed| panic!("{name}: {failed}"));
    assert!(rendered.text.len() >= bytes);
}

#[test]
fn a_long_conversation_costs_half_of_what_is_allowed() {
    let turn = |number: usize| {
        let role = if number.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        };
        json!({"role": role, "content": "word ".repeat(200)})
    };
    let messages: Vec<Value> = (0..4001).map(turn).collect();
    let long = [json!({"role": "user", "content": "word ".repeat(800_000)})];
    for (name, template) in TEMPLATES.iter().filter(|(name, _)| *name != "macros") {
        costs_half(name, template, &messages, 4_001_000);
        costs_half(name, template, &long, 4_000_000);
    }
}
