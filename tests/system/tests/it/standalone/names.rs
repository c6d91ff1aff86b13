//! What a called name means: the ModelMap's rules, fallbacks, defaults and overrides, and a backend's catalog (features A12).

use http::Method;
use serde_json::json;

use super::manifests::{MAPPED, backend, mapped, names, nobody, posts, route_to, simulator};
use super::proxy::{Proxy, answer, chat, streamed};

/// The model that the upstream was called with, for each name that a client calls.
async fn called(map: &str, calls: &[&str]) -> Vec<String> {
    let upstream = simulator().await;
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    for name in calls {
        assert_eq!(proxy.chat(name).await.status, 200, "{name}");
    }
    let models = upstream
        .requests()
        .into_iter()
        .map(|request| request.json()["model"].as_str().unwrap().to_owned());
    models.collect()
}

#[tokio::test]
async fn an_exact_rule_beats_a_regex_and_regexes_go_in_their_order() {
    let map = r#"
rules:
- match: {regex: "gpt-.*"}
  target: {model: first}
- match: {regex: "gpt-4.*"}
  target: {model: second}
- match: {exact: gpt-4o}
  target: {model: exact}
"#;
    assert_eq!(
        called(map, &["gpt-4o", "gpt-4", "other"]).await,
        ["exact", "first", "other"]
    );
}

#[tokio::test]
async fn captures_expand_in_all_their_spellings() {
    let map = r#"
rules:
- match: {regex: "a-(?P<size>[0-9]+)b-(.*)"}
  target: {model: "x${size}-$2"}
- match: {regex: "b-(.*)-(.*)"}
  target: {model: '\2-\1'}
- match: {regex: "c-.*"}
  target: {model: "all-$0-$$1"}
"#;
    assert_eq!(
        called(map, &["a-70b-chat", "b-1-2", "c-d"]).await,
        ["x70-chat", "2-1", "all-c-d-$1"]
    );
}

#[tokio::test]
async fn a_regex_matches_the_whole_name_or_not_at_all() {
    let map = "rules:\n- match: {regex: \"gpt-4\"}\n  target: {model: matched}\n";
    let seen = called(map, &["gpt-4", "gpt-4o", "my-gpt-4", "gpt-4\n"]).await;
    assert_eq!(seen, ["matched", "gpt-4o", "my-gpt-4", "gpt-4\n"]);
}

#[tokio::test]
async fn a_map_may_ignore_case() {
    let map = "matching: IgnoreCase\nrules:\n- match: {exact: GPT-4o}\n  target: {model: a}\n- match: {regex: \"claude-.*\"}\n  target: {model: b}\n";
    assert_eq!(called(map, &["gpt-4O", "Claude-X"]).await, ["a", "b"]);
    assert_eq!(
        called(&map.replace("IgnoreCase", "Exact"), &["gpt-4O", "Claude-X"]).await,
        ["gpt-4O", "Claude-X"]
    );
}

#[tokio::test]
async fn a_rule_applies_only_while_its_condition_holds_and_what_is_missing_reads_as_null() {
    let upstream = simulator().await;
    let map = r#"
rules:
- match: {exact: gpt}
  when: headers['x-tier'] == 'gold'
  target: {model: gold}
- match: {exact: gpt}
  when: request.metadata.team == 'research' && route.name == 'chat'
  target: {model: research}
- match: {regex: "gpt"}
  target: {model: everyone}
"#;
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    let mut with_team = chat("gpt", "x");
    with_team["metadata"] = json!({"team": "research"});
    for (body, tier, model) in [
        (chat("gpt", "x"), "gold", "gold"),
        (with_team.clone(), "gold", "gold"),
        (with_team, "tin", "research"),
        (chat("gpt", "x"), "tin", "everyone"),
    ] {
        let request = proxy
            .request(Method::POST, "/v1/chat/completions")
            .json(&body);
        let reply = answer(request.header("x-tier", tier)).await;
        assert_eq!(reply.json()["model"], model, "{}", reply.text());
    }
    assert_eq!(
        proxy.chat("gpt").await.json()["model"],
        "everyone",
        "without the header at all"
    );
}

