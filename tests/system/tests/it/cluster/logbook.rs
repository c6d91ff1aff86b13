//! The logbook of an installation: what it runs on is made by the operator, and made again.

use dragoman_system::{Kubectl, eventually};

/// What the logbook answers on its admin port.
fn logbook(system: &Kubectl, path: &str) -> Result<String, String> {
    let selected = ["-l", "app.kubernetes.io/name=dragoman-logbook"];
    let names = ["-o", "jsonpath={.items[0].metadata.name}"];
    let pod = system.run(&[["get", "pods"], selected, names].concat());
    let path = format!("/api/v1/namespaces/dragoman-system/pods/{pod}:9090/proxy{path}");
    system.output_of(&["get", "--raw", &path])
}

#[tokio::test]
async fn the_logbook_is_ready_and_what_it_is_given_is_made_again_when_somebody_deletes_it() {
    let system = Kubectl::in_namespace("dragoman-system");
    eventually("the logbook is ready", || {
        let answer = logbook(&system, "/readyz");
        async move { answer }
    })
    .await;
    let before = system.get("secret", "dragoman-logbook").unwrap();
    system.run(&["delete", "secret", "dragoman-logbook"]);
    let after = eventually("the Secret is there again", || {
        let secret = system.get("secret", "dragoman-logbook");
        async move { secret }
    })
    .await;
    // Tickets that are about go on being believed, and the certificate is by those whom proxies trust.
    for same in ["ticket-keys.json", "ca.crt"] {
        assert_eq!(before["data"][same], after["data"][same], "{same}");
    }
    assert_ne!(before["data"]["tls.crt"], after["data"]["tls.crt"]);
    let metrics = logbook(&system, "/metrics").unwrap();
    assert!(metrics.contains("dragoman_logbook_rows_total"), "{metrics}");
}

#[tokio::test]
async fn no_proxy_pod_is_given_a_secret_of_the_logbook() {
    let system = Kubectl::in_namespace("dragoman-system");
    let proxy = system.get("deployment", "dragoman-default").unwrap();
    let pod = proxy["spec"]["template"]["spec"].to_string();
    assert!(!pod.contains("dragoman-logbook"), "{pod}");
    assert!(!pod.to_lowercase().contains("database"), "{pod}");
}

#[tokio::test]
async fn calls_of_a_clusters_proxies_are_on_record_at_the_logbook() {
    let kubectl = Kubectl::in_new_namespace("recorded");
    let simulator = super::simulator(dragoman_simulator::Simulator::builder()).await;
    let manifest = super::backend("main", &simulator, "") + "\n---\n" + &super::route("main", "");
    kubectl.apply(&manifest);
    let stored = |system: &Kubectl| {
        let metrics = logbook(system, "/metrics").unwrap_or_default();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("dragoman_logbook_rows_total{outcome=\"stored\"} "));
        line.and_then(|count| count.parse::<u64>().ok())
    };
    let system = Kubectl::in_namespace("dragoman-system");
    let url = super::base_url(&kubectl);
    eventually("a call is answered", || async {
        match super::chat(&url, "echo").await? {
            (200, _) => Ok(()),
            (status, body) => Err(format!("{status} {body}")),
        }
    })
    .await;
    let before = eventually("the logbook tells", || {
        let count = stored(&system);
        async move { count.ok_or("no count") }
    })
    .await;
    for _ in 0..5 {
        assert_eq!(super::chat(&url, "echo").await.unwrap().0, 200);
    }
    eventually("five more rows are committed", || {
        let count = stored(&system);
        async move { count.filter(|count| *count >= before + 5).ok_or(count) }
    })
    .await;
}

#[tokio::test]
async fn an_llmproxy_says_while_its_rows_wait_for_a_logbook_that_is_away() {
    let system = Kubectl::in_namespace("dragoman-system");
    let healthy =
        |status: &'static str| system.condition("llmproxy", "default", "LogHealthy", status);
    let kubectl = Kubectl::in_new_namespace("rows-wait");
    let simulator = super::simulator(dragoman_simulator::Simulator::builder()).await;
    kubectl
        .apply(&(super::backend("main", &simulator, "") + "\n---\n" + &super::route("main", "")));
    let url = super::base_url(&kubectl);
    super::served(&url, "echo", "echo").await;
    healthy("True").await;
    let scale = |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        system.run(&["scale", "deployment/dragoman-logbook", &replicas]);
        let rollout = [
            "rollout",
            "status",
            "deployment/dragoman-logbook",
            "--timeout=60s",
        ];
        system.run(&rollout);
    };
    scale("0");
    assert_eq!(super::chat(&url, "echo").await.unwrap().0, 200);
    let away = healthy("False").await;
    assert_eq!(away["reason"], "LogbookAway");
    let message = away["message"].as_str().unwrap();
    assert!(
        message.contains("1 of 2 proxies") || message.contains("2 of 2 proxies"),
        "{message}"
    );
    // Requests are served whatever becomes of their rows.
    system
        .condition("llmproxy", "default", "Ready", "True")
        .await;
    scale("1");
    assert_eq!(healthy("True").await["reason"], "Stored");
}
