//! HTTPS through the Services of a cluster, and what `status.url` says of it (features A11, D2).

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};
use reqwest::Certificate;
use serde_json::Value;

use crate::certificates::{Authority, authority, tls_secret};

use super::{backend, object, question, route, simulator};

const NAMES: [&str; 3] = [
    "chat.https-home.svc",
    "chat.https-team.svc",
    "dragoman-own.https-home.svc",
];

/// One chat call by somebody who trusts one authority alone.
async fn call(issuer: &Authority, base_url: &str) -> Result<Value, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = Certificate::from_pem(issuer.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([trusted])
        .build()
        .unwrap();
    let request = client.post(format!("{base_url}/chat/completions"));
    let reply = request.json(&question("echo")).send().await;
    let reply = reply.map_err(|fault| format!("{fault:?}"))?;
    let reply: Value = reply.json().await.map_err(|fault| fault.to_string())?;
    match reply["choices"][0]["message"]["content"].as_str() {
        Some("hello") => Ok(reply),
        _ => Err(reply.to_string()),
    }
}

async fn says(kubectl: &Kubectl, url: &str) {
    eventually(&format!("status.url is {url}"), || async {
        let found = kubectl.get("llmroute", "chat")?["status"]["url"].take();
        if found == url {
            Ok(())
        } else {
            Err(found.to_string())
        }
    })
    .await;
}

#[tokio::test]
async fn https_is_served_at_the_url_that_status_says() {
    let [home, team] = ["https-home", "https-team"].map(Kubectl::in_new_namespace);
    let upstream = simulator(Simulator::builder()).await;
    let (before, after) = (authority(), authority());
    let serving = |port: u16| {
        object(
            "LLMProxy",
            "own",
            &format!(
                "{{deployment: {{replicas: 1, service: {{port: {port}}}}}, tls: {{secretRefs: [{{name: edge}}]}}, allowedRoutes: {{namespaces: {{from: All}}}}}}"
            ),
        )
    };
    home.apply(&(tls_secret("edge", &NAMES, &before) + &serving(80)));
    for kubectl in [&home, &team] {
        kubectl.apply(&backend("one", &upstream, ""));
        let theirs = "  proxyRefs: [{name: own, namespace: https-home}]\n";
        kubectl.apply(&route("one", theirs));
        kubectl.condition("llmroute", "chat", "Ready", "True").await;
    }
    let answers = async |issuer: &Authority, url: &str| {
        eventually(&format!("{url} answers"), || call(issuer, url)).await
    };
    for (kubectl, name) in [(&home, NAMES[0]), (&team, NAMES[1])] {
        let url = format!("http://{name}/v1");
        says(kubectl, &url).await;
        answers(&before, &url).await;
        answers(&before, &format!("https://{name}/v1")).await;
    }
    // A Service has each port once: where 443 is the LLMProxy's, nothing is in the clear but by selector.
    home.apply(&serving(443));
    says(&home, "http://chat.https-home.svc/v1").await;
    says(&team, "https://chat.https-team.svc/v1").await;
    for kubectl in [&home, &team] {
        let url = kubectl.get("llmroute", "chat").unwrap()["status"]["url"].take();
        answers(&before, url.as_str().unwrap()).await;
    }
    team.apply(&route(
        "one",
        "  service: None\n  proxyRefs: [{name: own, namespace: https-home}]\n",
    ));
    let url = "https://dragoman-own.https-home.svc/routes/https-team/chat/v1";
    says(&team, url).await;
    answers(&before, url).await;
    // A certificate that is renewed is the one that is shown.
    home.apply(&tls_secret("edge", &NAMES, &after));
    answers(&after, url).await;
    let old = call(&before, url).await;
    assert!(old.is_err(), "{old:?}");
}
