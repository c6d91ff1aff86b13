//! The chart's Grafana dashboard and alert rules ask for what running programs expose, and for nothing else (feature C12).

mod scrape;

use std::collections::BTreeSet;
use std::fs;

use dragoman_logbook::ship::ticket::{Keys, Signer};
use dragoman_simulator::Simulator;
use dragoman_system::{Program, Redis, eventually, root};
use promql_parser::parser;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use super::proxy::Proxy;
use scrape::Scrape;

/// What a variable of the dashboard, or an interval of Grafana's, may stand for.
const VARIABLES: [(&str, &str); 3] = [
    ("$__rate_interval", "5m"),
    ("$namespace", ".*"),
    ("$route", ".*"),
];

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Manifests by which everything happens that is counted.
fn manifests(upstream: &str, redis: u16, certificate: &CertifiedKey<rcgen::KeyPair>) -> String {
    let (chain, key) = (
        certificate.cert.pem(),
        certificate.signing_key.serialize_pem(),
    );
    format!(
        r#"apiVersion: v1
kind: Secret
metadata: {{name: redis}}
stringData: {{url: "redis://127.0.0.1:{redis}"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: certificate}}
type: kubernetes.io/tls
stringData:
  tls.crt: |
{chain}
  tls.key: |
{key}
---
apiVersion: dragoman.dev/v1alpha1
kind: LLMProxy
metadata: {{name: default}}
spec:
  tls: {{secretRefs: [{{name: certificate}}]}}
  sharedState: {{redis: {{secretRef: {{name: redis, key: url}}}}}}
---
apiVersion: dragoman.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: rules}}
spec:
  rules:
  - {{name: asks, action: Call, call: {{url: "http://127.0.0.1:9/", timeout: 1s, failure: Open}}}}
  - {{name: denies, when: "model == 'denied'", action: Deny}}
---
apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {{name: chat}}
spec:
  accessPolicyRefs: [{{name: rules}}]
  backends: [{{name: main, inline: {{url: "{upstream}"}}}}]
---
apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {{name: dead}}
spec:
  backends: [{{name: main, inline: {{url: "http://127.0.0.1:9/v1"}}}}]
"#,
        chain = indented(&chain),
        key = indented(&key),
    )
}

/// A logbook that has no rows yet, and where its metrics are.
async fn logbook(
    certificate: &CertifiedKey<rcgen::KeyPair>,
) -> (Program, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::write([Signer::generate().unwrap().public()]);
    for (name, content) in [
        ("tls.crt", certificate.cert.pem()),
        ("tls.key", certificate.signing_key.serialize_pem()),
        ("keys.json", keys),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let file =
        |option: &str, name: &str| format!("--{option}={}", folder.path().join(name).display());
    let arguments = [
        file("tls-cert", "tls.crt"),
        file("tls-key", "tls.key"),
        file("ticket-keys", "keys.json"),
        file("data", "data"),
    ];
    let mut all = vec![
        "logbook",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--log-format=json",
    ];
    all.extend(arguments.iter().map(String::as_str));
    let program = Program::start("dragoman-proxy", &all);
    let admin = eventually("the logbook listens", || {
        let output = program.output();
        let said = output
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let admin = said
            .filter_map(|line| Some(line["admin"].as_str()?.to_owned()))
            .next();
        async move { admin.ok_or(output) }
    })
    .await;
    (program, folder, format!("http://{admin}/metrics"))
}

/// An operator that finds no API server, and counts all the same.
fn operator(folder: &std::path::Path) -> (Program, String) {
    let config = folder.join("kubeconfig");
    let nowhere = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "users": [{"name": "it", "user": {}}],
    });
    fs::write(&config, nowhere.to_string()).unwrap();
    // Two that are free; nobody else takes them in the moment until it listens.
    let [push, admin] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [push, admin] = [push, admin].map(|bound| bound.local_addr().unwrap().to_string());
    let arguments = [
        format!("--listen={push}"),
        format!("--admin={admin}"),
        "--namespace=dragoman-system".into(),
        "--pod-name=operator".into(),
        "--proxy-image=proxy".into(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let environment = [("KUBECONFIG", config.display().to_string())];
    let program = Program::start_in("dragoman-operator", &arguments, &environment);
    (program, format!("http://{admin}/metrics"))
}

async fn metrics(url: &str) -> Result<String, String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let reply = client
        .get(url)
        .send()
        .await
        .map_err(|fault| fault.to_string())?;
    reply.text().await.map_err(|fault| fault.to_string())
}

