//! Paths that are meant to lead past what was judged. Further spellings are in `other_paths` and `routing`.

use super::super::manifests::{backend, object, secret, simulator};
use super::super::proxy::Proxy;
use super::super::raw::{exchange, statuses};

/// Two teams: `team-a` has `chat` without a key, `team-b` has `files` whose key opens its own files.
fn two_teams(url: &str) -> String {
    let in_namespace = |kind: &str, namespace: &str, name: &str, spec: &str| {
        object(
            kind,
            &format!("{{name: {name}, namespace: {namespace}}}"),
            spec,
        )
    };
    let secret = secret("provider", "sk-of-team-b-0123456789")
        .replace("{name: provider}", "{name: provider, namespace: team-b}");
    let keyed = format!(
        "url: {url}\ncredential: {{secretRef: {{name: provider, key: key}}}}\nrelay: [{{path: \"/files/*\"}}]"
    );
    let to = "backends: [{name: main, backendRef: {name: main}}]";
    secret
        + &in_namespace("LLMBackend", "team-a", "main", &format!("url: {url}"))
        + &in_namespace("LLMRoute", "team-a", "chat", to)
        + &in_namespace("LLMBackend", "team-b", "main", &keyed)
        + &in_namespace("LLMRoute", "team-b", "files", to)
}

async fn status(proxy: &Proxy, target: &str, host: &str) -> (u16, String) {
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let said = exchange(proxy.address, head).await;
    (statuses(&said)[0], said)
}

#[tokio::test]
async fn no_spelling_leads_from_one_teams_route_to_anothers_key() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&two_teams(&upstream.url())).await;
    for target in [
        "/routes/team-a/chat/../../team-b/files/v1/files/x",
        "/routes/team-a/chat/%2e%2e/%2e%2e/team-b/files/v1/files/x",
        "/routes/team-a/chat/..%2f..%2fteam-b/files/v1/files/x",
        "/routes/team-a/chat/%2e%2e%2fteam-b%2ffiles/v1/files/x",
        "/routes/team-a/chat/..;/..;/team-b/files/v1/files/x",
        "/routes/team-a/chat/.%00./team-b/files/v1/files/x",
        "/routes/team-a/chat\\..\\..\\team-b\\files/v1/files/x",
        "/routes/team-a/..//team-b/files/v1/files/x",
        "http://chat.team-a/../routes/team-b/files/v1/files/x",
    ] {
        let (status, said) = status(&proxy, target, "chat.team-a").await;
        assert!([400, 404].contains(&status), "{target}: {said}");
    }
    for request in upstream.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
}

#[tokio::test]
async fn a_route_is_named_in_one_way_and_no_header_names_another() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&two_teams(&upstream.url())).await;
    // What names the route is the target's own host where it has one, then its path, then the header; everything else is talk.
    let head = "GET /v1/files/x HTTP/1.1\r\nHost: chat.team-a\r\nX-Forwarded-Host: files.team-b\r\nX-Host: files.team-b\r\nForwarded: host=files.team-b\r\nX-Forwarded-Prefix: /routes/team-b/files\r\nConnection: close\r\n\r\n";
    let said = exchange(proxy.address, head).await;
    assert_eq!(statuses(&said).len(), 1, "{said}");
    for request in upstream.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    for host in [
        "chat.team-a, files.team-b",
        "chat.team-a files.team-b",
        "files.team-b/../chat.team-a",
        "files.team-b%00.team-a",
        "user@files.team-b",
        "files.team-b:80:80",
        "[files.team-b]",
    ] {
        let (status, said) = status(&proxy, "/v1/files/x", host).await;
        assert!([400, 404].contains(&status), "{host}: {said}");
    }
    for request in upstream.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
}

#[tokio::test]
async fn doubled_slashes_and_absolute_targets_are_judged_as_what_they_name() {
    let upstream = simulator().await;
    let more = "credential: {secretRef: {name: provider, key: key}}\nrelay: [{path: \"/files/*\"}]";
    let manifest = secret("provider", "sk-ours-0123456789abcdef")
        + &backend("main", &upstream.url(), more)
        + &object(
            "LLMRoute",
            "{name: chat}",
            "backends: [{name: main, backendRef: {name: main}}]",
        );
    let proxy = Proxy::start(&manifest).await;
    for (target, status_wanted) in [
        ("//v1//files///shared", 200),
        ("http://chat//v1/files/shared", 200),
        ("//v1//batches", 404),
        ("http://chat//batches", 404),
        ("/v1/files//../batches", 400),
        ("/v1/%66iles/shared", 200),
        ("/v1/%62atches", 404),
        ("/v1/files%2fshared", 400),
        ("/v1/FILES/shared", 404),
        ("/v1/files/shared;jsessionid=1/../x", 400),
        ("//evil.example/v1/batches", 404),
        ("https://chat/v1/batches", 404),
        ("ftp://other/v1/files/shared", 404),
    ] {
        upstream.clear();
        let (status, said) = status(&proxy, target, "chat").await;
        assert_eq!(status, status_wanted, "{target}: {said}");
        assert_eq!(
            upstream.requests().len(),
            usize::from(status == 200),
            "{target}"
        );
        for request in upstream.requests() {
            assert_eq!(request.path, "/v1/files/shared", "{target}");
        }
    }
}

#[tokio::test]
async fn the_traffic_port_shows_nothing_of_the_admin_servers() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&two_teams(&upstream.url())).await;
    for target in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/bans",
        "/debug/pprof",
        "/.env",
        "/",
    ] {
        for host in [
            proxy.admin.to_string(),
            "localhost:9090".into(),
            "unknown".into(),
        ] {
            let (status, said) = status(&proxy, target, &host).await;
            assert_eq!(status, 404, "{target}: {said}");
            assert!(!said.contains("dragoman_requests"), "{said}");
        }
    }
    assert_eq!(upstream.stats().requests, 0);
}
