//! What policies say of models, and the policies of backends (features A13, C1, D7).

use http::Method;
use serde_json::json;

use super::callers::{Signer, claims, jwks};
use super::manifests::{MAPPED, backend, mapped, names, object, posts, route, route_to, simulator};
use super::proxy::{Answer, Proxy, answer, chat};

const KEY: &str = "ann-0123456789abcdef";
const OTHER: &str = "bob-0123456789abcdef";

fn policy(name: &str, spec: &str) -> String {
    object("AccessPolicy", &format!("{{name: {name}}}"), spec)
}

fn secret(name: &str, token: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n  ann: {token}\n"
    )
}

async fn called(proxy: &Proxy, model: &str, headers: &[(&str, &str)]) -> Answer {
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request.json(&chat(model, "hello"));
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    answer(request).await
}

#[tokio::test]
async fn models_that_a_policy_does_not_admit_are_neither_listed_nor_callable() {
    let upstream = simulator().await;
    let spec = "models:\n  allow: [{regex: 'echo.*'}, {exact: said}]\n  deny: [{exact: 'echo-secret:latest'}]";
    let catalog = "catalog: [{name: echo}, {name: echo-secret}, {name: said}, {name: other}]";
    let manifest = policy("models", spec)
        + &backend("main", &upstream.url(), catalog)
        + &route("accessPolicyRefs: [{name: models}]");
    let proxy = Proxy::start(&manifest).await;
    for path in ["/v1/models", "/api/tags", "/v1beta/models"] {
        let listed = answer(proxy.request(Method::GET, path)).await;
        let text = listed.text();
        assert_eq!(listed.status, 200, "{path}: {text}");
        assert!(
            text.contains("echo") && text.contains("said"),
            "{path}: {text}"
        );
        assert!(
            !text.contains("secret") && !text.contains("other"),
            "{path}: {text}"
        );
    }
    assert_eq!(called(&proxy, "echo", &[]).await.status, 200);
    let before = posts(&upstream).len();
    for name in ["other", "echo-secret", "ECHO-SECRET", "echo-secret:latest"] {
        let refused = called(&proxy, name, &[]).await;
        let told = (refused.status, refused.code());
        assert_eq!(told, (404, "model_not_found".to_owned()), "{name}");
    }
    // In a body of no API that is known, and in a path.
    let body = json!({"model": "other", "input": "x"});
    let request = proxy.request(Method::POST, "/v1/moderations").json(&body);
    assert_eq!(answer(request).await.status, 404);
    let contents = json!({"contents": [{"parts": [{"text": "x"}]}]});
    let path = "/v1beta/models/other:generateContent";
    let request = proxy.request(Method::POST, path).json(&contents);
    assert_eq!(answer(request).await.status, 404);
    assert_eq!(posts(&upstream).len(), before);
}

#[tokio::test]
async fn a_backends_policy_admits_what_reaches_it_and_its_key_goes_no_further() {
    let (first, second) = (simulator().await, simulator().await);
    let own = "authentication: {bearerTokens: {secretRefs: [{name: inner}]}}\nrules:\n- {name: short, action: Deny, when: 'request.max_tokens != null && request.max_tokens > 100'}";
    let manifest = secret("inner", KEY)
        + &policy("inner", own)
        + &backend(
            "first",
            &first.url(),
            "credential: {passthrough: {}}\naccessPolicyRefs: [{name: inner}]",
        )
        + &backend("second", &second.url(), "")
        + &route_to(
            "- {name: first, backendRef: {name: first}, modelPrefix: a/}\n- {name: second, backendRef: {name: second}, modelPrefix: b/}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(called(&proxy, "b/echo", &[]).await.status, 200);
    assert_eq!(called(&proxy, "a/echo", &[]).await.status, 401);
    assert_eq!(
        called(&proxy, "a/echo", &[("x-api-key", OTHER)])
            .await
            .status,
        401
    );
    assert!(posts(&first).is_empty());
    let both = [("x-api-key", KEY), ("authorization", "Bearer sk-own")];
    assert_eq!(called(&proxy, "a/echo", &both).await.status, 200);
    let seen = posts(&first).pop().unwrap();
    assert_eq!(seen.header("authorization"), Some("Bearer sk-own"));
    assert_eq!(seen.header("x-api-key"), None);
    let body = json!({"model": "a/echo", "max_tokens": 500, "messages": [{"role": "user", "content": "x"}]});
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&body);
    let refused = answer(request.header("x-api-key", KEY)).await;
    assert_eq!(
        (refused.status, refused.code()),
        (403, "request_denied".to_owned())
    );
    assert_eq!(posts(&first).len(), 1);
}

