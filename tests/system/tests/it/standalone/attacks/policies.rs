//! Bodies and paths that would call another model, or say something else, than policies judged (features A13, C1).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::{Value, json};

use super::super::manifests::{MAPPED, backend, names, object, posts, route, secret, simulator};
use super::super::proxy::{Proxy, answer, chat};

/// The route `chat` under the policy `guard`, or with it at its backend, whose spec has `more`.
fn guarded(upstream: &Simulator, at_backend: bool, more: &str, spec: &str) -> String {
    let guard = "accessPolicyRefs: [{name: guard}]\n";
    let (of_backend, of_route) = if at_backend { (guard, "") } else { ("", guard) };
    object("AccessPolicy", "{name: guard}", spec)
        + &backend("main", &upstream.url(), &format!("{of_backend}{more}"))
        + &route(&format!(
            "{of_route}paths: [{{path: /own, backend: main, to: /completion}}, {{path: /gem/*, backend: main, to: '/v1beta/models/*'}}]"
        ))
}

/// The status and OpenAI's code of what is answered; other dialects' errors have none.
async fn told(proxy: &Proxy, path: &str, body: &Value) -> (u16, String) {
    let reply = proxy.post(path, body).await;
    let code = reply.json()["error"]["code"].as_str().map(str::to_owned);
    (reply.status, code.unwrap_or_default())
}

/// What judges requests by their model.
const BY_MODEL: [&str; 6] = [
    "models: {deny: [{exact: dear}]}",
    "models: {allow: [{exact: echo}]}",
    "limits: [{per: Address, requests: 1000, models: [{exact: dear}], calendar: Day}]",
    "limits: [{per: Address, cost: '1', calendar: Day}]",
    "rules: [{name: dear, when: \"model == 'dear'\", action: Deny}]",
    "rules: [{name: cheap, action: SetModel, model: echo}]",
];

#[tokio::test]
async fn what_names_no_model_is_no_way_around_policies_of_models() {
    let upstream = simulator().await;
    for spec in BY_MODEL {
        for at_backend in [false, true] {
            if at_backend && spec.contains("SetModel") {
                continue;
            }
            upstream.clear();
            let proxy = Proxy::start(&guarded(&upstream, at_backend, "", spec)).await;
            for path in [
                "/v1/responses",
                "/v1/moderations",
                "/v1/rerank",
                "/v1/chat/completions",
            ] {
                for body in [
                    json!({"input": "hi"}),
                    json!({"model": null}),
                    json!({"model": 1}),
                ] {
                    let told = told(&proxy, path, &body).await;
                    assert_eq!(
                        told,
                        (400, "missing_model".to_owned()),
                        "{spec} {path} {body}"
                    );
                }
            }
            for (path, body) in [
                ("/invocations", json!({"inputs": "hi"})),
                ("/completion", json!({"prompt": "hi"})),
                ("/own", json!({"prompt": "hi"})),
                ("/v1/batches", json!({"input_file_id": "file-1"})),
                // A body that names another is no word on what the path names.
                ("/v1beta/models/dear:predict", json!({"model": "echo"})),
                ("/gem/dear:predict", json!({"model": "echo"})),
            ] {
                let told = told(&proxy, path, &body).await;
                let code = if path.starts_with("/v1beta") {
                    ""
                } else {
                    "body_unjudged"
                };
                assert_eq!(told, (403, code.to_owned()), "{spec} {path}");
            }
            assert!(posts(&upstream).is_empty(), "{spec}");
        }
    }
}

