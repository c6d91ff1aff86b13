//! The list of models.

use dragoman_config::{Catalogued, CredentialItem};
use dragoman_crds::{NameFilter, Unmatched};
use dragoman_simulator::Simulator;
use http::Method;
use serde_json::json;

use crate::harness::*;

fn listed(simulator: &Simulator) -> usize {
    simulator
        .requests()
        .iter()
        .filter(|seen| seen.path == "/v1/models")
        .count()
}

#[tokio::test]
async fn the_list_is_the_union_with_prefixes_in_order_and_unknown_fields() {
    let one = Simulator::builder()
        .models([json!({"id": "a", "x": {"y": 1}}), json!("b")])
        .start()
        .await
        .unwrap();
    let two = Simulator::builder()
        .models(["c", "a"])
        .start()
        .await
        .unwrap();
    let mut second = entry("two", backend_at(&two));
    second.prefix = "two/".into();
    let proxy = Proxy::start(
        items().put_route("chat", route(vec![entry("one", backend_at(&one)), second])),
    );
    let got = proxy.get("/v1/models").await;
    assert_eq!(got.json()["object"], "list");
    assert_eq!(got.ids(), ["a", "b", "two/c", "two/a"]);
    assert_eq!(got.json()["data"][0]["x"]["y"], 1);
    assert_eq!(proxy.get("/models").await.ids(), got.ids());
    let got = proxy.get("/v1/models/two/c").await;
    assert_eq!(got.json()["id"], "two/c");
    assert_eq!(proxy.get("/v1/models/two%2Fc").await.json()["id"], "two/c");
    let got = proxy.get("/v1/models/c").await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (404, "model_not_found")
    );
    let got = proxy.chat("two/c", "x").await;
    assert_eq!(got.status, 200);
    assert_eq!(two.requests().last().unwrap().json()["model"], "c");
}

#[tokio::test]
async fn maps_filter_the_list_and_calls_alike() {
    let simulator = Simulator::builder()
        .models(["Llama-8b", "echo", "secret"])
        .start()
        .await
        .unwrap();
    let mut names = map();
    names.list.names = NameFilter {
        allow: Some(vec![regex("llama-.*"), exact("secret")]),
        deny: vec![exact("SECRET")],
    };
    names.list.first = vec!["gpt-4".into()];
    names.rules = vec![rule(exact("gpt-4"), "echo")];
    let proxy = Proxy::start(mapped(&simulator, names));
    assert_eq!(proxy.get("/v1/models").await.ids(), ["gpt-4", "Llama-8b"]);
    for (model, status) in [
        ("gpt-4", 200),
        ("LLAMA-8B", 200),
        ("secret", 404),
        ("echo", 404),
    ] {
        let got = proxy.chat(model, "x").await;
        assert_eq!(got.status.as_u16(), status, "{model}");
        if status == 404 {
            assert_eq!(got.error_code(), "model_not_found");
        }
    }
}

#[tokio::test]
async fn a_catalog_renames_completes_and_stands_in() {
    let simulator = Simulator::builder()
        .models(["upstream-name"])
        .start()
        .await
        .unwrap();
    let mut item = backend_at(&simulator);
    let catalogued = |name: &str, upstream: &str| Catalogued {
        price: None,
        name: name.into(),
        upstream_name: upstream.into(),
        context_length: Some(4096),
        metadata: json!({"tier": "gold"}).as_object().unwrap().clone(),
    };
    item.catalog = vec![
        catalogued("ours", "upstream-name"),
        catalogued("unlisted", "echo"),
    ];
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    let got = proxy.get("/v1/models").await;
    assert_eq!(got.ids(), ["ours", "unlisted"]);
    assert_eq!(got.json()["data"][1]["tier"], "gold");
    assert_eq!(got.json()["data"][0]["context_length"], 4096);
    proxy.chat("unlisted", "x").await;
    assert_eq!(simulator.requests().last().unwrap().json()["model"], "echo");
}

#[tokio::test]
async fn a_list_is_fetched_once_for_many_and_again_after_its_time() {
    let simulator = simulator().await;
    let proxy = Proxy::start(simple(&simulator));
    let many = futures::future::join_all((0..16).map(|_| proxy.get("/v1/models"))).await;
    assert!(
        many.iter()
            .all(|got| got.ids() == ["llama3-8b", "llama3-70b"])
    );
    assert_eq!(listed(&simulator), 1);
    let mut names = map();
    names.list.cache_ttl_ms = 0;
    proxy.shared.publish(mapped(&simulator, names));
    proxy.get("/v1/models").await;
    proxy.get("/v1/models").await;
    assert_eq!(listed(&simulator), 3);
}

