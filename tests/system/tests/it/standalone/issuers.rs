//! Whose tokens and keys open, until when, and that nobody reads them anywhere (features A1, A2).

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::callers::{
    ANN, BOB, FOUR, Signer, TOKENS, called, claims, guarded, jwks, jwt, with_token,
};
use super::manifests::simulator;
use super::proxy::{Proxy, answer, chat};

#[tokio::test]
async fn each_issuers_tokens_hold_by_its_own_keys_and_rules_see_their_claims() {
    let upstream = simulator().await;
    let (one, two) = (Signer::new("1"), Signer::new("1"));
    let entry = |name: &str, signer: &Signer| {
        format!(
            "  - {{issuer: \"https://{name}.example\", audiences: [llm], jwks: '{}'}}\n",
            jwks(&[signer])
        )
    };
    let spec = format!(
        "authentication:\n  jwt:\n{}{}rules:\n- {{name: gold, when: \"user.claims.tier != 'gold' && user.claims.seats[1] != 7\", action: Deny, message: Not gold.}}\n",
        entry("one", &one),
        entry("two", &two)
    );
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    let token = |signer: &Signer, issuer: &str, more: Value| {
        let mut claims = claims();
        claims["iss"] = json!(format!("https://{issuer}.example"));
        let (claims, more) = (
            claims.as_object().unwrap(),
            more.as_object().unwrap().clone(),
        );
        signer.token(&claims.clone().into_iter().chain(more).collect())
    };
    for (signer, issuer, more, status) in [
        (&one, "one", json!({"tier": "gold"}), 200),
        (&two, "two", json!({"seats": [1, 7]}), 200),
        (&two, "two", json!({"tier": "tin", "seats": [7, 1]}), 403),
        (&one, "one", json!({}), 403),
        (&one, "two", json!({"tier": "gold"}), 401),
        (&two, "one", json!({"tier": "gold"}), 401),
        (&one, "three", json!({"tier": "gold"}), 401),
    ] {
        let answer = with_token(&proxy, &token(signer, issuer, more.clone())).await;
        assert_eq!(answer.status, status, "{issuer} {more}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_key_opens_until_the_end_that_its_secret_names() {
    let upstream = simulator().await;
    let end = jiff::Timestamp::now().as_second() + 20;
    let expires = jiff::Timestamp::from_second(end).unwrap();
    let annotated = format!("{{name: keys, annotations: {{dragoman.dev/expires: \"{expires}\"}}}}");
    let manifest =
        guarded(&upstream.url(), "", TOKENS).replace("{name: keys}\n", &format!("{annotated}\n"));
    assert!(manifest.contains("expires"), "{manifest}");
    let proxy = Proxy::start(&manifest).await;
    let mut opened = 0;
    loop {
        let answer = called(&proxy, &[("x-api-key", ANN)]).await;
        let now = jiff::Timestamp::now();
        match answer.status {
            200 => opened += 1,
            401 => {
                assert!(answer.message().contains("expired"), "{}", answer.text());
                assert!(now >= expires, "{now} {expires}");
                break;
            }
            other => panic!("{other}"),
        }
        // What began before the end may have been answered after it.
        assert!(
            now < expires + jiff::SignedDuration::from_secs(10),
            "it still opens"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(opened > 0, "the proxy started too late to see it open");
}

#[tokio::test]
async fn no_credential_of_a_caller_is_in_a_log_a_metric_or_an_answer() {
    let upstream = simulator().await;
    let (signer, other) = (Signer::new("1"), Signer::new("1"));
    let keys = format!("jwks: '{}'", jwks(&[&signer]));
    let spec = jwt(&keys);
    let manifest = guarded(&upstream.url(), "", &spec);
    let proxy = Proxy::start_with(&manifest, &["--log-level", "trace"]).await;
    let mut expired = claims();
    expired["exp"] = json!(1_700_000_000);
    let wrong = "wrong-0123456789abcdef";
    let tokens = [
        signer.token(&claims()),
        signer.token(&expired),
        other.token(&claims()),
    ];
    let mut credentials = vec![ANN, BOB, wrong];
    credentials.extend(tokens.iter().map(String::as_str));
    let mut said = String::new();
    for credential in &credentials {
        for (name, scheme) in FOUR {
            let value = format!("{scheme}{credential}");
            let model = chat("status-500", "hello");
            let request = proxy.request(Method::POST, "/v1/chat/completions");
            let failed = answer(request.header(name, &value).json(&model)).await;
            let twice = called(&proxy, &[(name, &value), (name, &value)]).await;
            let once = called(&proxy, &[(name, &value)]).await;
            for answer in [failed, twice, once] {
                said += &format!("{:?}{}", answer.headers, answer.text());
            }
        }
    }
    proxy.logged("request ended").await;
    said += &proxy.admin_get("/metrics").await.text();
    said += &proxy.log();
    for credential in credentials {
        // Of a JSON Web Token, what signs it is the secret.
        let secret = credential.rsplit('.').next().unwrap();
        assert!(!said.contains(secret), "{secret}");
    }
}
