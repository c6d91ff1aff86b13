//! Who sees what of the log: people with a Kubernetes token see the namespaces in which they may (features C10, D7).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually, eventually_within};
use http::StatusCode;
use serde_json::Value;

/// What a team writes to let somebody read the log of its namespace.
const READER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: log-reader}
rules:
- {apiGroups: [dragoman.dev], resources: [llmroutes/log], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: log-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: log-reader}
subjects:
- {kind: ServiceAccount, name: reader}
";
/// Rights that were taken back are gone within a minute; the rest is for a busy machine.
const TAKEN_BACK: Duration = Duration::from_secs(120);

/// Where the logbook's pages are.
async fn pages() -> String {
    let system = Kubectl::in_namespace("dragoman-system");
    let selected = ["-l", "app.kubernetes.io/name=dragoman-logbook"];
    let address = ["-o", "jsonpath={.items[0].status.podIP}"];
    let address = system.run(&[["get", "pods"], selected, address].concat());
    format!("http://{address}:9090")
}

async fn ask(path: &str, token: &str) -> (StatusCode, String) {
    let url = format!("{}{path}", pages().await);
    let reply = super::client().get(url).bearer_auth(token).send().await;
    let reply = reply.unwrap();
    (reply.status(), reply.text().await.unwrap())
}

/// The namespaces of the requests that a page shows.
fn namespaces(page: &str) -> Vec<String> {
    let page: Value = serde_json::from_str(page).unwrap();
    let logs = page["logs"].as_array().into_iter().flatten();
    let names = logs.map(|log| log["namespace"].as_str().unwrap().to_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    names
}

/// A namespace with a route that has been called.
async fn called(name: &str, simulator: &Simulator) -> Kubectl {
    let kubectl = Kubectl::in_new_namespace(name);
    kubectl.apply(&(super::backend("main", simulator, "") + "\n---\n" + &super::route("main", "")));
    kubectl.run(&["create", "serviceaccount", "reader"]);
    super::served(&super::base_url(&kubectl), "echo", "echo").await;
    kubectl
}

fn token(kubectl: &Kubectl, more: &[&str]) -> String {
    let made = kubectl.run(&[&["create", "token", "reader"], more].concat());
    made.trim().to_owned()
}

fn admin_token() -> String {
    let secret = Kubectl::in_namespace("dragoman-system").get("secret", "dragoman-admin");
    let token = secret.unwrap()["data"]["token"].take();
    let token = STANDARD.decode(token.as_str().unwrap()).unwrap();
    String::from_utf8(token).unwrap()
}

#[tokio::test]
async fn a_kubernetes_token_shows_its_own_namespaces_at_the_logbook_until_the_right_is_taken_back()
{
    let simulator = super::simulator(Simulator::builder()).await;
    let ours = called("log-ours", &simulator).await;
    let theirs = called("log-theirs", &simulator).await;
    ours.apply(READER);
    let admin = admin_token();
    for name in ["log-ours", "log-theirs"] {
        let path = format!("/api/logs?namespace={name}");
        eventually("the admin sees requests of each namespace", || async {
            let (status, page) = ask(&path, &admin).await;
            let seen = status == 200 && namespaces(&page) == [name];
            seen.then_some(()).ok_or((status, page))
        })
        .await;
    }

    let reader = token(&ours, &[]);
    let (status, page) = ask("/api/logs", &reader).await;
    assert_eq!(
        (status.as_u16(), namespaces(&page)),
        (200, vec!["log-ours".to_owned()]),
        "{page}"
    );
    let (status, page) = ask("/api/logs?namespace=log-theirs", &reader).await;
    assert_eq!(
        (status.as_u16(), namespaces(&page)),
        (200, vec![]),
        "{page}"
    );
    // Whoever may read nothing is told what would have to be granted, and a token for somebody else is none.
    let (status, page) = ask("/api/logs", &token(&theirs, &[])).await;
    assert_eq!(status, 403, "{page}");
    assert!(page.contains("llmroutes/log"), "{page}");
    let other = token(&ours, &["--audience", "operator.dragoman.dev"]);
    assert_eq!(ask("/api/logs", &other).await.0, 401);

    // The dashboard takes the same token.
    let address = pages().await;
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    let browser = browser.build().unwrap();
    let signed = browser
        .post(format!("{address}/signin"))
        .header("origin", &address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={reader}"))
        .send()
        .await
        .unwrap();
    let cookie = signed.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = async || {
        let page = browser.get(format!("{address}/requests"));
        let reply = page.header("cookie", &cookie).send().await.unwrap();
        (reply.status(), reply.text().await.unwrap())
    };
    let (status, html) = page().await;
    assert_eq!(status, 200);
    assert!(
        html.contains("log-ours") && !html.contains("log-theirs"),
        "{html}"
    );

    ours.run(&["delete", "rolebinding", "log-reader"]);
    eventually_within(TAKEN_BACK, "the token shows nothing", || async {
        match ask("/api/logs", &reader).await.0.as_u16() {
            403 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    eventually_within(TAKEN_BACK, "the session shows nothing", || async {
        match page().await.0.as_u16() {
            403 => Ok(()),
            status => Err(status),
        }
    })
    .await;
}
