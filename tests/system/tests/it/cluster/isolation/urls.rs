//! URLs: no spelling, and no name that changes its mind, leads to metadata, loopback or a denied network.

use std::time::{Duration, Instant};

use dragoman_simulator::Simulator;
use dragoman_system::eventually;

use super::super::{NODE, base_url, chat, object, route, simulator};
use super::namespaces;

#[tokio::test]
async fn no_spelling_of_a_url_leads_to_metadata_loopback_or_a_denied_network() {
    let (_home, evil) = namespaces("urls");
    for url in [
        "http://169.254.169.254/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[::ffff:a9fe:a9fe]/v1",
        "http://[fe80::1]/v1",
        "http://[fd00:ec2::254]/v1",
        "http://[64:ff9b::a9fe:a9fe]/v1",
        "http://2852039166/v1",
        "http://0xa9fea9fe/v1",
        "http://0251.0376.0251.0376/v1",
        "http://127.0.0.1:9090/v1",
        "http://localhost:9090/v1",
        "http://[::1]:9090/v1",
        "http://0.0.0.0:9090/v1",
        "http://0:9090/v1",
        "http://user@169.254.169.254/v1",
    ] {
        let manifest = format!(
            "apiVersion: dragoman.dev/v1alpha1\nkind: LLMRoute\nmetadata: {{name: chat}}\nspec:\n  backends:\n  - {{name: it, inline: {{url: \"{url}\"}}}}\n"
        );
        if evil.dry_run(&manifest).is_err() {
            continue;
        }
        evil.apply(&manifest);
        let generation = evil.get("llmroute", "chat").unwrap()["metadata"]["generation"].clone();
        eventually(&format!("{url} is judged"), || async {
            let found = evil.get("llmroute", "chat")?;
            let seen = &found["status"]["observedGeneration"];
            if *seen == generation {
                Ok(())
            } else {
                Err(found["status"].to_string())
            }
        })
        .await;
        let base = base_url(&evil);
        let (status, reply) = eventually("the route answers", || async {
            match chat(&base, "m").await? {
                (200, reply) => Err(reply.to_string()),
                other => Ok(other),
            }
        })
        .await;
        assert!([502, 503].contains(&status), "{url}: {reply}");
        let code = reply["error"]["code"].as_str().unwrap_or_default();
        // A spelling that the resolver takes for a name has no address; any other is an address that is denied.
        assert!(
            [
                "upstream_denied",
                "upstream_dns",
                "no_backend",
                "upstream_unresolved",
                "route_unusable"
            ]
            .contains(&code),
            "{url}: {reply}"
        );
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_reaches_no_denied_address() {
    let (_home, evil) = namespaces("rebind");
    // The attacker's name service is the cluster's own: a Service without selector, whose addresses are the attacker's to say.
    let inside = simulator(Simulator::builder()).await;
    let port = inside.addr().port();
    evil.apply(&format!("apiVersion: v1\nkind: Service\nmetadata: {{name: rebind}}\nspec: {{clusterIP: None, ports: [{{name: http, port: {port}}}]}}\n"));
    let points_to = |address: &str| {
        evil.apply(&format!("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: rebind, labels: {{kubernetes.io/service-name: rebind}}}}\naddressType: IPv4\nports: [{{name: http, port: {port}}}]\nendpoints: [{{addresses: [{address}]}}]\n"));
    };
    // An address where nobody is, which is not denied.
    points_to("10.85.255.250");
    evil.apply(&object(
        "LLMProxy",
        "own",
        &format!("{{deployment: {{replicas: 1}}, backends: {{deniedCIDRs: [{NODE}/32]}}}}"),
    ));
    let host = format!("rebind.{}.svc.cluster.local", evil.namespace());
    evil.apply(&format!("apiVersion: dragoman.dev/v1alpha1\nkind: LLMBackend\nmetadata: {{name: one}}\nspec: {{url: \"http://{host}:{port}/v1\", timeouts: {{connect: 1s}}}}\n"));
    evil.apply(&route("one", "  proxyRefs: [{name: own}]\n"));
    evil.condition("llmroute", "chat", "Programmed", "True")
        .await;
    let url = base_url(&evil);
    let code = async || {
        let (status, reply) = chat(&url, "m").await?;
        assert_ne!(status, 200, "{reply}");
        Ok::<_, String>(
            reply["error"]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    eventually("the harmless address is tried", || async {
        match code().await? {
            code if code == "upstream_denied" => Err(code),
            _ => Ok(()),
        }
    })
    .await;
    let (mut denied, began) = (0, Instant::now());
    for flip in 0.. {
        points_to(if flip % 2 == 0 { NODE } else { "10.85.255.250" });
        for _ in 0..5 {
            denied += usize::from(code().await.is_ok_and(|code| code == "upstream_denied"));
        }
        if (denied > 0 && flip >= 20) || began.elapsed() > Duration::from_secs(120) {
            break;
        }
    }
    assert!(denied > 0, "the denied address was never the answer");
    assert_eq!(inside.stats().connections, 0, "nobody connected to it");
}
