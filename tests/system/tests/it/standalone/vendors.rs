//! Backends of Azure, TGI, Bedrock and Gemini, and clients of theirs: paths, keys and signatures (features A5, A6, A7, B3).

use dragoman_simulator::{Received, Simulator};
use http::Method;
use serde_json::{Value, json};

use super::manifests::{MAPPED, backend, names, posts, route, secret, simulator, started};
use super::proxy::{Proxy, answer};

fn target(call: &Received) -> String {
    match &call.query {
        Some(query) => format!("{}?{query}", call.path),
        None => call.path.clone(),
    }
}

fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello there"}]})
}

fn origin(upstream: &Simulator) -> String {
    format!("http://{}", upstream.addr())
}

#[tokio::test]
async fn azure_is_called_by_deployment_and_version_with_its_own_header() {
    let upstream = simulator().await;
    let spec = "dialect: AzureOpenAI\nazure: {apiVersion: 2024-10-21}\ncredential: {secretRef: {name: ours, key: key}}\ncatalog: [{name: gpt, upstreamName: echo}]";
    let manifest =
        secret("ours", "sk-ours") + &backend("main", &origin(&upstream), spec) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("gpt", false))
        .await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
    // An Azure client's own version gives way, and what else it asks stays.
    let call = proxy
        .request(
            Method::POST,
            "/openai/deployments/gpt/chat/completions?api-version=2023-05-15&a=1",
        )
        .header("api-key", "sk-clients")
        .json(&chat("another", true));
    let reply = answer(call).await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
    let seen = posts(&upstream);
    let paths: Vec<String> = seen.iter().map(target).collect();
    let path = "/openai/deployments/echo/chat/completions?api-version=2024-10-21";
    assert_eq!(paths, [path.to_owned(), format!("{path}&a=1")]);
    for call in &seen {
        assert_eq!(call.header("api-key"), Some("sk-ours"));
        assert_eq!(call.header("authorization"), None);
        assert_eq!(call.json()["model"], "echo");
    }
}

#[tokio::test]
async fn azures_clients_reach_a_backend_of_openais_by_its_path_and_model() {
    let upstream = simulator().await;
    let manifest = backend("main", &format!("{}/v1", origin(&upstream)), "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    let path = "/openai/deployments/echo/chat/completions?api-version=2024-10-21";
    let body = json!({"messages": [{"role": "user", "content": "hello there"}]});
    let reply = proxy.post(path, &body).await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
    let seen = &posts(&upstream)[0];
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.json()["model"], "echo");
    let reply = proxy
        .post("/openai/v1/chat/completions", &chat("echo", true))
        .await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
}

