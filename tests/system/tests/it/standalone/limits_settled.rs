//! What counts in the end, by what vendors say (feature C3).

use serde_json::{Value, json};

use super::canned::canned;
use super::limits::{TOKENS, await_left, told};
use super::manifests::{backend, object, route, route_to, simulator};
use super::proxy::{Proxy, chat, streamed};

#[tokio::test]
async fn usage_is_settled_by_what_every_vendor_says_of_it_judged_or_not() {
    let upstream = simulator().await;
    let origin = format!("http://{}", upstream.addr());
    let judges = "responseRules: [{name: no-codename, action: Deny, regex: nightjar}]\n";
    // Three words of the prompt; five where a template makes it, which says who speaks.
    for (dialect, path, prompt) in [
        ("OpenAI", "/v1", 3),
        ("Gemini", "", 3),
        ("Bedrock", "", 3),
        ("TGI", "/tgi/tokens-20", 5),
    ] {
        for judges in ["", judges] {
            let spec = format!("limits: [{TOKENS}]\n{judges}");
            let url = format!("{origin}{path}");
            // TGI's model is its URL's, and answers whatever it is called.
            let manifest = backend("main", &url, &format!("dialect: {dialect}\n"))
                + &backend("asked", &upstream.url(), "")
                + &object("AccessPolicy", "{name: gold}", &spec)
                + &route_to(
                    "- {name: main, backendRef: {name: main}, models: {allow: [{exact: tokens-20}]}}\n- {name: asked, backendRef: {name: asked}, models: {allow: [{regex: status-.*}]}}",
                    "accessPolicyRefs: [{name: gold}]",
                );
            let proxy = Proxy::start(&manifest).await;
            let mut left = 10_000;
            await_left(&proxy, left).await;
            for stream in [false, true] {
                for (path, body) in vendors("tokens-20", stream) {
                    let answer = proxy.post(&path, &body).await;
                    let about = format!("{dialect} {judges} {path}: {}", answer.text());
                    assert_eq!(answer.status, 200, "{about}");
                    left -= prompt + 20;
                    await_left(&proxy, left).await;
                }
            }
        }
    }
}

/// A call in each of three vendors' own dialects: its path, and its body.
fn vendors(model: &str, stream: bool) -> [(String, Value); 3] {
    let text = "one two three";
    let (generate, converse) = if stream {
        ("streamGenerateContent?alt=sse", "converse-stream")
    } else {
        ("generateContent", "converse")
    };
    [
        (
            "/v1/responses".into(),
            json!({"model": model, "input": text, "stream": stream}),
        ),
        (
            format!("/v1beta/models/{model}:{generate}"),
            json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        ),
        (
            format!("/model/{model}/{converse}"),
            json!({"messages": [{"role": "user", "content": [{"text": text}]}]}),
        ),
    ]
}

#[tokio::test]
async fn a_reply_of_which_a_client_gets_nothing_costs_nothing() {
    let upstream = simulator().await;
    let nonsense = canned("application/json", "nonsense").await;
    let ran = r#"{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"7"}}]}}]}"#;
    let stream = canned("text/event-stream", format!("data: {ran}\n\n")).await;
    let ran = canned("application/json", ran).await;
    let entry = |name: &str| {
        format!("- {{name: {name}, modelPrefix: {name}/, backendRef: {{name: {name}}}}}\n")
    };
    let judges = "responseRules: [{name: no-codename, action: Deny, regex: nightjar}]";
    let manifest = backend("main", &upstream.url(), "")
        + &backend("garbage", &nonsense, "dialect: Ollama\n")
        + &backend("ran", &ran, "dialect: Gemini\n")
        + &backend("running", &stream, "dialect: Gemini\n")
        + &object(
            "AccessPolicy",
            "{name: gold}",
            &format!("limits: [{TOKENS}]\n{judges}"),
        )
        + &route_to(
            &(["garbage", "ran", "running"].map(entry).concat()
                + "- {name: main, backendRef: {name: main}, models: {allow: [{regex: status-.*}]}}\n"),
            "accessPolicyRefs: [{name: gold}]",
        );
    let proxy = Proxy::start(&manifest).await;
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]});
    let call = "/v1/chat/completions";
    let of = |name: &str, verb: &str| format!("/v1beta/models/{name}%2Fx:{verb}");
    for (path, body) in [
        (call.to_owned(), chat("garbage/x", "one two three")),
        (call.to_owned(), streamed("garbage/x", "one two three")),
        (of("ran", "generateContent"), contents.clone()),
        (of("running", "streamGenerateContent?alt=sse"), contents),
    ] {
        let answer = proxy.post(&path, &body).await;
        assert_eq!(answer.status, 502, "{path}: {}", answer.text());
        await_left(&proxy, 10_000).await;
    }
}

#[tokio::test]
async fn what_an_upstream_tells_of_its_own_limits_is_told_only_where_none_of_ours_applies() {
    let theirs = "application/json\r\nx-ratelimit-limit-tokens: 7\r\nx-ratelimit-limit-project-tokens: 8\r\nanthropic-ratelimit-requests-remaining: 9";
    let origin = canned(theirs, r#"{"choices":[]}"#).await;
    for (limits, own) in [
        ("{per: Address, requests: 3, window: 1h}", true),
        ("{per: Address, concurrency: 3}", true),
        (
            "{per: Address, requests: 3, window: 1h, models: [{exact: other}]}",
            false,
        ),
    ] {
        let manifest = backend("main", &origin, "")
            + &object(
                "AccessPolicy",
                "{name: gold}",
                &format!("limits: [{limits}]"),
            )
            + &route("accessPolicyRefs: [{name: gold}]");
        let proxy = Proxy::start(&manifest).await;
        let answer = proxy.chat("echo").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        for name in [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-limit-project-tokens",
            "anthropic-ratelimit-requests-remaining",
        ] {
            assert_eq!(told(&answer, name).is_none(), own, "{limits}: {name}");
        }
    }
}
