//! Limits where more than a plain call is counted: names that a map changes, paths of a route's own, backends that fail (feature C3).

use dragoman_system::eventually;
use http::Method;
use serde_json::json;

use super::limits::{TOKENS, await_left, left, told};
use super::manifests::{MAPPED, backend, names, nobody, object, posts, route, route_to, simulator};
use super::proxy::{Proxy, answer, chat, streamed};

#[tokio::test]
async fn cost_is_reserved_by_what_the_map_makes_of_a_name() {
    let upstream = simulator().await;
    let priced = "catalog: [{name: tokens-20, price: {inputPerMillion: \"1000\", outputPerMillion: \"2000\"}}]";
    let manifest = backend("main", &upstream.url(), priced)
        + &object(
            "AccessPolicy",
            "{name: gold}",
            "limits: [{per: Address, cost: \"0.5\", calendar: Day}]",
        )
        + &names("rules:\n- {match: {exact: alias}, target: {model: tokens-20}}")
        + &route(&format!("{MAPPED}\naccessPolicyRefs: [{{name: gold}}]"));
    let proxy = Proxy::start(&manifest).await;
    let mut body = chat("alias", "one two three");
    body["max_tokens"] = 1000.into();
    let over = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!(over.status, 429, "{}", over.text());
    assert!(posts(&upstream).is_empty());
    body["max_tokens"] = 1.into();
    let admitted = proxy.post("/v1/chat/completions", &body).await;
    assert_eq!(admitted.status, 200, "{}", admitted.text());
}

#[tokio::test]
async fn work_that_nobody_would_count_is_refused_where_tokens_or_cost_are_limited() {
    let upstream = simulator().await;
    let cost =
        "{per: Address, cost: \"0.5\", calendar: Day, models: [{exact: echo}, {exact: alias}]}";
    let own = "accessPolicyRefs: [{name: gold}]";
    for (limit, backends, routes, status) in [
        (TOKENS, "", own, 400),
        (cost, "", own, 400),
        (TOKENS, own, "", 400),
        ("{per: Address, requests: 99, window: 1h}", "", own, 200),
    ] {
        let manifest = backend("main", &upstream.url(), backends)
            + &object(
                "AccessPolicy",
                "{name: gold}",
                &format!("limits: [{limit}]"),
            )
            + &names(
                "rules:\n- {match: {exact: alias}, target: {model: echo}, overrides: {background: true}}",
            )
            + &route(&format!(
                "{MAPPED}\npaths: [{{path: /own, backend: main, to: /responses}}]\n{routes}"
            ));
        let proxy = Proxy::start(&manifest).await;
        let before = posts(&upstream).len();
        for path in ["/v1/responses", "/own"] {
            let mut body = json!({"model": "echo", "input": "hello", "background": true});
            for stream in [false, true] {
                body["stream"] = stream.into();
                let refused = proxy.post(path, &body).await;
                let told = format!("{limit} {path}: {}", refused.text());
                assert_eq!(refused.status, status, "{told}");
                if status == 400 {
                    assert_eq!(refused.code(), "work_uncounted", "{told}");
                    assert!(refused.message().contains("default/gold"), "{told}");
                }
            }
            body["background"] = false.into();
            assert_eq!(proxy.post(path, &body).await.status, 200, "{limit} {path}");
        }
        let sent = posts(&upstream).len() - before;
        assert_eq!(sent, if status == 400 { 2 } else { 6 }, "{limit}");
        // What a map puts into a body is judged where it arrives.
        if !backends.is_empty() {
            let body = json!({"model": "alias", "input": "hello"});
            assert_eq!(proxy.post("/v1/responses", &body).await.status, 400);
        }
    }
}

#[tokio::test]
async fn what_a_path_of_the_routes_own_leads_to_is_counted_like_a_call() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "")
        + &object(
            "AccessPolicy",
            "{name: gold}",
            &format!("limits: [{TOKENS}]"),
        )
        + &route(
            "accessPolicyRefs: [{name: gold}]\npaths: [{path: /own, backend: main, to: /chat/completions}]",
        );
    let proxy = Proxy::start(&manifest).await;
    let answer = proxy
        .post("/own", &chat("tokens-20", "one two three"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    await_left(&proxy, 10_000 - 23).await;
    let failed = proxy
        .post("/own", &chat("status-500", "one two three"))
        .await;
    assert_eq!(failed.status, 500, "{}", failed.text());
    await_left(&proxy, 10_000 - 23).await;
    let streamed = streamed("tokens-20", "one two three");
    let prompt = streamed.to_string().len().div_ceil(4) as u64;
    assert_eq!(proxy.post("/own", &streamed).await.status, 200);
    eventually("a stream counts by its text", || async {
        match left(&proxy).await {
            left if left < 10_000 - 23 - prompt => Ok(()),
            left => Err(left),
        }
    })
    .await;
}

#[tokio::test]
async fn a_backend_that_fails_keeps_no_place_that_the_next_one_needs() {
    let (failing, well) = (simulator().await, simulator().await);
    let own = "accessPolicyRefs: [{name: gold}]";
    let limits =
        "limits: [{per: Address, concurrency: 1}, {per: Address, requests: 4, window: 1h}]";
    let down = "catalog: [{name: echo, upstreamName: status-503}]\n";
    for (first, down) in [
        (format!("http://{}/v1", nobody()), ""),
        (failing.url(), down),
    ] {
        let manifest = object("AccessPolicy", "{name: gold}", limits)
            + &backend("first", &first, &format!("{down}{own}"))
            + &backend("second", &well.url(), own)
            + &route_to(
                "- {name: first, backendRef: {name: first}}\n- {name: second, backendRef: {name: second}, priority: 1}",
                "",
            );
        let proxy = Proxy::start(&manifest).await;
        let listed = proxy.request(Method::GET, "/v1/models");
        let listed = answer(listed).await;
        assert_eq!(listed.status, 200, "{}", listed.text());
        assert!(listed.ids().iter().any(|id| id == "echo"));
        for left in ["2", "1", "0"] {
            let answer = proxy.chat("echo").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(told(&answer, "x-ratelimit-remaining-requests"), Some(left));
        }
        assert_eq!(proxy.chat("echo").await.status, 429);
    }
}
