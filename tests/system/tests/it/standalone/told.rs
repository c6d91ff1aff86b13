//! What is told of refusals and failures, and to whom (features C1, C2).

use dragoman_simulator::Simulator;

use super::manifests::{backend, nobody, object, route, simulator};
use super::proxy::{Proxy, chat};

/// The route `chat` under the AccessPolicy `rules`.
fn ruled(upstream: &Simulator, spec: &str) -> String {
    object("AccessPolicy", "{name: rules}", spec)
        + &backend("main", &upstream.url(), "")
        + &route("accessPolicyRefs: [{name: rules}]")
}

/// The lines of the log that say so.
fn lines(proxy: &Proxy, what: &str) -> Vec<String> {
    let log = proxy.log();
    let lines = log.lines().filter(|line| line.contains(what));
    lines.map(str::to_owned).collect()
}

async fn has_metric(proxy: &Proxy, line: &str) {
    let text = proxy.admin_get("/metrics").await.text();
    assert!(text.lines().any(|told| told == line), "{line}: {text}");
}

#[tokio::test]
async fn a_rule_that_fails_on_replies_is_counted_each_time_and_told_once_with_the_requests_id() {
    let upstream = simulator().await;
    let spec = "responseRules:\n- {name: odd, when: response.content > 5, action: Deny}";
    let proxy = Proxy::start(&ruled(&upstream, spec)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let reply = proxy.chat("echo").await;
        assert_eq!((reply.status, &*reply.code()), (500, "rule_failed"));
        ids.push(reply.header("x-dragoman-request-id").unwrap().to_owned());
    }
    proxy.logged("a rule on a reply failed").await;
    let told = lines(&proxy, "a rule on a reply failed");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(ids.iter().any(|id| told[0].contains(id)), "{told:?}");
    has_metric(&proxy, "dragoman_policy_refusals_total{namespace=\"default\",policy=\"rules\",reason=\"rule_failed\"} 3").await;
}

#[tokio::test]
async fn a_rule_that_fails_on_requests_is_counted_each_time_and_told_once_beside_other_failures() {
    let upstream = simulator().await;
    let spec = "rules:\n- {name: odd, when: 'request.n != null && request.n > 5', action: Deny}\nresponseRules:\n- {name: even, when: response.content > 5, action: Deny}";
    let proxy = Proxy::start(&ruled(&upstream, spec)).await;
    let mut body = chat("echo", "hello");
    let whole = proxy.post("/v1/chat/completions", &body).await;
    body["n"] = "many".into();
    for _ in 0..3 {
        let reply = proxy.post("/v1/chat/completions", &body).await;
        assert_eq!((reply.status, &*reply.code()), (500, "rule_failed"));
    }
    assert_eq!((whole.status, &*whole.code()), (500, "rule_failed"));
    // One kind of line keeps no other from being told.
    for line in ["a rule on a reply failed", "a rule failed"] {
        proxy.logged(line).await;
        assert_eq!(lines(&proxy, line).len(), 1, "{line}");
    }
    has_metric(&proxy, "dragoman_policy_refusals_total{namespace=\"default\",policy=\"rules\",reason=\"rule_failed\"} 4").await;
}

#[tokio::test]
async fn a_rule_whose_service_may_fail_is_counted_each_time_it_is_passed_over_and_told_once() {
    let upstream = simulator().await;
    let call = format!(
        "{{name: guard, action: Call, call: {{url: \"http://{}/\", timeout: 1s, failure: Open}}}}",
        nobody()
    );
    for field in ["rules", "responseRules"] {
        let proxy = Proxy::start(&ruled(&upstream, &format!("{field}:\n- {call}"))).await;
        for _ in 0..3 {
            let reply = proxy.chat("echo").await;
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        proxy.logged("the rule is passed over").await;
        let told = lines(&proxy, "the rule is passed over");
        assert_eq!(told.len(), 1, "{told:?}");
        has_metric(
            &proxy,
            "dragoman_policy_rules_passed_over_total{namespace=\"default\",policy=\"rules\"} 3",
        )
        .await;
    }
}
