//! Which route answers, and what of the path goes on (features A3).

use http::Method;

use super::manifests::{backend, object, simple, simulator};
use super::proxy::{Proxy, answer, chat};
use super::raw::{exchange, statuses};

/// A route of this name and namespace, to the simulator behind `main` of the same namespace.
fn route_in(namespace: &str, name: &str, model: &str, url: &str, more: &str) -> String {
    let map =
        format!("unmatched: Reject\nrules:\n- match: {{exact: who}}\n  target: {{model: {model}}}");
    let place = format!("{{name: {name}, namespace: {namespace}}}");
    object("ModelMap", &place, &map)
        + &object(
            "LLMRoute",
            &place,
            &format!(
                "backends:\n- {{name: main, inline: {{url: \"{url}\"}}}}\nmodelMapRef: {{name: {name}}}\n{more}"
            ),
        )
}

/// Which route answered a call for this host: each renames `who` to a name of its own.
async fn who(proxy: &Proxy, host: &str) -> Result<String, (u16, String)> {
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .header("host", host);
    // The last value of a header wins here.
    let mut request = request.json(&chat("who", "x")).build().unwrap();
    request.headers_mut().insert("host", host.parse().unwrap());
    let reply = super::proxy::client().execute(request).await.unwrap();
    let status = reply.status().as_u16();
    let body: serde_json::Value = reply.json().await.unwrap();
    match status {
        200 => Ok(body["model"].as_str().unwrap().to_owned()),
        _ => Err((
            status,
            body["error"]["message"].as_str().unwrap().to_owned(),
        )),
    }
}

#[tokio::test]
async fn a_route_answers_to_every_form_of_its_own_name() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&route_in("team-a", "chat", "mine", &upstream.url(), "")).await;
    for host in [
        "chat.team-a",
        "chat.team-a.svc",
        "chat.team-a.svc.cluster.local",
        "chat",
        "chat:8080",
        "CHAT.Team-A.SVC:80",
        "chat.team-a.svc.cluster.local.",
        "chat.team-a.svc.:80",
        "chat.",
    ] {
        assert_eq!(who(&proxy, host).await, Ok("mine".into()), "{host}");
    }
}

#[tokio::test]
async fn an_unknown_host_gets_404_that_names_it() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&route_in("team-a", "chat", "mine", &upstream.url(), "")).await;
    for host in [
        "other.team-a",
        "chat.team-b.svc",
        "chat.team-a.svc.other.domain",
        "10.0.0.1:8080",
        "svc",
    ] {
        let (status, message) = who(&proxy, host).await.unwrap_err();
        let named = host.trim_end_matches(":8080");
        assert!(
            status == 404 && message.contains(named),
            "{host}: {status} {message}"
        );
    }
    assert_eq!(upstream.stats().requests, 0);
}

#[tokio::test]
async fn a_bare_name_that_two_namespaces_share_names_neither() {
    let upstream = simulator().await;
    let both = route_in("team-a", "chat", "a", &upstream.url(), "")
        + &route_in("team-b", "chat", "b", &upstream.url(), "");
    let proxy = Proxy::start(&both).await;
    assert_eq!(who(&proxy, "chat.team-a").await, Ok("a".into()));
    assert_eq!(who(&proxy, "chat.team-b.svc").await, Ok("b".into()));
    assert_eq!(who(&proxy, "chat").await.unwrap_err().0, 404);
}

#[tokio::test]
async fn hostnames_lead_to_their_route_and_a_routes_own_name_wins_over_them() {
    let upstream = simulator().await;
    let url = upstream.url();
    let routes = route_in(
        "team-a",
        "chat",
        "chat",
        &url,
        "hostnames: [llm.example.com]",
    ) + &route_in(
        "team-b",
        "code",
        "code",
        &url,
        "hostnames: [code.example.com, chat]",
    );
    let proxy = Proxy::start(&routes).await;
    assert_eq!(who(&proxy, "llm.example.com").await, Ok("chat".into()));
    assert_eq!(
        who(&proxy, "Code.Example.com.:8080").await,
        Ok("code".into())
    );
    assert_eq!(who(&proxy, "chat").await, Ok("chat".into()));
}

#[tokio::test]
async fn a_path_prefix_names_the_route_whatever_the_host() {
    let upstream = simulator().await;
    let url = upstream.url();
    let routes = route_in("team-a", "chat", "chat", &url, "")
        + &route_in("team-b", "code", "code", &url, "");
    let proxy = Proxy::start(&routes).await;
    for (path, model) in [
        ("/routes/team-a/chat/v1/chat/completions", "chat"),
        ("/routes/team-b/code/v1/chat/completions", "code"),
        ("/routes/team-b/code/chat/completions", "code"),
    ] {
        // The Host is the route `chat`'s: the prefix wins.
        let reply = proxy.post(path, &chat("who", "x")).await;
        assert_eq!(
            (reply.status, &reply.json()["model"]),
            (200, &model.into()),
            "{path}"
        );
    }
    for (path, named) in [
        ("/routes/team-a/none/v1/models", "/routes/team-a/none"),
        ("/routes/team-c/chat/v1/models", "/routes/team-c/chat"),
        ("/routes/team-a", "/routes/team-a"),
    ] {
        let reply = proxy.get(path).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (404, "route_not_found"),
            "{path}"
        );
        assert!(reply.message().contains(named), "{}", reply.message());
    }
}

#[tokio::test]
async fn paths_mean_the_same_with_and_without_v1() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for path in [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1//chat/completions",
    ] {
        let reply = proxy.post(path, &chat("echo", "hello")).await;
        assert_eq!(
            (reply.status, reply.content()),
            (200, "hello".into()),
            "{path}"
        );
    }
    for path in ["/v1/models", "/models"] {
        assert!(
            proxy.get(path).await.ids().contains(&"echo".to_owned()),
            "{path}"
        );
    }
    for request in upstream.requests() {
        assert!(
            request.path.starts_with("/v1/") && !request.path.contains("//"),
            "{}",
            request.path
        );
    }
}

#[tokio::test]
async fn the_query_reaches_the_upstream_as_it_is() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let body = chat("echo", "x").to_string();
    for query in [
        "a=1&b=%20c&a=2",
        "api-version=2024-10-21",
        "x",
        "q=%2Fv1%2F..&z=+",
    ] {
        upstream.clear();
        let path = format!("/v1/chat/completions?{query}");
        let said = exchange(
            proxy.address,
            format!("POST {path} HTTP/1.1\r\nHost: chat\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        )
        .await;
        assert_eq!(statuses(&said), [200], "{said}");
        assert_eq!(upstream.requests()[0].query.as_deref(), Some(query));
    }
}

#[tokio::test]
async fn the_base_urls_own_path_stands_before_every_path() {
    let upstream = simulator().await;
    let manifest = backend("main", &format!("{}/deep/base/", upstream.origin()), "")
        + &super::manifests::route("");
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(
        proxy.chat("echo").await.status,
        404,
        "the simulator has nothing there"
    );
    assert_eq!(upstream.requests()[0].path, "/deep/base/chat/completions");
}

#[tokio::test]
async fn the_upstream_is_asked_for_under_its_own_host() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("echo", "x"));
    assert_eq!(
        answer(request.header("x-forwarded-host", "evil"))
            .await
            .status,
        200
    );
    let seen = &upstream.requests()[0];
    assert_eq!(
        seen.host.as_deref(),
        Some(upstream.addr().to_string().as_str())
    );
    assert_eq!(seen.header("x-forwarded-host"), None);
}
