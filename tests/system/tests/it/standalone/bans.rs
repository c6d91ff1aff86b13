//! Who guesses credentials is banned, and nobody else (feature A2).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dragoman_system::eventually;
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::callers::{
    ANN, Signer, TOKENS, by_key, called, claims, guarded, issuer, jwks, jwt, policy, proxy_spec,
};
use super::manifests::{backend, nobody, posts, route_to, secret, simulator};
use super::proxy::{Proxy, answer, client};

const HARSH: &str = "ban: {failures: 1, window: 1h, duration: 1h}";

/// The bans that run, as the admin server lists them.
async fn bans(proxy: &Proxy) -> Value {
    proxy.admin_get("/api/bans").await.json()["bans"].clone()
}

#[tokio::test]
async fn a_wrong_key_as_often_as_the_policy_says_bans_and_lifting_ends_that_at_once() {
    let upstream = simulator().await;
    let spec = format!("{TOKENS}ban: {{failures: 3, window: 1h, duration: 1h}}");
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    // No key is no wrong one.
    for _ in 0..5 {
        assert_eq!(called(&proxy, &[]).await.status, 401);
    }
    for _ in 0..2 {
        assert_eq!(by_key(&proxy, "wrong").await, 401);
    }
    assert_eq!(by_key(&proxy, ANN).await, 200);
    assert_eq!(
        proxy.admin_get("/api/bans").await.json(),
        json!({"bans": []})
    );
    assert_eq!(by_key(&proxy, "wrong").await, 401);
    let banned = called(&proxy, &[("x-api-key", ANN)]).await;
    assert_eq!(
        (banned.status, banned.code().as_str()),
        (403, "address_banned")
    );
    let seconds: u64 = banned.header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&seconds), "{seconds}");
    let list = proxy.admin_get("/api/bans").await.json();
    assert_eq!(list["bans"][0]["address"], "127.0.0.1");
    assert_eq!(list["bans"][0]["policy"], "default/callers");
    // A ban outlasts an edit.
    let loads = || proxy.log().matches("config loaded").count();
    let before = loads();
    proxy.edit(&guarded(
        &upstream.url(),
        "",
        &spec.replace("failures: 3", "failures: 4"),
    ));
    proxy.signal("HUP");
    eventually("the edit is served", || async {
        match loads() {
            now if now > before => Ok(()),
            now => Err(now),
        }
    })
    .await;
    assert_eq!(by_key(&proxy, ANN).await, 403);
    let url = format!("http://{}/api/bans/127.0.0.1", proxy.admin);
    let lifted = answer(client().delete(&url)).await;
    assert_eq!(
        (lifted.status, lifted.json()),
        (200, json!({"lifted": ["default/callers"]}))
    );
    assert_eq!(by_key(&proxy, ANN).await, 200);
    assert_eq!(answer(client().delete(&url)).await.status, 404);
}

#[tokio::test]
async fn a_token_of_a_key_that_its_issuer_has_only_just_taken_is_no_guess() {
    let upstream = simulator().await;
    let (first, second) = (Signer::new("1"), Signer::new("2"));
    let set = Arc::new(Mutex::new(jwks(&[&first])));
    let uri = format!("jwksUri: \"http://{}/keys\"", issuer(&set).await);
    let spec = jwt(&uri) + HARSH;
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    let bearer = |signer: &Signer| format!("Bearer {}", signer.token(&claims()));
    let first = called(&proxy, &[("authorization", &bearer(&first))]).await;
    assert_eq!(first.status, 200, "{}", first.text());
    *set.lock().unwrap() = jwks(&[&second]);
    let mut unchecked = 0;
    let second = bearer(&second);
    while unchecked < 1000 {
        let answer = called(&proxy, &[("authorization", &second)]).await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "identity_unavailable")
        );
        assert!(answer.header("retry-after").is_some());
        unchecked += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((1..1000).contains(&unchecked), "{unchecked}");
    assert_eq!(bans(&proxy).await, json!([]));
}

