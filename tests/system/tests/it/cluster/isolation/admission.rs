//! What an LLMProxy does not admit is not served, whoever asks from wherever; `evil` has a pod that tries.

use dragoman_simulator::Simulator;
use dragoman_system::eventually;

use super::super::pod::{AUDIENCE, Pod};
use super::super::{backend, base_url, object, pods, route, served, simulator};
use super::{namespaces, refused};

#[tokio::test]
async fn a_route_is_served_once_its_llmproxy_admits_namespace_policy_backend_and_hostname() {
    let (home, evil) = namespaces("admission");
    let upstream = simulator(Simulator::builder()).await;
    home.apply(&object("LLMProxy", "own", "{deployment: {replicas: 1}, requireAccessPolicy: true, backends: {inline: Deny}, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {llm: lent}}}, hostnames: [\"*.team.example\"]}}"));
    let pod = Pod::start(&evil).await;
    home.condition("llmproxy", "own", "Ready", "True").await;
    let proxy = pods(home.namespace(), "own").remove(0);
    let own = format!("chat.{}.svc", evil.namespace());
    let tries = async |wanted: u16| {
        let prefixed = format!("http://{proxy}:8080/routes/{}/chat/v1", evil.namespace());
        let plain = format!("http://{proxy}:8080/v1");
        let tried = [
            (&plain, own.as_str(), wanted),
            (&plain, "chat.team.example", wanted),
            (&prefixed, "proxy", wanted),
            // That hostname is admitted at no time.
            (&plain, "llm.example.com", 404),
        ];
        let headers = tried.map(|(_, host, _)| [("host", host)]);
        let calls: Vec<_> = std::iter::zip(tried, &headers)
            .map(|((url, ..), headers)| (url.as_str(), &headers[..]))
            .collect();
        for ((url, host, wanted), reply) in tried.into_iter().zip(pod.calls(&calls).await) {
            let (status, reply) = reply.unwrap();
            assert_eq!(status, wanted, "{url} as {host}: {reply}");
        }
    };
    let with = |more: &str| {
        let proxy = format!(
            "  proxyRefs: [{{name: own, namespace: {}}}]\n",
            home.namespace()
        );
        route("one", &(proxy + more))
    };
    const NAMED: &str = "  accessPolicyRefs: [{name: callers}]\n  hostnames: [chat.team.example]\n";
    evil.apply(&backend("one", &upstream, ""));
    evil.apply(&object(
        "AccessPolicy",
        "callers",
        "{authentication: {anonymous: true}}",
    ));
    evil.apply(&with(NAMED));
    refused(&evil, "Accepted", "NotAllowedByProxy").await;
    tries(404).await;
    let label = |value: &str| {
        home.run(&["label", "namespace", evil.namespace(), value]);
    };
    label("llm=lent");
    evil.condition("llmroute", "chat", "Ready", "True").await;
    tries(200).await;
    // What is taken back is taken back.
    label("llm-");
    refused(&evil, "Accepted", "NotAllowedByProxy").await;
    tries(404).await;
    evil.run(&["delete", "llmroute", "chat", "--wait"]);
    label("llm=lent");
    let seen = upstream.stats().requests;
    evil.apply(&with("  hostnames: [chat.team.example]\n"));
    refused(&evil, "Accepted", "AccessPolicyRequired").await;
    tries(404).await;
    let inline = format!("inline: {{url: \"{}\"}}", upstream.url());
    evil.apply(&with(NAMED).replace("backendRef: {name: one}", &inline));
    refused(&evil, "Accepted", "InlineBackendDenied").await;
    tries(404).await;
    assert_eq!(upstream.stats().requests, seen);
    // Of two hostnames the one that is admitted is served, as are the route's own names, and status says which is not.
    evil.apply(&with(
        "  accessPolicyRefs: [{name: callers}]\n  hostnames: [chat.team.example, llm.example.com]\n",
    ));
    let said = refused(&evil, "Accepted", "NotAllowedByProxy").await;
    assert!(said.contains("llm.example.com"), "{said}");
    evil.condition("llmroute", "chat", "Programmed", "True")
        .await;
    tries(200).await;
}

#[tokio::test]
async fn a_pod_of_another_namespace_comes_in_by_no_door() {
    let (home, evil) = namespaces("doors");
    let upstream = simulator(Simulator::builder()).await;
    home.apply(&backend("one", &upstream, ""));
    let policy = |more: &str| {
        let spec = format!(
            "{{authentication: {{serviceAccounts: {{audience: {AUDIENCE}}}}}, rules: [{{name: ours, when: \"'system:serviceaccounts:{}' in user.groups\", action: Allow}}, {{name: nobody-else, action: Deny}}]{more}}}",
            home.namespace()
        );
        object("AccessPolicy", "callers", &spec)
    };
    home.apply(&policy(""));
    home.apply(&route("one", "  accessPolicyRefs: [{name: callers}]\n"));
    home.condition("llmroute", "chat", "Ready", "True").await;
    // The attacker has a route of its own, and so a Service that leads to the same proxies.
    evil.apply(&backend("one", &upstream, ""));
    evil.apply(&route("one", ""));
    served(&base_url(&evil), "echo", "echo").await;
    let (friend, attacker) = tokio::join!(Pod::start(&home), Pod::start(&evil));
    let service = format!("chat.{}.svc", home.namespace());
    let path = format!("/routes/{}/chat/v1", home.namespace());
    let proxy = pods("dragoman-system", "default").remove(0);
    let doors = [
        (base_url(&home), None),
        (base_url(&evil), Some(service.as_str())),
        (base_url(&evil).replace("/v1", &path), None),
        (
            format!("http://dragoman-default.dragoman-system.svc.cluster.local{path}"),
            None,
        ),
        (format!("http://{proxy}:8080/v1"), Some(&service)),
    ];
    let tries = async |pod: &Pod, token: Option<&str>, wanted: u16| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers = doors.each_ref().map(|(_, host)| {
            let all = [("host", *host), ("authorization", bearer.as_deref())];
            let set = all
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            set.collect::<Vec<_>>()
        });
        let calls: Vec<_> = std::iter::zip(&doors, &headers)
            .map(|((url, _), headers)| (url.as_str(), &headers[..]))
            .collect();
        for ((url, host), reply) in doors.iter().zip(pod.calls(&calls).await) {
            let (status, reply) = reply.unwrap();
            assert_eq!(status, wanted, "{url} as {host:?}: {reply}");
        }
    };
    let (ours, theirs) = (friend.token().await, attacker.token().await);
    tries(&friend, Some(&ours), 200).await;
    let seen = upstream.stats().requests;
    tries(&attacker, Some(&theirs), 403).await;
    tries(&attacker, None, 401).await;
    assert_eq!(upstream.stats().requests, seen);
    // A token that was stolen is worth something from where it may come from.
    home.apply(&policy(&format!(
        ", network: {{deny: [{}/32]}}",
        attacker.address
    )));
    home.condition("accesspolicy", "callers", "Ready", "True")
        .await;
    home.condition("llmroute", "chat", "Programmed", "True")
        .await;
    eventually("the edit is served", || async {
        let bearer = format!("Bearer {ours}");
        let headers = [("authorization", bearer.as_str())];
        match attacker.call(&doors[0].0, &headers).await? {
            (403, _) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let seen = upstream.stats().requests;
    tries(&attacker, Some(&ours), 403).await;
    assert_eq!(upstream.stats().requests, seen);
    tries(&friend, Some(&ours), 200).await;
}
