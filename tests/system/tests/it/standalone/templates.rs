//! Prompt templates of upstreams that take plain prompts (feature A7).

use dragoman_dialects::template::BuiltIn;
use dragoman_simulator::Simulator;
use dragoman_system::eventually;
use serde_json::{Value, json};

use super::manifests::{backend, posts, route, simulator};
use super::proxy::Proxy;

/// A template as Hugging Face writes them.
const TEMPLATE: &str = "{%- for message in messages %}\n{{ bos_token }}[{{ message.role }}] {{ message.content | trim }}\n{% endfor %}\n{% if add_generation_prompt %}[assistant]{% endif %}";

/// The ConfigMap `templates` with one template.
fn templates(template: &str) -> String {
    let lines: String = template
        .lines()
        .map(|line| format!("    {line}\n"))
        .collect();
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: templates}}\ndata:\n  bos_token: <s>\n  eos_token: </s>\n  stops: |\n    [user]\n  chat_template: |\n{lines}"
    )
}

/// The route `chat` to a simulator of TGI, with further lines of its backend's spec.
fn tgi(upstream: &Simulator, more: &str) -> String {
    let origin = format!("http://{}/tgi/echo", upstream.addr());
    let spec = format!("dialect: TGI\ncatalog: [{{name: m}}]\n{more}");
    backend("main", &origin, &spec) + &route("")
}

fn custom(upstream: &Simulator, template: &str) -> String {
    tgi(
        upstream,
        "promptTemplate: {configMapRef: {name: templates}}",
    ) + &templates(template)
}

fn conversation() -> Value {
    json!({"model": "m", "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": [{"type": "text", "text": "Bye"}]},
    ]})
}

/// What the upstream was asked last.
fn asked(upstream: &Simulator) -> Value {
    posts(upstream).last().unwrap().json()
}

#[tokio::test]
async fn a_custom_template_writes_the_prompt_and_its_stops_are_asked_for() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&custom(&upstream, TEMPLATE)).await;
    let reply = proxy.post("/v1/chat/completions", &conversation()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = asked(&upstream);
    let prompt =
        "<s>[system] Be brief.\n<s>[user] Hi\n<s>[assistant] Yes?\n<s>[user] Bye\n[assistant]";
    assert_eq!(sent["inputs"], prompt);
    assert_eq!(sent["parameters"]["stop"], json!(["[user]", "</s>"]));
}

#[tokio::test]
async fn an_edit_of_a_template_is_served_and_one_that_is_none_is_told_with_its_line() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&custom(&upstream, "one {{ messages | length }}")).await;
    let writes = |prompt: &'static str| {
        let (proxy, upstream) = (&proxy, &upstream);
        eventually(prompt, move || async move {
            proxy.post("/v1/chat/completions", &conversation()).await;
            match asked(upstream)["inputs"].as_str() {
                Some(sent) if sent == prompt => Ok(()),
                sent => Err(format!("{sent:?}")),
            }
        })
    };
    writes("one 4").await;
    proxy.edit(&custom(&upstream, "two {{ messages | length }}"));
    writes("two 4").await;
    proxy.edit(&custom(&upstream, "three\n{% if %}"));
    proxy
        .logged("the value of \"chat_template\" is no Jinja template, line 2")
        .await;
    writes("two 4").await;
}

#[tokio::test]
async fn a_template_that_refuses_or_runs_without_end_is_a_400_and_nothing_is_sent() {
    let upstream = simulator().await;
    for (template, told) in [
        ("{{ raise_exception('Only two turns.') }}", "Only two turns"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "template",
        ),
        (
            "{{ ('x' * 100000000) ~ ('x' * 100000000) ~ ('x' * 100000000) }}",
            "template",
        ),
        ("{{ 'a\nb' | indent(99999999999) }}", "template"),
        (
            "{% set ns = namespace(t='x') %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
            "template",
        ),
        (
            "{% set ns = namespace(t=[]) %}{% for i in range(99999) %}{% set ns.t = [ns.t] %}{% endfor %}",
            "template",
        ),
    ] {
        let proxy = Proxy::start(&custom(&upstream, template)).await;
        let reply = proxy.post("/v1/chat/completions", &conversation()).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(reply.message().contains(told), "{}", reply.text());
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn every_built_in_template_writes_a_conversation_and_asks_for_its_stops() {
    let each = [
        (
            "plain",
            "Be brief.\n\nUser: Hi\nAssistant: Yes?\nUser: Bye\nAssistant:",
            "\nUser:",
        ),
        (
            "llama-2",
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Yes? </s><s>[INST] Bye [/INST]",
            "[INST]",
        ),
        (
            "llama-3",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|>",
        ),
        (
            "chatml",
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
            "<|im_end|>",
        ),
        (
            "mistral",
            "<s>[INST] Be brief.\n\nHi [/INST] Yes?</s>[INST] Bye [/INST]",
            "[INST]",
        ),
        (
            "falcon",
            "System: Be brief.\nUser: Hi\nFalcon: Yes?\nUser: Bye\nFalcon:",
            "\nUser:",
        ),
    ];
    assert_eq!(
        each.map(|(name, ..)| name),
        BuiltIn::ALL.map(|(name, _)| name)
    );
    for (name, prompt, stop) in each {
        let upstream = simulator().await;
        let template = format!("promptTemplate: {{name: {name}}}");
        let proxy = Proxy::start(&tgi(&upstream, &template)).await;
        let reply = proxy.post("/v1/chat/completions", &conversation()).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        let sent = asked(&upstream);
        assert_eq!(sent["inputs"], prompt, "{name}");
        assert_eq!(sent["parameters"]["stop"], json!([stop]), "{name}");
    }
}