#[tokio::test]
async fn whoever_sends_what_has_expired_is_refused_and_never_banned() {
    let upstream = simulator().await;
    let signer = Signer::new("1");
    let spec = jwt(&format!("jwks: '{}'", jwks(&[&signer]))) + HARSH;
    let ended = "{name: keys, annotations: {dragoman.dev/expires: \"2020-01-01T00:00:00Z\"}}";
    let manifest = guarded(&upstream.url(), "", &spec);
    let manifest = manifest.replacen("metadata: {name: keys}", &format!("metadata: {ended}"), 1);
    assert!(manifest.contains("2020"), "{manifest}");
    let proxy = Proxy::start(&manifest).await;
    let mut late = claims();
    late["exp"] = 1_600_000_000.into();
    let expired = signer.token(&late);
    for key in [ANN, &expired, ANN, &expired] {
        let refused = called(&proxy, &[("x-api-key", key)]).await;
        assert_eq!(refused.status, 401, "{}", refused.text());
        assert!(refused.message().contains("expired"), "{}", refused.text());
    }
    assert_eq!(bans(&proxy).await, json!([]));
    assert_eq!(by_key(&proxy, &signer.token(&claims())).await, 200);
    let forged = Signer::new("1").token(&late);
    assert_eq!(by_key(&proxy, &forged).await, 401);
    assert_eq!(by_key(&proxy, &signer.token(&claims())).await, 403);
}

#[tokio::test]
async fn an_exempt_address_is_never_banned_and_needs_a_key_all_the_same() {
    let upstream = simulator().await;
    let spec =
        format!("{TOKENS}ban: {{failures: 1, window: 1h, duration: 1h, exempt: [127.0.0.0/8]}}");
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    for _ in 0..3 {
        assert_eq!(by_key(&proxy, "wrong").await, 401);
    }
    assert_eq!(called(&proxy, &[]).await.status, 401);
    assert_eq!(by_key(&proxy, ANN).await, 200);
}