#[tokio::test]
async fn a_body_that_servers_read_in_different_ways_is_no_way_around_a_policy() {
    let upstream = simulator().await;
    let manifest = policy("models", "models: {deny: [{exact: dear}]}")
        + &backend("main", &upstream.url(), "")
        + &route(
            "accessPolicyRefs: [{name: models}]\npaths: [{path: /own, backend: main, to: /chat/completions}]",
        );
    let proxy = Proxy::start(&manifest).await;
    let messages = r#""messages":[{"role":"user","content":"x"}]"#;
    for (path, kind, body, status, code) in [
        (
            "/v1/chat/completions",
            "application/json",
            r#"{"model":"echo","MODEL":"dear",@}"#,
            400,
            "ambiguous_member",
        ),
        (
            "/v1/chat/completions",
            "application/json",
            r#"{"model":"echo","model":"dear",@}"#,
            400,
            "ambiguous_member",
        ),
        (
            "/v1/rerank",
            "multipart/form-data; boundary=x",
            r#"{"model":"dear",@}"#,
            404,
            "model_not_found",
        ),
        (
            "/v1/rerank",
            "text/plain",
            "\u{feff}{\"model\":\"dear\",@}",
            400,
            "invalid_json",
        ),
        (
            "/own",
            "application/json",
            r#"{"model":"dear",@}"#,
            404,
            "model_not_found",
        ),
        (
            "/own",
            "application/octet-stream",
            "dear",
            403,
            "body_unjudged",
        ),
        (
            "/v2/chat",
            "application/octet-stream",
            r#"{"model":"dear",@}"#,
            403,
            "body_unjudged",
        ),
    ] {
        let request = proxy
            .request(Method::POST, path)
            .header("content-type", kind);
        let refused = answer(request.body(body.replace('@', messages))).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{path} {kind}: {}",
            refused.text()
        );
    }
    assert!(posts(&upstream).is_empty());
    let body = format!(r#"{{"model":"echo",{messages}}}"#);
    for path in ["/v1/chat/completions", "/own"] {
        let request = proxy.request(Method::POST, path).body(body.clone());
        assert_eq!(answer(request).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_names_another_model_to_some_servers_is_no_way_around_a_map() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&mapped(&upstream, "list: {deny: [{exact: dear}]}")).await;
    let messages = json!([{"role": "user", "content": "x"}]);
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/rerank"] {
        for body in [
            json!({"model": "echo", "Model": "dear", "messages": messages, "input": "x"}),
            json!({"MODEL": "dear", "messages": messages, "input": "x"}),
        ] {
            let refused = proxy.post(path, &body).await;
            let told = (refused.status, refused.code());
            assert_eq!(told, (400, "ambiguous_member".to_owned()), "{path} {body}");
        }
    }
    assert!(posts(&upstream).is_empty());
}

#[tokio::test]
async fn whom_a_backends_policy_refuses_sees_none_of_its_models() {
    let (first, second) = (simulator().await, simulator().await);
    let inner = "authentication: {bearerTokens: {secretRefs: [{name: inner}]}}";
    let manifest = secret("inner", KEY)
        + &policy("inner", inner)
        + &backend(
            "first",
            &first.url(),
            "credential: {passthrough: {}}\naccessPolicyRefs: [{name: inner}]",
        )
        + &backend("second", &second.url(), "")
        + &route_to(
            "- {name: first, backendRef: {name: first}, modelPrefix: a/}\n- {name: second, backendRef: {name: second}, modelPrefix: b/}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    let list = async |key: &str| {
        let request = proxy.request(Method::GET, "/v1/models");
        let listed = answer(request.header("x-api-key", key)).await;
        assert_eq!(listed.status, 200, "{}", listed.text());
        listed.ids()
    };
    let seen = list(OTHER).await;
    assert!(
        !seen.is_empty() && seen.iter().all(|id| id.starts_with("b/")),
        "{seen:?}"
    );
    assert!(first.requests().is_empty());
    assert!(list(KEY).await.iter().any(|id| id.starts_with("a/")));
    let asked = first.requests();
    assert!(!asked.is_empty());
    for request in asked {
        assert_eq!(request.header("x-api-key"), None);
    }
}