/// All that the three programs expose once everything has happened that they count.
async fn scrape() -> Scrape {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let upstream = Simulator::builder().start().await.unwrap();
    let redis = Redis::plain("127.0.0.1", "");
    let manifests = manifests(&upstream.url(), redis.port, &certificate);
    let proxy = Proxy::start_with(&manifests, &["--listen-tls", "127.0.0.1:0"]).await;
    let call = |route: &str, body: Value| {
        let url = format!(
            "http://{}/routes/default/{route}/v1/chat/completions",
            proxy.address
        );
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        async move {
            let reply = client.post(url).json(&body).send().await.unwrap();
            let status = reply.status().as_u16();
            reply.bytes().await.unwrap();
            status
        }
    };
    let question = |model: &str, stream: bool| json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]});
    assert_eq!(call("chat", question("echo", false)).await, 200);
    assert_eq!(call("chat", question("echo", true)).await, 200);
    assert_eq!(call("chat", question("denied", false)).await, 403);
    assert_eq!(call("chat", question("status-500", false)).await, 500);
    assert_eq!(call("dead", question("echo", false)).await, 502);
    let own = format!("http://{}/metrics", proxy.admin);
    let (_logbook, folder, at_logbook) = logbook(&certificate).await;
    let (_operator, at_operator) = operator(folder.path());
    let mut scrape = Scrape::default();
    let counted = eventually("all rows are counted", || async {
        let text = metrics(&own).await?;
        let rows = text.contains("error_type=\"500\"")
            && text.contains("time_to_first_token_seconds_bucket");
        if rows { Ok(text) } else { Err(text) }
    })
    .await;
    scrape.add(&counted);
    for url in [at_logbook, at_operator] {
        scrape.add(&eventually("a program tells", || metrics(&url)).await);
    }
    scrape
}

/// An expression as Prometheus gets it.
fn filled(text: &str) -> String {
    VARIABLES
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
}

/// Why an expression, or what is said of its result's labels, does not fit what is exposed.
fn fault(scrape: &Scrape, expr: &str, said: &BTreeSet<String>) -> Option<String> {
    let parsed = match parser::parse(&filled(expr)) {
        Ok(parsed) => parsed,
        Err(fault) => return Some(format!("{expr}: {fault}")),
    };
    match scrape.labels_of(&parsed) {
        Err(fault) => Some(format!("{expr}: {fault}")),
        Ok(labels) => {
            let missing = said.difference(&labels).next();
            missing.map(|label| format!("{expr}: its result has no {label}"))
        }
    }
}

/// The names that follow a mark.
fn names_after(text: &str, mark: &str) -> BTreeSet<String> {
    let rest = text.split(mark).skip(1);
    let name = |rest: &str| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    rest.map(name).filter(|name| !name.is_empty()).collect()
}

fn dashboard() -> Value {
    let file = root().join("charts/dragoman/files/dashboard.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test]
async fn the_dashboard_and_every_alert_ask_for_what_running_programs_expose() {
    let scrape = scrape().await;
    let mut faults = Vec::new();
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut asked = 0;
    for target in targets {
        let expr = target["expr"].as_str().unwrap();
        let said = names_after(target["legendFormat"].as_str().unwrap(), "{{");
        faults.extend(fault(&scrape, expr, &said));
        asked += 1;
    }
    let rules = fs::read_to_string(root().join("charts/dragoman/files/alerts.yaml")).unwrap();
    let rules: Value = serde_saphyr::from_str(&rules).unwrap();
    for rule in rules["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
    {
        let annotations = &rule["annotations"];
        for told in ["summary", "description"] {
            assert!(
                annotations[told]
                    .as_str()
                    .is_some_and(|text| text.len() > 12),
                "{rule}"
            );
        }
        assert!(rule["labels"]["severity"].is_string(), "{rule}");
        let said = names_after(&annotations.to_string(), "$labels.");
        faults.extend(fault(&scrape, rule["expr"].as_str().unwrap(), &said));
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_i64().unwrap() >= 39);
    assert_eq!(
        (&dashboard["uid"], &dashboard["title"]),
        (&json!("dragoman"), &json!("Dragoman"))
    );
    let variables: BTreeSet<&str> = dashboard["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{panel}");
        let place = |name: &str| panel["gridPos"][name].as_i64().unwrap();
        assert!(place("x") + place("w") <= 24, "{panel}");
        for (x, y) in (0..place("w")).flat_map(|x| (0..place("h")).map(move |y| (x, y))) {
            assert!(
                places.insert((place("x") + x, place("y") + y)),
                "{panel} lies on another"
            );
        }
        assert!(!panel["title"].as_str().unwrap().is_empty());
        match panel["type"].as_str().unwrap() {
            "row" => {}
            "timeseries" | "stat" => {
                assert_eq!(panel["datasource"]["uid"], "${datasource}");
                assert!(
                    panel["fieldConfig"]["defaults"]["unit"].is_string(),
                    "{panel}"
                );
                let targets = panel["targets"].as_array().unwrap();
                let refs: BTreeSet<&str> = targets
                    .iter()
                    .map(|target| target["refId"].as_str().unwrap())
                    .collect();
                assert_eq!(refs.len(), targets.len(), "{panel}");
                let used = targets
                    .iter()
                    .flat_map(|target| names_after(target["expr"].as_str().unwrap(), "$"));
                for name in used.filter(|name| name != "__rate_interval") {
                    assert!(variables.contains(name.as_str()), "{name}");
                }
            }
            other => panic!("a panel of type {other}"),
        }
    }
    // No request to anywhere else.
    assert!(!dashboard.to_string().contains("http"));
}
