//! Whose word counts for where a request comes from: that of `trustedProxies`, pod by pod (features A2).

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};

use super::pod::Pod;
use super::{backend, base_url, object, route, simulator};

#[tokio::test]
async fn a_pod_that_is_not_trusted_is_believed_no_address_but_its_own() {
    let edge = Kubectl::in_new_namespace("hops-edge");
    let team = Kubectl::in_new_namespace("hops-team");
    let (hop, stranger) = tokio::join!(Pod::start(&edge), Pod::start(&team));
    let upstream = simulator(Simulator::builder()).await;
    edge.apply(&object(
        "LLMProxy",
        "own",
        &format!(
            "{{deployment: {{replicas: 1}}, trustedProxies: [{}/32]}}",
            hop.address
        ),
    ));
    edge.apply(&object(
        "AccessPolicy",
        "callers",
        "{network: {allow: [192.0.2.0/24], deny: [192.0.2.66/32]}}",
    ));
    edge.apply(&backend("one", &upstream, ""));
    edge.apply(&route(
        "one",
        "  proxyRefs: [{name: own}]\n  accessPolicyRefs: [{name: callers}]\n",
    ));
    edge.condition("llmroute", "chat", "Ready", "True").await;
    edge.condition("llmproxy", "own", "Ready", "True").await;
    let url = base_url(&edge);
    let told = async |pod: &Pod, all: &[(&str, &str, u16)]| {
        let headers: Vec<_> = all
            .iter()
            .map(|(name, value, _)| [(*name, *value)])
            .collect();
        let calls: Vec<_> = headers.iter().map(|it| (&*url, &it[..])).collect();
        for (told, reply) in all.iter().zip(pod.calls(&calls).await) {
            assert_eq!(reply.unwrap().0, told.2, "{told:?}");
        }
    };
    eventually("the Service leads to the proxy", || hop.call(&url, &[])).await;
    let forwarded = "x-forwarded-for";
    told(
        &hop,
        &[
            (forwarded, "192.0.2.1", 200),
            (forwarded, "192.0.2.66", 403),
            // What stands left of the one whom the hop tells is that one's own word.
            (forwarded, "192.0.2.1, 192.0.2.66", 403),
            (forwarded, "192.0.2.66, 192.0.2.1", 200),
            (forwarded, &format!("192.0.2.1, {}", stranger.address), 403),
            (forwarded, "unknown", 403),
            ("forwarded", "for=192.0.2.1", 200),
        ],
    )
    .await;
    let seen = upstream.stats().requests;
    told(
        &stranger,
        &[
            (forwarded, "192.0.2.1", 403),
            (forwarded, &format!("192.0.2.1, {}", hop.address), 403),
            ("forwarded", "for=192.0.2.1", 403),
            ("x-real-ip", "192.0.2.1", 403),
            ("true-client-ip", "192.0.2.1", 403),
        ],
    )
    .await;
    assert_eq!(upstream.stats().requests, seen);
}