#[tokio::test]
async fn a_model_in_the_path_is_judged_in_every_version_and_where_a_route_maps_it() {
    let upstream = simulator().await;
    let contents = json!({"contents": [{"parts": [{"text": "x"}]}], "model": "echo"});
    for at_backend in [false, true] {
        let spec = "models: {deny: [{exact: dear}]}";
        let more = "credential: {passthrough: {}}\n";
        let proxy = Proxy::start(&guarded(&upstream, at_backend, more, spec)).await;
        for path in [
            "/v1beta/models/dear:generateContent",
            "/v1alpha/models/dear:generateContent",
            "/v1beta2/models/dear:streamGenerateContent",
            "/gem/dear:generateContent",
        ] {
            let told = told(&proxy, path, &contents).await;
            assert_eq!(told.0, 404, "{path}");
        }
        assert!(posts(&upstream).is_empty());
    }
}

#[tokio::test]
async fn whoever_lists_a_path_without_a_model_has_it_relayed_and_without_policies_all_are() {
    let upstream = simulator().await;
    let body = json!({"prompt": "hi"});
    let listed = "relay: [{path: /completion}, {path: /tokenize}]\n";
    for (spec, more) in [
        (BY_MODEL[0], listed),
        ("network: {deny: [192.0.2.0/24]}", ""),
    ] {
        for at_backend in [false, true] {
            upstream.clear();
            let proxy = Proxy::start(&guarded(&upstream, at_backend, more, spec)).await;
            for path in ["/completion", "/tokenize", "/own"] {
                proxy.post(path, &body).await;
            }
            assert_eq!(posts(&upstream).len(), 3, "{spec} {at_backend}");
        }
    }
}

