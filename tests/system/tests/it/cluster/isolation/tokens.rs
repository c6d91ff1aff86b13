//! Tokens of proxies: each is worth the config of its own LLMProxy, while its pod is there.

use std::cell::RefCell;

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};
use serde_json::json;

use super::super::{object, route, simulator};
use super::{KEY, namespaces, platform};

const OPERATOR: &str = "https://dragoman-operator.dragoman-system.svc.cluster.local:9443/v1/stream";

/// Tokens of a pod of the attacker's, as its ServiceAccount would get them.
fn token(kubectl: &Kubectl, account: &str, more: &[&str]) -> String {
    let mut arguments = vec!["create", "token", account];
    arguments.extend(more);
    kubectl.run(&arguments).trim().to_owned()
}

/// What the operator answers to a token that asks for a config: the status, and the first of what it sends.
async fn asks(token: &str, proxy: &str, pod: &str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let hello = json!({"type": "hello", "proxy": proxy, "pod": pod, "version": "0", "items": {}});
    let url = RefCell::new(OPERATOR.to_owned());
    eventually("a leader answers", || {
        let (http, hello) = (&http, &hello);
        let (url, next) = (&url, url.borrow().clone());
        let sent = http
            .post(next)
            .bearer_auth(token)
            .body(format!("{hello}\n"))
            .send();
        async move {
            let mut reply = sent.await.map_err(|fault| format!("{fault:?}"))?;
            let status = reply.status().as_u16();
            if status == 307 {
                url.replace(reply.headers()["location"].to_str().unwrap().to_owned());
                return Err("another leads".to_owned());
            }
            if status == 503 {
                return Err("not ready".to_owned());
            }
            let mut said = Vec::new();
            // A stream of config goes on; a refusal ends.
            while let Ok(Some(piece)) = reply.chunk().await {
                said.extend_from_slice(&piece);
                if String::from_utf8_lossy(&said).contains("\"synced\"") {
                    break;
                }
            }
            Ok((status, String::from_utf8_lossy(&said).into_owned()))
        }
    })
    .await
}

fn pod(name: &str, label: &str, account: &str) -> String {
    // It is never started: the operator judges what the API server says of it.
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{dragoman.dev/proxy: {label}}}}}\nspec: {{serviceAccountName: {account}, nodeSelector: {{nowhere: \"yes\"}}, containers: [{{name: x, image: none, imagePullPolicy: Never}}]}}\n"
    )
}

#[tokio::test]
async fn a_token_gets_the_config_of_its_own_llmproxy_and_of_no_other() {
    let (home, evil) = namespaces("tokens");
    let upstream = simulator(Simulator::builder()).await;
    platform(&home, &upstream);
    home.apply(&route("main", ""));
    home.condition("llmroute", "chat", "Programmed", "True")
        .await;
    evil.apply(&object("LLMProxy", "own", "{deployment: {replicas: 0}}"));
    eventually("the LLMProxy's account is there", || async {
        evil.get("serviceaccount", "dragoman-own")
    })
    .await;
    evil.apply(&pod("thief", "own", "dragoman-own"));
    evil.apply(&pod("pretender", "default", "default"));
    let own = format!("{}/own", evil.namespace());
    let bound = |pod: &'static str| {
        [
            "--audience=operator.dragoman.dev".to_owned(),
            "--bound-object-kind=Pod".to_owned(),
            format!("--bound-object-name={pod}"),
        ]
    };
    let with = |account: &str, more: &[String]| {
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        token(&evil, account, &more)
    };
    let thief = with("dragoman-own", &bound("thief"));
    let (status, config) = asks(&thief, &own, "thief").await;
    assert_eq!(status, 200, "{config}");
    assert!(
        !config.contains(KEY) && !config.contains(home.namespace()),
        "its own config alone"
    );
    for (case, token, proxy, pod, wanted) in [
        (
            "another's config",
            thief.clone(),
            "dragoman-system/default",
            "thief",
            403,
        ),
        (
            "another pod's name",
            thief.clone(),
            own.as_str(),
            "dragoman-default-0",
            403,
        ),
        (
            "a label that names another namespace's LLMProxy",
            with("default", &bound("pretender")),
            "dragoman-system/default",
            "pretender",
            403,
        ),
        (
            "another ServiceAccount in the right pod's place",
            with("default", &bound("pretender")),
            own.as_str(),
            "pretender",
            403,
        ),
        (
            "a token of no pod",
            with("dragoman-own", &bound("thief")[..1]),
            own.as_str(),
            "thief",
            401,
        ),
        (
            "a token for the API server",
            with("dragoman-own", &[]),
            own.as_str(),
            "thief",
            401,
        ),
        (
            "a token for somebody else",
            with("dragoman-own", &["--audience=vault".into()]),
            own.as_str(),
            "thief",
            401,
        ),
        ("no token", String::new(), own.as_str(), "thief", 401),
        (
            "a token whose signature is cut off",
            thief.rsplit_once('.').unwrap().0.to_owned() + ".",
            own.as_str(),
            "thief",
            401,
        ),
    ] {
        let (status, said) = asks(&token, proxy, pod).await;
        assert_eq!(status, wanted, "{case}: {said}");
        assert!(!said.contains(KEY), "{case}");
    }
    // A pod that is gone takes its token's worth with it.
    evil.run(&["delete", "pod", "thief", "--force", "--grace-period=0"]);
    eventually("the token is worth nothing", || async {
        match asks(&thief, &own, "thief").await {
            (403, _) => Ok(()),
            other => Err(other),
        }
    })
    .await;
}