#[tokio::test]
async fn requests_to_bedrock_are_signed_and_a_wrong_key_is_refused() {
    let upstream = Simulator::builder().models(["echo"]).aws_key(
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG",
        Some("temporary/token==".into()),
    );
    let upstream = started(upstream).await;
    let keys = |secret: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: aws}}\nstringData: {{AWS_ACCESS_KEY_ID: AKIDEXAMPLE, AWS_SECRET_ACCESS_KEY: {secret}, AWS_SESSION_TOKEN: temporary/token==}}\n---\n"
        )
    };
    let spec = "dialect: Bedrock\ncredential: {aws: {region: eu-central-1, secretRef: {name: aws}}}\ncatalog: [{name: claude, upstreamName: 'echo+tokens-3'}]";
    let rest = backend("main", &origin(&upstream), spec) + &route("");
    let proxy = Proxy::start(&(keys("wJalrXUtnFEMI/K7MDENG") + &rest)).await;
    for stream in [false, true] {
        let call = proxy
            .request(Method::POST, "/v1/chat/completions")
            .header("x-amz-security-token", "the-clients")
            .json(&chat("claude", stream));
        let reply = answer(call).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.content().is_empty(), "{}", reply.text());
    }
    let seen = &posts(&upstream)[0];
    assert_eq!(seen.path, "/model/echo%2Btokens-3/converse");
    assert_eq!(
        seen.header("x-amz-security-token"),
        Some("temporary/token==")
    );
    let proxy = Proxy::start(&(keys("another") + &rest)).await;
    let reply = proxy
        .post("/v1/chat/completions", &chat("claude", false))
        .await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(!reply.text().contains("another"), "{}", reply.text());
    // Bedrock says in a header what was wrong.
    assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn geminis_key_travels_in_its_header_and_no_clients_key_in_the_url() {
    let upstream = simulator().await;
    let spec = "dialect: Gemini\ncredential: {secretRef: {name: ours, key: key}}";
    let manifest =
        secret("ours", "sk-ours") + &backend("main", &origin(&upstream), spec) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
    let path = "/v1beta/models/echo:streamGenerateContent?alt=sse&key=sk-clients";
    let reply = proxy.post(path, &body).await;
    assert!(reply.text().contains("hello"), "{}", reply.text());
    let reply = proxy
        .post("/v1/chat/completions", &chat("echo", false))
        .await;
    assert_eq!(reply.content(), "hello there", "{}", reply.text());
    let seen = posts(&upstream);
    let paths: Vec<String> = seen.iter().map(target).collect();
    assert_eq!(
        paths,
        [
            "/v1beta/models/echo:streamGenerateContent?alt=sse",
            "/v1beta/models/echo:generateContent"
        ]
    );
    for call in &seen {
        assert_eq!(call.header("x-goog-api-key"), Some("sk-ours"));
    }
    let vectors = json!({"model": "echo", "input": ["a", "b"]});
    let reply = proxy.post("/v1/embeddings", &vectors).await;
    assert_eq!(
        reply.json()["data"].as_array().unwrap().len(),
        2,
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn tgi_gets_a_prompt_by_the_backends_template_and_its_stop_is_trimmed() {
    let upstream = simulator().await;
    let url = format!("{}/tgi/echo", origin(&upstream));
    let spec = "dialect: TGI\npromptTemplate: {name: chatml}";
    let manifest = backend("main", &url, spec) + &route("");
    let proxy = Proxy::start(&manifest).await;
    for stream in [false, true] {
        let mut body = chat("any", stream);
        body["temperature"] = json!(0);
        body["top_p"] = json!(1);
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.content().ends_with("<|im_end|>"), "{}", reply.text());
        assert_eq!(reply.is_done(), stream, "{}", reply.text());
    }
    let seen = posts(&upstream);
    assert_eq!(seen[0].path, "/tgi/echo/generate");
    assert_eq!(seen[1].path, "/tgi/echo/generate_stream");
    let sent = seen[0].json();
    assert_eq!(
        sent["inputs"],
        "<|im_start|>user\nhello there<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(sent["parameters"]["stop"], json!(["<|im_end|>"]));
}

#[tokio::test]
async fn tgis_clients_reach_the_model_that_the_map_calls_tgi_and_get_no_thinking() {
    let upstream = simulator().await;
    let manifest = backend("main", &format!("{}/v1", origin(&upstream)), "")
        + &names("rules: [{match: {exact: tgi}, target: {model: think}}]")
        + &route(MAPPED);
    let proxy = Proxy::start(&manifest).await;
    let body = json!({"inputs": "hello there"});
    let reply = proxy.post("/generate", &body).await;
    assert_eq!(
        reply.json()["generated_text"],
        "hello there",
        "{}",
        reply.text()
    );
    let reply = proxy.post("/", &body).await;
    assert_eq!(
        reply.json()[0]["generated_text"],
        "hello there",
        "{}",
        reply.text()
    );
    let reply = proxy.post("/generate_stream", &body).await;
    assert!(
        reply.text().contains(r#""generated_text":"hello there""#),
        "{}",
        reply.text()
    );
    assert!(!reply.text().contains("think about"), "{}", reply.text());
}

#[tokio::test]
async fn what_lies_with_a_vendor_under_our_key_is_reached_through_no_body_and_no_name() {
    let upstream = simulator().await;
    let key = "credential: {secretRef: {name: ours, key: key}}";
    let manifest = |dialect: &str, more: &str| {
        secret("ours", "sk-ours")
            + &backend(
                "main",
                &origin(&upstream),
                &format!("dialect: {dialect}\n{more}"),
            )
            + &route("")
    };
    let gemini = "/v1beta/models/echo:generateContent";
    let cached = json!({"cachedContent": "cachedContents/others", "contents": [{"role": "user", "parts": [{"text": "hm"}]}]});
    let converse = "/model/echo/converse";
    let located = json!({"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://others/a.png"}}}}]}]});
    let proxy = Proxy::start(&manifest("Gemini", key)).await;
    let reply = proxy.post(gemini, &cached).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("cachedContent"), "{}", reply.text());
    let proxy = Proxy::start(&manifest("Bedrock", key)).await;
    let reply = proxy.post(converse, &located).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("s3Location"), "{}", reply.text());
    for name in [".", ".."] {
        let reply = proxy.post("/v1/chat/completions", &chat(name, false)).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    assert!(posts(&upstream).is_empty());
    // Where the backend says so, and where nothing is ours, it goes on.
    let listed = format!("{key}\nrelay: [{{methods: [POST], path: /model/*}}]");
    for more in [listed.as_str(), ""] {
        let proxy = Proxy::start(&manifest("Bedrock", more)).await;
        proxy.post(converse, &located).await;
    }
    assert_eq!(posts(&upstream).len(), 2);
}