#[tokio::test]
async fn a_map_may_refuse_what_no_rule_knows() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&mapped(
        &upstream,
        "unmatched: Reject\nrules:\n- match: {exact: gpt}\n",
    ))
    .await;
    assert_eq!(
        proxy.chat("gpt").await.json()["model"],
        "gpt",
        "a rule without a target lets its name through"
    );
    let reply = proxy.chat("other").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (404, "model_not_found")
    );
    assert!(reply.message().contains("other"));
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_fallback_answers_for_what_is_busy_broken_or_away() {
    let upstream = simulator().await;
    let rule = |from: &str, target: &str| {
        format!(
            "- match: {{exact: {from}}}\n  target: {target}\n  fallbacks: [{{model: broken}}, {{model: fine, backend: main}}]\n"
        )
    };
    let map = "rules:\n".to_owned()
        + &rule("busy", "{model: status-429}")
        + &rule("gateway", "{model: status-502}")
        + &rule("unavailable", "{model: status-503+html}")
        + &rule("slow", "{model: status-504}")
        + &rule("dropped", "{model: drop}")
        + &rule("hangs", "{model: hang}")
        + &rule("away", "{model: away, backend: dead}")
        // A fallback goes through the rules again.
        + "- match: {exact: broken}\n  target: {model: status-503}\n- match: {exact: fine}\n  target: {model: echo}\n";
    let manifest = backend("main", &upstream.url(), "timeouts: {firstByte: 200ms}")
        + &backend(
            "dead",
            &format!("http://{}/v1", nobody()),
            "retries: {attempts: 0}",
        )
        + &names(&map)
        + &route_to(
            "- {name: main, backendRef: {name: main}}\n- {name: dead, backendRef: {name: dead}, priority: 9}",
            MAPPED,
        );
    let proxy = Proxy::start(&manifest).await;
    for name in [
        "busy",
        "gateway",
        "unavailable",
        "slow",
        "dropped",
        "hangs",
        "away",
    ] {
        for body in [chat(name, "hello"), streamed(name, "hello")] {
            let reply = proxy.post("/v1/chat/completions", &body).await;
            assert_eq!(
                (reply.status, reply.content()),
                (200, "hello".into()),
                "{name}: {}",
                reply.text()
            );
        }
    }
}

#[tokio::test]
async fn a_fallback_that_names_a_backend_alone_takes_the_name_there() {
    let (first, second) = (simulator().await, simulator().await);
    let map = "rules:\n- match: {exact: gpt-4o}\n  target: {model: status-503, backend: main}\n  fallbacks: [{backend: other}]\n";
    let manifest = backend("main", &first.url(), "")
        + &backend("other", &second.url(), "")
        + &names(map)
        + &route_to(
            "- {name: main, backendRef: {name: main}}\n- {name: other, backendRef: {name: other}, priority: 1}",
            MAPPED,
        );
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy.chat("gpt-4o").await;
    assert_eq!(
        (reply.status, &reply.json()["model"]),
        (200, &"gpt-4o".into())
    );
    assert_eq!((posts(&first).len(), posts(&second).len()), (1, 1));
}

#[tokio::test]
async fn what_the_client_did_wrong_is_no_reason_to_fall_back() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&mapped(
        &upstream,
        "rules:\n- match: {regex: \"(status-.*)\"}\n  target: {model: $1}\n  fallbacks: [{model: echo}]\n",
    ))
    .await;
    for status in [400, 401, 403, 404, 422, 500] {
        assert_eq!(proxy.chat(&format!("status-{status}")).await.status, status);
    }
    assert_eq!(upstream.requests().len(), 6);
}

#[tokio::test]
async fn when_every_fallback_fails_the_last_answer_of_an_upstream_stands() {
    let upstream = simulator().await;
    let map = "rules:\n- match: {exact: gpt}\n  target: {model: status-503}\n  fallbacks: [{model: status-429+retry-after-7, backend: main}, {model: away, backend: dead}]\n";
    let manifest = backend("main", &upstream.url(), "")
        + &backend("dead", &format!("http://{}/v1", nobody()), "")
        + &names(map)
        + &route_to(
            "- {name: main, backendRef: {name: main}}\n- {name: dead, backendRef: {name: dead}, priority: 9}",
            MAPPED,
        );
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy.chat("gpt").await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("7")),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn defaults_fill_what_is_absent_and_overrides_replace_what_is_there() {
    let upstream = simulator().await;
    let map = r"
rules:
- match: {exact: gpt}
  target: {model: echo}
  defaults: {temperature: 0.5, max_tokens: 100}
  overrides: {user: platform, seed: 7}
";
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    let mut body = chat("gpt", "x");
    body["temperature"] = 0.into();
    body["user"] = "mallory".into();
    body["x_unknown"] = json!({"kept": [1.0, "é"]});
    assert_eq!(proxy.post("/v1/chat/completions", &body).await.status, 200);
    let sent = upstream.requests()[0].json();
    let mut wanted = body;
    wanted["model"] = "echo".into();
    wanted["user"] = "platform".into();
    wanted["seed"] = 7.into();
    wanted["max_tokens"] = 100.into();
    assert_eq!(sent, wanted);
}