#[tokio::test]
async fn two_client_keys_never_share_a_list() {
    let simulator = simulator().await;
    let mut item = backend_at(&simulator);
    item.credential = CredentialItem::Passthrough;
    let proxy = Proxy::start(items().put_route("chat", route(vec![entry("b", item)])));
    for key in ["Bearer one", "Bearer two", "Bearer one"] {
        proxy
            .send(Method::GET, "/v1/models", &[("authorization", key)], "")
            .await;
    }
    let keys: Vec<_> = simulator
        .requests()
        .iter()
        .map(|seen| seen.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(
        keys,
        [Some("Bearer one".to_owned()), Some("Bearer two".to_owned())]
    );
}

#[tokio::test]
async fn an_error_is_not_kept_and_one_backend_down_leaves_a_partial_list() {
    let simulator = simulator().await;
    let down = Simulator::builder()
        .models(["other"])
        .start()
        .await
        .unwrap();
    down.set_health(http::StatusCode::INTERNAL_SERVER_ERROR);
    let backends = vec![
        entry("down", backend_at(&down)),
        entry("up", backend_at(&simulator)),
    ];
    let proxy = Proxy::start(items().put_route("chat", route(backends)));
    assert_eq!(
        proxy.get("/v1/models").await.ids(),
        ["llama3-8b", "llama3-70b"]
    );
    down.set_health(http::StatusCode::OK);
    assert_eq!(
        proxy.get("/v1/models").await.ids(),
        ["other", "llama3-8b", "llama3-70b"]
    );
}

#[tokio::test]
async fn no_list_at_all_is_the_upstreams_fault() {
    let simulator = simulator().await;
    let proxy = Proxy::start(
        items().put_route("chat", route(vec![entry("b", backend_nowhere(&simulator))])),
    );
    let got = proxy.get("/v1/models").await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (502, "models_unavailable")
    );
}

#[tokio::test]
async fn a_backend_whose_list_lacks_the_model_is_left_out() {
    let one = Simulator::builder()
        .models(["other"])
        .start()
        .await
        .unwrap();
    let two = Simulator::builder()
        .models(["wanted"])
        .start()
        .await
        .unwrap();
    let proxy = Proxy::start(items().put_route(
        "chat",
        route(vec![
            entry("one", backend_at(&one)),
            entry("two", backend_at(&two)),
        ]),
    ));
    proxy.get("/v1/models").await;
    for _ in 0..10 {
        assert_eq!(proxy.chat("wanted", "x").await.status, 200);
    }
    assert_eq!(
        two.requests()
            .iter()
            .filter(|seen| seen.method == "POST")
            .count(),
        10
    );
    // A model that no list knows goes wherever it may be.
    assert_eq!(proxy.chat("echo", "x").await.status, 200);
}

#[tokio::test]
async fn a_name_that_no_rule_knows_is_rejected_where_the_map_says_so() {
    let simulator = simulator().await;
    let mut names = map();
    names.unmatched = Unmatched::Reject;
    names.rules = vec![rule(exact("known"), "echo")];
    let proxy = Proxy::start(mapped(&simulator, names));
    assert_eq!(proxy.get("/v1/models").await.ids(), ["known"]);
    assert_eq!(
        proxy.chat("echo", "x").await.error_code(),
        "model_not_found"
    );
    assert_eq!(proxy.chat("known", "x").await.status, 200);
}

#[tokio::test]
async fn a_model_that_nobody_lists_is_404_while_a_list_is_there_and_502_when_none_is() {
    let simulator = simulator().await;
    let mut down = entry("down", backend_nowhere(&simulator));
    down.prefix = "down/".into();
    let up = entry("up", backend_at(&simulator));
    let proxy = Proxy::start(items().put_route("chat", route(vec![down.clone(), up])));
    for (id, status, code) in [
        ("llama3-8b", 200, ""),
        ("nobody", 404, "model_not_found"),
        ("down/llama3-8b", 404, "model_not_found"),
    ] {
        let got = proxy.get(&format!("/v1/models/{id}")).await;
        assert_eq!(got.status, status, "{id}: {}", got.text());
        assert_eq!(
            got.json()["error"]["code"].as_str().unwrap_or_default(),
            code
        );
    }
    proxy
        .shared
        .publish(items().put_route("chat", route(vec![down])));
    let got = proxy.get("/v1/models/nobody").await;
    assert_eq!(
        (got.status.as_u16(), got.error_code().as_str()),
        (502, "models_unavailable")
    );
}

#[tokio::test]
async fn a_name_that_leads_to_a_backend_that_the_route_lacks_is_not_listed_and_not_found() {
    let simulator = simulator().await;
    let mut names = map();
    names.rules = vec![rule(exact("lost"), "echo"), rule(exact("found"), "echo")];
    names.rules[0].target.backend = Some("gone".into());
    names.unmatched = Unmatched::Reject;
    let proxy = Proxy::start(mapped(&simulator, names));
    assert_eq!(proxy.get("/v1/models").await.ids(), ["found"]);
    assert_eq!(proxy.get("/v1/models/lost").await.status, 404);
    assert_eq!(
        proxy.chat("lost", "x").await.error_code(),
        "model_not_found"
    );
    assert_eq!(proxy.chat("found", "x").await.status, 200);
}