#[tokio::test]
async fn nobody_else_names_the_user_to_a_policy_that_authenticates() {
    let upstream = simulator().await;
    // The route's author calls whoever has the route's key by the name of another's group.
    let outer = "authentication: {bearerTokens: {secretRefs: [{name: outer}]}}";
    let inner = "authentication: {bearerTokens: {secretRefs: [{name: inner}]}}\nrules:\n- {name: staff, action: Deny, when: \"user == null || !('staff' in user.groups)\"}\nlimits: [{per: User, requests: 2, window: 1h}]";
    let second =
        "rules:\n- {name: bob, action: Deny, when: \"user == null || user.name != 'bob'\"}";
    let keys = |name: &str, user: &str, token: &str, groups: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, annotations: {{dragoman.dev/groups: {groups}}}}}\nstringData:\n  {user}: {token}\n"
        )
    };
    let manifest = |inner_groups: &str| {
        keys("outer", "ann", KEY, "staff")
            + &keys("inner", "bob", OTHER, inner_groups)
            + &policy("outer", outer)
            + &policy("inner", inner)
            + &policy("second", second)
            + &backend(
                "main",
                &upstream.url(),
                "accessPolicyRefs: [{name: inner}, {name: second}]",
            )
            + &route("accessPolicyRefs: [{name: outer}]")
    };
    let both = [("x-api-key", KEY), ("api-key", OTHER)];
    let proxy = Proxy::start(&manifest("guests")).await;
    let refused = called(&proxy, "echo", &both).await;
    let told = (refused.status, refused.code());
    assert_eq!(told, (403, "request_denied".to_owned()), "bob is no staff");
    assert!(posts(&upstream).is_empty());
    let proxy = Proxy::start(&manifest("staff")).await;
    for _ in 0..2 {
        let admitted = called(&proxy, "echo", &both).await;
        assert_eq!(admitted.status, 200, "{}", admitted.text());
    }
    let over = called(&proxy, "echo", &both).await;
    assert_eq!(over.status, 429, "{}", over.text());
    assert!(over.text().contains("each user"), "{}", over.text());
}

#[tokio::test]
async fn one_caller_is_to_each_policy_who_it_finds_it_to_be() {
    let upstream = simulator().await;
    let signer = Signer::new("1");
    let issued = |audience: &str| {
        format!(
            "authentication: {{jwt: [{{issuer: \"https://issuer.example\", audiences: [{audience}], jwks: '{}'}}]}}\n",
            jwks(&[&signer])
        )
    };
    let keyed = |name: &str| {
        format!("authentication: {{bearerTokens: {{secretRefs: [{{name: {name}}}]}}}}\n")
    };
    let keys = |name: &str, groups: &str| {
        secret(name, KEY).replace(
            &format!("{{name: {name}}}"),
            &format!("{{name: {name}, annotations: {{dragoman.dev/groups: {groups}}}}}"),
        )
    };
    let admins = "rules: [{name: admins, action: Deny, when: \"!('admins' in user.groups)\"}]\n";
    let manifest = keys("gate-keys", "admins")
        + &keys("door-keys", "guests")
        + &policy("gate", &(keyed("gate-keys") + admins))
        + &policy("door", &(keyed("door-keys") + admins))
        + &policy("jwt-gate", &(issued("gate") + admins))
        + &policy("jwt-door", &(issued("team") + admins))
        + &backend("main", &upstream.url(), "");
    let token = |audience: &str, group: &str| {
        let mut claims = claims();
        (claims["aud"], claims["groups"]) = (audience.into(), json!([group]));
        signer.token(&claims)
    };
    let gate = format!("Bearer {}", token("gate", "admins"));
    let (guest, admin) = (token("team", "guests"), token("team", "admins"));
    for (policies, headers, status) in [
        ("jwt-gate", vec![("authorization", gate.as_str())], 200),
        (
            "jwt-gate, jwt-door",
            vec![("authorization", gate.as_str()), ("x-api-key", &guest)],
            403,
        ),
        (
            "jwt-gate, jwt-door",
            vec![("authorization", gate.as_str()), ("x-api-key", &admin)],
            200,
        ),
        ("gate", vec![("x-api-key", KEY)], 200),
        ("gate, door", vec![("x-api-key", KEY)], 403),
    ] {
        let refs: Vec<_> = policies
            .split(", ")
            .map(|name| format!("{{name: {name}}}"))
            .collect();
        let refs = route(&format!("accessPolicyRefs: [{}]", refs.join(", ")));
        let proxy = Proxy::start(&(manifest.clone() + &refs)).await;
        let answer = called(&proxy, "echo", &headers).await;
        assert_eq!(answer.status, status, "{policies}: {}", answer.text());
    }
}