#[tokio::test]
async fn a_reply_names_the_upstreams_model_or_the_one_that_was_asked_for() {
    let upstream = simulator().await;
    for (reply_model, named) in [("Upstream", "think"), ("Requested", "gpt-4o")] {
        let map = format!(
            "replyModel: {reply_model}\nrules:\n- match: {{exact: gpt-4o}}\n  target: {{model: think}}\n"
        );
        let proxy = Proxy::start(&mapped(&upstream, &map)).await;
        let reply = proxy.chat("gpt-4o").await;
        assert_eq!(
            (reply.json()["model"].as_str(), reply.content()),
            (Some(named), "hello".into())
        );
        let reply = proxy.stream("gpt-4o").await;
        assert!(
            reply.chunks().iter().all(|chunk| chunk["model"] == named),
            "{}",
            reply.text()
        );
        assert!(
            reply.is_done() && reply.content() == "hello",
            "{}",
            reply.text()
        );
    }
}

#[tokio::test]
async fn a_catalog_renames_for_its_own_upstream_only() {
    let (first, second) = (simulator().await, simulator().await);
    let manifest = backend(
        "main",
        &first.url(),
        "catalog: [{name: fast, upstreamName: org/llama-8b}]",
    ) + &backend(
        "other",
        &second.url(),
        "catalog: [{name: fast, upstreamName: tokens-3}]",
    ) + &route_to(
        "- {name: main, backendRef: {name: main}, modelPrefix: a/}\n- {name: other, backendRef: {name: other}, modelPrefix: b/}",
        "",
    );
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(proxy.chat("a/fast").await.json()["model"], "org/llama-8b");
    assert_eq!(proxy.chat("b/fast").await.json()["model"], "tokens-3");
}

#[tokio::test]
async fn a_body_is_untouched_but_for_the_models_span() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&mapped(
        &upstream,
        "rules:\n- match: {exact: gpt}\n  target: {model: echo}\n",
    ))
    .await;
    let body = "\n{ \"messages\" : [ {\"content\":\"caf\\u00e9 \\/ \u{e9}\", \"role\":\"user\"} ],\t\"x_float\":1.0e+2,\
        \"model\" :  \"g\\u0070t\" , \"x\": {\"model\":\"inner\"},\"stream\" :false }\n";
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("content-type", "application/json");
    assert_eq!(answer(request.body(body)).await.status, 200);
    let seen = &upstream.requests()[0];
    assert_eq!(seen.body, body.replace("\"g\\u0070t\"", "\"echo\""));
    assert_eq!(
        seen.header("content-length"),
        Some(seen.body_bytes.to_string().as_str())
    );
}

#[tokio::test]
async fn embeddings_and_completions_are_renamed_too() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&mapped(
        &upstream,
        "rules:\n- match: {exact: gpt}\n  target: {model: echo}\n",
    ))
    .await;
    let reply = proxy
        .post("/v1/embeddings", &json!({"model": "gpt", "input": "a"}))
        .await;
    assert_eq!(
        (reply.status, &reply.json()["model"]),
        (200, &"echo".into())
    );
    let reply = proxy
        .post(
            "/v1/completions",
            &json!({"model": "gpt", "prompt": "one two"}),
        )
        .await;
    assert_eq!(
        (reply.status, &reply.json()["choices"][0]["text"]),
        (200, &"one two".into())
    );
}

#[tokio::test]
async fn a_target_may_name_the_backend_that_answers() {
    let (first, second) = (simulator().await, simulator().await);
    let map = "rules:\n- match: {exact: here}\n  target: {backend: main}\n- match: {exact: there}\n  target: {backend: other}\n";
    let manifest = backend("main", &first.url(), "")
        + &backend("other", &second.url(), "")
        + &names(map)
        + &route_to(
            "- {name: main, backendRef: {name: main}}\n- {name: other, backendRef: {name: other}, weight: 0}",
            MAPPED,
        );
    let proxy = Proxy::start(&manifest).await;
    for _ in 0..5 {
        assert_eq!(proxy.chat("there").await.status, 200);
    }
    assert_eq!(proxy.chat("here").await.status, 200);
    assert_eq!((posts(&first).len(), posts(&second).len()), (1, 5));
}
