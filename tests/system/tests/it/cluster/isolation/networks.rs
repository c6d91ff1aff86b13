//! What an LLMProxy's `deniedCIDRs` keep from everything that names a URL: backends, services that rules ask, issuers' keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_simulator::Simulator;
use dragoman_system::eventually;
use serde_json::{Value, json};

use super::super::pod::Pod;
use super::super::{NODE, backend, base_url, object, route, simulator};
use super::namespaces;

/// Waits until a call from the pod gets this status and this code, if one is named.
async fn gets(pod: &Pod, url: &str, status: u16, code: Option<&str>) {
    let bearer = format!("Bearer {}", token());
    eventually(&format!("a call gets {status} {code:?}"), || async {
        let (got, reply) = pod.call(url, &[("authorization", &bearer)]).await?;
        if got == status && code.is_none_or(|code| reply["error"]["code"] == code) {
            Ok(())
        } else {
            Err(format!("{got} {reply}"))
        }
    })
    .await;
}

/// A token that only the keys of its issuer could judge.
fn token() -> String {
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(json!({"alg": "RS256", "kid": "one"}));
    let claims = json!({"iss": "https://login.example.com", "aud": "llm", "sub": "eve", "exp": 4_102_444_800_u64});
    format!(
        "{head}.{}.{}",
        part(claims),
        URL_SAFE_NO_PAD.encode([7; 256])
    )
}

#[tokio::test]
async fn nothing_that_a_manifest_names_leads_into_a_denied_network() {
    let (home, evil) = namespaces("networks");
    let inside = simulator(Simulator::builder()).await;
    // The node's address in the network of the pods, which is not denied.
    let outside = Simulator::builder().listen("10.85.0.1:0".parse().unwrap());
    let outside = outside.start().await.unwrap();
    home.apply(&object(
        "LLMProxy",
        "own",
        &format!("{{deployment: {{replicas: 1}}, allowedRoutes: {{namespaces: {{from: All}}}}, backends: {{deniedCIDRs: [10.96.0.0/16, {NODE}/32]}}}}"),
    ));
    let pod = Pod::start(&evil).await;
    let there = format!(
        "  proxyRefs: [{{name: own, namespace: {}}}]\n",
        home.namespace()
    );
    let denied = [
        "https://kubernetes.default.svc".to_owned(),
        "https://10.96.0.1".to_owned(),
        format!("https://{NODE}:6443"),
        "https://dragoman-operator.dragoman-system.svc:9443".to_owned(),
        inside.url(),
    ];
    for (at, url) in denied.iter().enumerate() {
        let chat = route(&format!("to-{at}"), &there)
            .replace("{name: chat}", &format!("{{name: to-{at}}}"));
        evil.apply(
            &(object(
                "LLMBackend",
                &format!("to-{at}"),
                &format!("{{url: \"{url}\"}}"),
            ) + "---\n"
                + &chat),
        );
    }
    evil.apply(&backend("one", &outside, ""));
    evil.apply(&route("one", &there));
    home.condition("llmproxy", "own", "Ready", "True").await;
    let url = base_url(&evil);
    gets(&pod, &url, 200, None).await;
    for at in 0..denied.len() {
        let url = url.replace("chat", &format!("to-{at}"));
        gets(&pod, &url, 502, Some("upstream_denied")).await;
    }
    let asks = format!(
        "rules: [{{name: ask, action: Call, call: {{url: \"{}/ask\"}}}}]",
        inside.url()
    );
    let trusts = format!(
        "authentication: {{jwt: [{{issuer: \"https://login.example.com\", audiences: [llm], jwksUri: \"{}/keys\"}}]}}",
        inside.url()
    );
    for (name, spec, code) in [
        ("asks", asks, "rule_unavailable"),
        ("trusts", trusts, "identity_unavailable"),
    ] {
        let guarded = format!("  accessPolicyRefs: [{{name: {name}}}]\n");
        let before = inside.stats().connections;
        evil.apply(&object("AccessPolicy", name, &format!("{{{spec}}}")));
        evil.apply(&route("one", &(there.clone() + &guarded)));
        gets(&pod, &url, 503, Some(code)).await;
        assert_eq!(inside.stats().connections, before, "{spec}");
        // Where nothing is denied, it is asked: what was looked at is what keeps it away.
        evil.apply(&route("one", &guarded));
        gets(&pod, &url, 503, Some(code)).await;
        eventually("it is asked", || async {
            if inside.stats().connections > before {
                Ok(())
            } else {
                Err(())
            }
        })
        .await;
    }
}