/// A policy that denies a model and bounds replies, to a backend `main` that it guards and `more` lines of a route to it.
fn guarded(url: &str, spec: &str, more: &str) -> String {
    let inner = "models: {deny: [{exact: dear}, {exact: fine}]}\nrules:\n- {name: cap, action: Deny, when: 'request.max_tokens != null && request.max_tokens > 100'}";
    policy("inner", inner)
        + &backend(
            "main",
            url,
            &format!("{spec}accessPolicyRefs: [{{name: inner}}]"),
        )
        + &names(
            "rules:\n- {match: {exact: alias}, target: {model: dear}}\n- {match: {exact: long}, target: {model: echo}, overrides: {max_tokens: 500}}",
        )
        + &route(&format!("{MAPPED}\n{more}"))
}

#[tokio::test]
async fn a_backends_policy_judges_what_reaches_it_by_whatever_name_and_path() {
    for shared in ["", "\naccessPolicyRefs: [{name: inner}]"] {
        let upstream = simulator().await;
        let paths = "paths: [{path: /own, backend: main, to: /chat/completions}]";
        let catalog = "catalog: [{name: echo}, {name: fine, upstreamName: org/fine}]\n";
        let manifest = guarded(&upstream.url(), catalog, &format!("{paths}{shared}"));
        let proxy = Proxy::start(&manifest).await;
        for (path, model, max, status, code) in [
            ("/v1/chat/completions", "dear", 1, 404, "model_not_found"),
            ("/v1/chat/completions", "alias", 1, 404, "model_not_found"),
            (
                "/v1/chat/completions",
                "org/fine",
                1,
                404,
                "model_not_found",
            ),
            ("/v1/messages", "alias", 1, 404, "not_found_error"),
            ("/v1/chat/completions", "long", 1, 403, "request_denied"),
            ("/v1/chat/completions", "echo", 500, 403, "request_denied"),
            ("/own", "dear", 1, 404, "model_not_found"),
            ("/own", "org/fine", 1, 404, "model_not_found"),
            ("/own", "echo", 500, 403, "request_denied"),
        ] {
            let mut body = chat(model, "hello");
            body["max_tokens"] = max.into();
            let refused = answer(proxy.request(Method::POST, path).json(&body)).await;
            assert_eq!(refused.status, status, "{path} {model}: {}", refused.text());
            assert!(
                refused.text().contains(code),
                "{path} {model}: {}",
                refused.text()
            );
            assert!(
                !refused.text().contains("dear") || model == "dear",
                "{}",
                refused.text()
            );
        }
        for path in ["/own", "/v2/chat"] {
            let request = proxy.request(Method::POST, path);
            let request = request.header("content-type", "application/octet-stream");
            let refused = answer(request.body("dear")).await;
            let told = (refused.status, refused.code());
            assert_eq!(told, (403, "body_unjudged".to_owned()), "{path}");
        }
        assert!(posts(&upstream).is_empty());
        for path in ["/v1/chat/completions", "/own"] {
            let request = proxy.request(Method::POST, path).json(&chat("echo", "x"));
            let admitted = answer(request).await;
            assert_eq!(admitted.status, 200, "{path}: {}", admitted.text());
        }
    }
}

#[tokio::test]
async fn a_copy_of_a_model_is_no_way_around_a_backends_policy() {
    let upstream = simulator().await;
    let url = format!("http://{}", upstream.addr());
    let paths = "paths: [{path: /own, backend: main, to: /api/copy}]";
    let proxy = Proxy::start(&guarded(&url, "dialect: Ollama\n", paths)).await;
    for (path, body) in [
        (
            "/api/copy",
            json!({"source": "dear", "destination": "free"}),
        ),
        ("/api/create", json!({"model": "free", "from": "dear"})),
        ("/own", json!({"source": "dear", "destination": "free"})),
    ] {
        let refused = answer(proxy.request(Method::POST, path).json(&body)).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text());
    }
    assert!(posts(&upstream).is_empty());
    assert_eq!(called(&proxy, "echo", &[]).await.status, 200);
}
