//! Grants: backends, maps, policies, names of Services and cloud identities serve only whom they admit, and no object shows a key.

use dragoman_simulator::Simulator;
use serde_json::{Value, json};

use super::super::{backend, base_url, client, object, route, served, simulator};
use super::{KEY, closed, namespaces, platform, refused};

#[tokio::test]
async fn a_backend_of_another_namespace_is_called_by_nobody_whom_it_does_not_admit() {
    let (home, evil) = namespaces("backend");
    let upstream = simulator(Simulator::builder()).await;
    platform(&home, &upstream);
    home.condition("llmbackend", "main", "Accepted", "True")
        .await;
    evil.apply(&route(
        &format!("main, namespace: {}", home.namespace()),
        "",
    ));
    refused(&evil, "ResolvedRefs", "RefNotPermitted").await;
    closed(&evil).await;
    // A Secret is looked up beside the backend that names it, and nowhere else.
    let elsewhere = format!(
        "  credential: {{secretRef: {{name: provider, namespace: {}, key: key}}}}\n",
        home.namespace()
    );
    let said = evil.refused(&backend("mine", &upstream, &elsewhere));
    assert!(said.contains("unknown field"), "{said}");
    let stolen = "  credential: {secretRef: {name: provider, key: key}}\n";
    evil.apply(&backend("mine", &upstream, stolen));
    evil.condition("llmbackend", "mine", "ResolvedRefs", "False")
        .await;
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn a_map_or_policy_of_another_namespace_is_used_by_nobody_whom_it_does_not_admit() {
    let (home, evil) = namespaces("shared");
    let upstream = simulator(Simulator::builder()).await;
    home.apply(&object(
        "ModelMap",
        "names",
        "{rules: [{match: {exact: a}, target: {model: secret-name}}]}",
    ));
    home.apply(&object(
        "AccessPolicy",
        "callers",
        "{authentication: {anonymous: true}}",
    ));
    evil.apply(&backend("one", &upstream, ""));
    for more in [
        "  modelMapRef: {name: names, namespace: HOME}\n",
        "  accessPolicyRefs: [{name: callers, namespace: HOME}]\n",
    ] {
        evil.apply(&route("one", &more.replace("HOME", home.namespace())));
        refused(&evil, "ResolvedRefs", "RefNotPermitted").await;
        closed(&evil).await;
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn a_name_of_another_namespaces_service_leads_to_that_namespaces_route_alone() {
    let (home, evil) = namespaces("names");
    let (theirs, ours) = (
        simulator(Simulator::builder()).await,
        simulator(Simulator::builder()).await,
    );
    home.apply(&backend("one", &theirs, ""));
    home.apply(&route("one", ""));
    served(&base_url(&home), "m", "m").await;
    evil.apply(&backend("one", &ours, ""));
    let name = format!("chat.{}", home.namespace());
    for hostname in [
        format!("{name}.svc"),
        format!("{name}.svc.cluster.local"),
        "kubernetes.default.svc".into(),
        "*.svc.cluster.local".into(),
        "*.cluster.local".into(),
    ] {
        evil.refused(&route("one", &format!("  hostnames: [\"{hostname}\"]\n")));
    }
    // What the schema cannot tell, the proxy does: a route's own names win over every hostname.
    evil.apply(&route("one", &format!("  hostnames: [{name}]\n")));
    evil.condition("llmroute", "chat", "Programmed", "True")
        .await;
    served(&base_url(&evil), "m", "m").await;
    let before = ours.stats().requests;
    for host in [
        name.clone(),
        format!("{name}.svc"),
        format!("{name}.svc.cluster.local"),
        format!("{name}.svc.cluster.local."),
    ] {
        let url = base_url(&evil).replace("/v1", "/v1/chat/completions");
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        let reply = client()
            .post(url)
            .header("host", &host)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 200, "{host}");
    }
    assert_eq!(
        ours.stats().requests,
        before,
        "all four went to the route whose names they are"
    );
}

#[tokio::test]
async fn the_proxys_identity_in_the_cloud_is_not_lent_to_another_namespace() {
    let (_home, evil) = namespaces("cloud");
    evil.apply("apiVersion: dragoman.dev/v1alpha1\nkind: LLMBackend\nmetadata: {name: one}\nspec: {url: \"https://bedrock-runtime.us-east-1.amazonaws.com\", dialect: Bedrock, credential: {aws: {region: us-east-1}}}\n");
    evil.apply(&route("one", ""));
    refused(&evil, "ResolvedRefs", "CredentialNotShareable").await;
    closed(&evil).await;
}

#[tokio::test]
async fn no_object_of_ours_that_a_team_may_read_shows_a_key() {
    let (home, _evil) = namespaces("reading");
    let upstream = simulator(Simulator::builder()).await;
    platform(&home, &upstream);
    home.apply(&route("main", ""));
    served(&base_url(&home), "m", "m").await;
    for kind in [
        "llmproxies",
        "llmbackends",
        "llmroutes",
        "modelmaps",
        "accesspolicies",
        "configmaps",
        "events",
        "pods",
        "deployments",
        "services",
    ] {
        let all: Value =
            serde_json::from_str(&home.run(&["get", kind, "--all-namespaces", "-o", "json"]))
                .unwrap();
        assert!(!all.to_string().contains(KEY), "{kind}");
    }
}
