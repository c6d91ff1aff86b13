//! What an author of manifests, or a pod, of another namespace tries in vain (features D7). Namespaces `iso-home` keep what is to be protected, `iso-evil` attacks.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};
use serde_json::{Value, json};

use super::{NODE, backend, base_url, chat, client, route, served, simulator};

const KEY: &str = "sk-of-the-platform-0123456789";
const OPERATOR: &str = "https://dragoman-operator.dragoman-system.svc.cluster.local:9443/v1/stream";

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: dragoman.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

/// The namespaces of the platform and of the attacker, made anew for one test.
fn namespaces(test: &str) -> (Kubectl, Kubectl) {
    let new = |role: &str| Kubectl::in_new_namespace(&format!("iso-{role}-{test}"));
    (new("home"), new("evil"))
}

/// A backend of the platform with its key, which admits nobody else.
fn platform(home: &Kubectl, upstream: &Simulator) {
    home.run(&[
        "create",
        "secret",
        "generic",
        "provider",
        &format!("--from-literal=key={KEY}"),
    ]);
    let keyed = "  credential: {secretRef: {name: provider, key: key}}\n";
    home.apply(&backend("main", upstream, keyed));
}

/// Waits until a route's condition is as it must be, and asserts that its message says why.
async fn refused(kubectl: &Kubectl, condition: &str, reason: &str) {
    let found = kubectl
        .condition("llmroute", "chat", condition, "False")
        .await;
    assert_eq!(found["reason"], reason, "{found}");
}

/// Asserts that a route answers nothing, whatever it is asked for a while: it is there, and closed.
async fn closed(kubectl: &Kubectl) {
    let url = base_url(kubectl);
    let reply = eventually("the route answers", || chat(&url, "m")).await;
    assert!([404, 502, 503].contains(&reply.0), "{reply:?}");
    assert!(!reply.1.to_string().contains(KEY), "{reply:?}");
}

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
async fn a_proxy_serves_no_route_that_it_does_not_admit_and_no_hostname_either() {
    let (home, evil) = namespaces("proxy");
    let upstream = simulator(Simulator::builder()).await;
    home.apply(&object("LLMProxy", "own", "{deployment: {replicas: 0}}"));
    home.apply(&object("LLMProxy", "picky", "{deployment: {replicas: 0}, allowedRoutes: {namespaces: {from: All}, hostnames: [\"*.team.example\"]}}"));
    evil.apply(&backend("one", &upstream, ""));
    evil.apply(&route(
        "one",
        &format!(
            "  proxyRefs: [{{name: own, namespace: {}}}]\n",
            home.namespace()
        ),
    ));
    refused(&evil, "Accepted", "NotAllowedByProxy").await;
    evil.apply(&route(
        "one",
        &format!(
            "  proxyRefs: [{{name: picky, namespace: {}}}]\n  hostnames: [llm.example.com]\n",
            home.namespace()
        ),
    ));
    let found = evil
        .condition("llmroute", "chat", "Accepted", "False")
        .await;
    assert!(
        found["message"]
            .as_str()
            .unwrap_or_default()
            .contains("llm.example.com"),
        "{found}"
    );
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

#[tokio::test]
async fn the_proxys_identity_in_the_cloud_is_not_lent_to_another_namespace() {
    let (_home, evil) = namespaces("cloud");
    evil.apply("apiVersion: dragoman.dev/v1alpha1\nkind: LLMBackend\nmetadata: {name: one}\nspec: {url: \"https://bedrock-runtime.us-east-1.amazonaws.com\", dialect: Bedrock, credential: {aws: {region: us-east-1}}}\n");
    evil.apply(&route("one", ""));
    refused(&evil, "ResolvedRefs", "CredentialNotShareable").await;
    closed(&evil).await;
}

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