#[tokio::test]
async fn guesses_from_many_connections_at_once_are_counted_one_by_one() {
    let upstream = simulator().await;
    let spec = format!("{TOKENS}ban: {{failures: 40, window: 1h, duration: 1h}}");
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    let guesses = (0..39).map(|number| {
        let guess = format!("guess-{number}");
        let (request, guess) = (proxy.request(Method::GET, "/v1/models"), guess);
        async move { answer(request.header("x-api-key", guess)).await.status }
    });
    let statuses = join_all(guesses).await;
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    assert_eq!(by_key(&proxy, ANN).await, 200);
    assert_eq!(by_key(&proxy, "guess").await, 401);
    assert_eq!(by_key(&proxy, ANN).await, 403);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_one_who_guesses_is_banned_and_nobody_else() {
    let upstream = simulator().await;
    let spec = format!("{TOKENS}ban: {{failures: 2, window: 1h, duration: 1h}}");
    let manifest =
        guarded(&upstream.url(), "", &spec) + &proxy_spec("trustedProxies: [127.0.0.0/8]");
    let proxy = Proxy::start(&manifest).await;
    let from = |address: &'static str, key: &'static str| {
        let proxy = &proxy;
        async move {
            let headers = [("x-forwarded-for", address), ("x-api-key", key)];
            called(proxy, &headers).await.status
        }
    };
    // One host of IPv6 has a whole /64, and what it claims left of its own address is its own word.
    assert_eq!(from("192.0.2.1, 2001:db8::1", "wrong").await, 401);
    assert_eq!(from("192.0.2.2, 2001:db8::2", "wrong").await, 401);
    assert_eq!(from("2001:db8::3", ANN).await, 403);
    assert_eq!(from("192.0.2.1", ANN).await, 200);
    assert_eq!(from("2001:db8:0:1::3", ANN).await, 200);
    let list = proxy.admin_get("/api/bans").await.json();
    assert_eq!(list["bans"][0]["address"], "2001:db8::/64");
}

#[tokio::test]
async fn every_credential_of_a_refused_request_is_a_guess_and_one_sent_in_four_headers_is_one() {
    let upstream = simulator().await;
    let spec = format!("{TOKENS}ban: {{failures: 6, window: 1h, duration: 1h}}");
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    let four = |[a, b, c, d]: [&'static str; 4]| {
        let lines = [
            ("authorization", format!("Bearer {a}")),
            ("x-api-key", b.to_owned()),
            ("api-key", c.to_owned()),
            ("x-goog-api-key", d.to_owned()),
        ];
        let proxy = &proxy;
        async move {
            let lines = lines
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            called(proxy, &lines).await.status
        }
    };
    assert_eq!(four(["same", "same", "same", "same"]).await, 401);
    // Beside a key that is known, another is the client's own.
    assert_eq!(four([ANN, "its", "own", "keys"]).await, 200);
    assert_eq!(four(["w", "x", "y", "z"]).await, 401);
    assert_eq!(by_key(&proxy, ANN).await, 200);
    assert_eq!(by_key(&proxy, "sixth").await, 401);
    assert_eq!(by_key(&proxy, ANN).await, 403);
}

#[tokio::test]
async fn a_guess_beside_a_token_that_cannot_be_checked_counts_too() {
    let upstream = simulator().await;
    let spec = jwt(&format!("jwksUri: \"http://{}/keys\"", nobody())) + HARSH;
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    let token = format!("Bearer {}", Signer::new("1").token(&claims()));
    let alone = called(&proxy, &[("authorization", &token)]).await;
    assert_eq!(alone.status, 503, "{}", alone.text());
    assert_eq!(bans(&proxy).await, json!([]), "it may be right");
    let guess = [("authorization", token.as_str()), ("x-api-key", "guess")];
    assert_eq!(called(&proxy, &guess).await.status, 503);
    assert_eq!(by_key(&proxy, ANN).await, 403);
}

#[tokio::test]
async fn a_key_that_another_policy_of_the_route_knows_is_no_guess() {
    let upstream = simulator().await;
    let guards = |name: &str| {
        let tokens =
            format!("authentication:\n  bearerTokens: {{secretRefs: [{{name: {name}}}]}}\n");
        secret(name, &format!("{name}-0123456789abcdef")) + &policy(name, &(tokens + HARSH))
    };
    let own = |name: &str| {
        backend(
            name,
            &upstream.url(),
            &format!("accessPolicyRefs: [{{name: {name}}}]"),
        )
    };
    let backends =
        "- {name: main, backendRef: {name: main}}\n- {name: other, backendRef: {name: other}}";
    let manifest = ["gate", "door", "main", "other"].map(guards).concat()
        + &own("main")
        + &own("other")
        + &route_to(backends, "accessPolicyRefs: [{name: door}]")
        + &proxy_spec("accessPolicyRefs: [{name: gate}]");
    let proxy = Proxy::start(&manifest).await;
    let key = |name: &str| format!("{name}-0123456789abcdef");
    let [gate, door, main] = ["gate", "door", "main"].map(key);
    let gate = ("authorization", format!("Bearer {gate}"));
    let calls = |more: Vec<(&'static str, String)>| {
        let proxy = &proxy;
        async move {
            let lines: Vec<_> = more
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let request = proxy.request(Method::GET, "/v1/models");
            let request = lines.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let listed = answer(request).await.status;
            (called(proxy, &lines).await.status, listed)
        }
    };
    let door = ("api-key", door);
    let main = ("x-api-key", main);
    // Each is right somewhere, and missing where another is asked for.
    assert_eq!(calls(vec![gate.clone()]).await, (401, 401));
    assert_eq!(calls(vec![door.clone(), main.clone()]).await, (401, 401));
    // Who is admitted by no backend sees an empty list.
    assert_eq!(calls(vec![gate.clone(), door.clone()]).await, (401, 200));
    let all = vec![gate.clone(), door.clone(), main];
    assert_eq!(
        calls(all.clone()).await,
        (200, 200),
        "the list of one backend is a list"
    );
    assert_eq!(bans(&proxy).await, json!([]));
    // A key that nobody knows is a guess, at the backend too, and bans there alone.
    let guess = vec![gate, door, ("x-api-key", "guess".to_owned())];
    assert_eq!(calls(guess).await, (403, 200), "the list was the guess");
    let banned = bans(&proxy).await;
    let policies: Vec<_> = banned
        .as_array()
        .unwrap()
        .iter()
        .map(|ban| ban["policy"].as_str().unwrap())
        .collect();
    assert_eq!(policies, ["default/main", "default/other"]);
    assert_eq!(calls(all).await, (403, 200));
    assert!(!posts(&upstream).is_empty());
}