#[tokio::test]
async fn a_map_and_a_backends_filter_hold_for_calls_that_name_no_model_too() {
    let upstream = simulator().await;
    let filter =
        "backends:\n- {name: main, backendRef: {name: main}, models: {deny: [{exact: dear}]}}";
    let of_map = |spec: &str| names(spec) + &route(MAPPED);
    for restricted in [
        of_map("unmatched: Reject\nrules:\n- match: {exact: echo}\n  target: {model: echo}"),
        of_map("list: {deny: [{exact: dear}]}"),
        object("LLMRoute", "{name: chat}", filter),
    ] {
        let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &restricted)).await;
        let told = told(&proxy, "/v1/moderations", &json!({"input": "x"})).await;
        assert_eq!(told, (400, "missing_model".to_owned()), "{restricted}");
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn another_model_in_capitals_is_refused_on_relayed_paths_without_policies() {
    let upstream = simulator().await;
    let map = "list: {deny: [{exact: dear}]}";
    for manifest in [names(map) + &route(MAPPED), route("")] {
        let proxy = Proxy::start(&(backend("main", &upstream.url(), "") + &manifest)).await;
        for path in [
            "/v1/responses",
            "/v1/moderations",
            "/own/path",
            "/v1/chat/completions",
        ] {
            let body = json!({"model": "small", "Model": "dear", "input": "x"});
            let told = told(&proxy, path, &body).await;
            assert_eq!(told, (400, "ambiguous_member".to_owned()), "{path}");
        }
        let alone = told(&proxy, "/v1/responses", &json!({"Model": "dear"})).await;
        assert_eq!(alone, (400, "ambiguous_member".to_owned()));
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn no_rule_is_evaded_by_a_members_case_however_deep_it_stands() {
    let upstream = simulator().await;
    let service = simulator().await;
    let call = format!(
        "rules: [{{name: ask, action: Call, call: {{url: '{}/ask'}}}}]",
        service.url()
    );
    let rules = [
        "rules: [{name: bird, when: \"request.messages.exists(m, m.content.contains('nightjar'))\", action: Deny}]",
        "responseRules: [{name: bird, when: \"request.messages[0].content == 'nightjar' && response.content != ''\", action: Deny}]",
        call.as_str(),
    ];
    for spec in rules {
        for at_backend in [false, true] {
            let proxy = Proxy::start(&guarded(&upstream, at_backend, "", spec)).await;
            for (path, body) in [
                (
                    "/v1/chat/completions",
                    json!({"model": "echo", "messages": [{"role": "user", "Content": "nightjar"}]}),
                ),
                (
                    "/v1/chat/completions",
                    json!({"model": "echo", "messages": [{"role": "user", "content": "x"}], "Template": "nightjar"}),
                ),
                (
                    "/v1/chat/completions",
                    json!({"model": "echo", "messages": [{"role": "user", "content": "x"}], "extra": {"To\u{212a}ens": 1}}),
                ),
            ] {
                let told = told(&proxy, path, &body).await;
                assert_eq!(told, (400, "ambiguous_member".to_owned()), "{spec} {body}");
            }
        }
    }
    assert!(posts(&upstream).is_empty());
    // A tool's own words are the application's.
    let proxy = Proxy::start(&guarded(&upstream, false, "", rules[0])).await;
    let mut body = chat("echo", "hello");
    let schema = json!({"type": "object", "properties": {"Content": {"type": "string"}}});
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    body["metadata"] = json!({"Name": "x"});
    let reply = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_model_that_a_tool_or_an_adapter_calls_is_judged_as_any_other() {
    let upstream = simulator().await;
    let draws = |tool: Value| json!({"model": "echo", "input": "draw", "tools": [tool]});
    let key = "credential: {secretRef: {name: ours, key: key}}\n";
    let policy = |at_backend| {
        let spec = "models: {allow: [{exact: echo}, {exact: brush}, {exact: tgi}]}";
        secret("ours", "sk-ours") + &guarded(&upstream, at_backend, key, spec)
    };
    let mapped = |spec: &str| backend("main", &upstream.url(), "") + &names(spec) + &route(MAPPED);
    let filter = "backends:\n- {name: main, backendRef: {name: main}, models: {allow: [{exact: echo}, {exact: brush}, {exact: tgi}]}}";
    for manifest in [
        policy(false),
        policy(true),
        mapped(
            "list: {deny: [{exact: dear}], allow: [{exact: echo}, {exact: brush}, {exact: tgi}]}",
        ),
        backend("main", &upstream.url(), "") + &object("LLMRoute", "{name: chat}", filter),
    ] {
        upstream.clear();
        let proxy = Proxy::start(&manifest).await;
        for (path, body) in [
            (
                "/v1/responses",
                draws(json!({"type": "image_generation", "model": "dear"})),
            ),
            (
                "/v1/chat/completions",
                json!({"model": "echo", "messages": [], "models": ["echo", "dear"]}),
            ),
            (
                "/generate",
                json!({"inputs": "x", "parameters": {"adapter_id": "dear"}}),
            ),
        ] {
            let told = told(&proxy, path, &body).await;
            // A backend's own policy is asked about what can be said to that backend, and adapters cannot be to OpenAI's.
            let untold = path == "/generate" && told.0 == 400;
            assert!(told.0 == 404 || untold, "{path} {told:?} {manifest}");
        }
        let unnamed = told(
            &proxy,
            "/v1/responses",
            &draws(json!({"type": "image_generation"})),
        )
        .await;
        assert_eq!(unnamed, (403, "body_unjudged".to_owned()), "{manifest}");
        assert!(posts(&upstream).is_empty(), "{manifest}");
        let allowed = draws(json!({"type": "image_generation", "model": "brush"}));
        proxy.post("/v1/responses", &allowed).await;
        assert_eq!(posts(&upstream).pop().unwrap().json(), allowed);
    }
}

#[tokio::test]
async fn a_limit_of_a_model_counts_what_tools_call() {
    let upstream = simulator().await;
    let spec = "limits: [{per: Address, requests: 1, models: [{exact: brush}], calendar: Day}]";
    let proxy = Proxy::start(&guarded(&upstream, false, "", spec)).await;
    let body = json!({"model": "echo", "input": "draw", "tools": [{"type": "image_generation", "model": "brush"}]});
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let request = proxy.request(Method::POST, "/v1/responses").json(&body);
        statuses.push(answer(request).await.status);
    }
    assert_eq!(
        (statuses[0] == 429, statuses[1]),
        (false, 429),
        "{statuses:?}"
    );
}