#[tokio::test]
async fn azure_is_sent_no_way_of_drawing_tokens_that_it_does_not_know() {
    let upstream = simulator().await;
    let azure = "dialect: AzureOpenAI\nazure: {apiVersion: 2024-10-21}";
    let manifest = backend("main", &origin(&upstream), azure) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let asked = |options: Value| {
        let hello = json!([{"role": "user", "content": "hello"}]);
        json!({"model": "echo", "messages": hello, "stream": false, "options": options})
    };
    for (name, value) in [
        ("top_k", json!(40)),
        ("min_p", json!(0.1)),
        ("repeat_penalty", json!(1.1)),
    ] {
        let reply = proxy.post("/api/chat", &asked(json!({name: value}))).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
        let field = format!("options.{name}");
        assert!(reply.text().contains(&field), "{}", reply.text());
    }
    assert!(posts(&upstream).is_empty());
    // What changes nothing is left out.
    let neutral = json!({"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "temperature": 0.5});
    let reply = proxy.post("/api/chat", &asked(neutral)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = posts(&upstream)[0].json();
    assert_eq!(sent["temperature"], 0.5);
    for name in ["top_k", "min_p", "repetition_penalty"] {
        assert_eq!(sent.get(name), None, "{sent}");
    }
}

#[tokio::test]
async fn a_path_of_tgis_that_a_backend_lists_is_relayed_to_it() {
    let upstream = simulator().await;
    let spec = "relay: [{methods: [POST], path: /generate}]";
    let manifest = backend("main", &upstream.url(), spec) + &route("");
    let proxy = Proxy::start(&manifest).await;
    proxy.post("/generate", &json!({"text": "hm"})).await;
    let seen = &posts(&upstream)[0];
    assert_eq!(seen.path, "/v1/generate");
    assert_eq!(seen.json(), json!({"text": "hm"}));
}

/// A request of Anthropic's for Claude at Bedrock, and back: what is said of previews, and of the effort of an answer.
#[tokio::test]
async fn previews_and_the_effort_of_claude_travel_between_anthropic_and_bedrock() {
    let upstream = simulator().await;
    let catalog = "catalog: [{name: claude, upstreamName: us.anthropic.claude-opus-4-6-v1}]";
    let to = |dialect: &str| {
        let spec = format!("dialect: {dialect}\n{catalog}");
        backend("main", &origin(&upstream), &spec) + &route("")
    };
    let proxy = Proxy::start(&to("Bedrock")).await;
    let asked = json!({"model": "claude", "max_tokens": 90, "temperature": 0.2, "output_config": {"effort": "max"},
        "messages": [{"role": "user", "content": "hello there"}]});
    let call = proxy.request(Method::POST, "/v1/messages").json(&asked);
    let previews = "claude-code-20250219, context-1m-2025-08-07,effort-2025-11-24";
    let reply = answer(call.header("anthropic-beta", previews)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = posts(&upstream).pop().unwrap();
    assert_eq!(seen.header("anthropic-beta"), None);
    let fields = &seen.json()["additionalModelRequestFields"];
    let known = json!(["context-1m-2025-08-07", "effort-2025-11-24"]);
    let expected = json!({"output_config": {"effort": "max"}, "anthropic_beta": known});
    assert_eq!(fields, &expected);
    assert_eq!(seen.json()["inferenceConfig"]["temperature"], 0.2);

    let proxy = Proxy::start(&to("Anthropic")).await;
    let mut asked = json!({"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["a-1", "b-2"], "max_tokens": 90,
        "messages": [{"role": "user", "content": "hello there"}]});
    let reply = proxy.post("/model/claude/invoke", &asked).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = posts(&upstream).pop().unwrap();
    assert_eq!(seen.header("anthropic-beta"), Some("a-1,b-2"));
    assert_eq!(seen.json().get("anthropic_beta"), None);
    let field = "amazon-bedrock-guardrailConfig";
    asked[field] = json!({"tagSuffix": "x"});
    let before = posts(&upstream).len();
    let reply = proxy.post("/model/claude/invoke", &asked).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains(field), "{}", reply.text());
    assert_eq!(posts(&upstream).len(), before);
}
