use std::net::SocketAddr;
use std::time::Duration;

use dragoman_config::{
    ClusterKeysItem, JwtItem, JwtKeysItem, ServiceAccountsItem, TokensItem, UpstreamUrl,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::signing::{NOW, Signer, jwks, unsigned};
use super::*;
use crate::upstream::Denied;

mod issuers;
mod key_sets;
mod untimely;

const CLUSTER: &str = "https://kubernetes.default.svc";
const ISSUER: &str = "https://issuer.example";

fn policy() -> ObjectKey {
    ObjectKey::new("team", "callers")
}

fn hex(token: &str) -> String {
    let digest = Sha256::digest(token);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn item() -> AuthenticationItem {
    let user = |user: &str, token: &str| TokensItem {
        user: user.into(),
        groups: vec!["staff".into()],
        expires: (user == "old").then_some(NOW),
        sha256: vec![hex(token)],
    };
    AuthenticationItem {
        tokens: vec![
            user("ann", "a-token"),
            user("bob", "b-token"),
            user("old", "o-token"),
        ],
        unknown_tokens: None,
        service_accounts: None,
        jwt: Vec::new(),
        anonymous: false,
    }
}

fn with_issuer(keys: JwtKeysItem) -> AuthenticationItem {
    let mut item = item();
    item.jwt = vec![JwtItem {
        issuer: ISSUER.into(),
        audiences: vec!["llm".into(), "llm2".into()],
        keys,
    }];
    item
}

fn with_accounts(cluster: Option<&Signer>) -> AuthenticationItem {
    let mut item = item();
    item.service_accounts = Some(ServiceAccountsItem {
        audience: "llm".into(),
        cluster: cluster.map(|signer| ClusterKeysItem {
            issuer: CLUSTER.into(),
            jwks: jwks(&[signer]),
        }),
    });
    item
}

fn ready(item: &AuthenticationItem) -> Authentication {
    Authentication::new(&policy(), item, &KeySets::default()).unwrap()
}

type Lines<'l> = &'l [(&'static str, &'l str)];

async fn check_at(authentication: &Authentication, lines: Lines<'_>, now: i64) -> Identity {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let now = Timestamp::from_second(now).unwrap();
    authentication.check(&headers, (Instant::now(), now)).await
}

async fn check(authentication: &Authentication, lines: Lines<'_>) -> Identity {
    check_at(authentication, lines, NOW).await
}

/// What a token in `x-api-key` comes to, in a word: the user's name, `wrong` or `unchecked`.
async fn judged(authentication: &Authentication, token: &str) -> String {
    match check(authentication, &[("x-api-key", token)]).await {
        Identity::Known { user, .. } => user.name.clone(),
        Identity::Wrong { .. } => "wrong".into(),
        Identity::Unchecked { .. } => "unchecked".into(),
        other => format!("{other:?}"),
    }
}

/// How many credentials of a refused request were guessed.
fn guesses(identity: &Identity) -> u32 {
    match identity {
        Identity::Wrong { guesses, .. } | Identity::Unchecked { guesses, .. } => guesses.count(),
        other => panic!("{other:?}"),
    }
}

fn known(identity: &Identity) -> Option<(&str, Vec<&'static str>)> {
    match identity {
        Identity::Known { user, consumed, .. } => Some((
            &user.name,
            consumed.names().map(HeaderName::as_str).collect(),
        )),
        _ => None,
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "llm", "sub": "carol", "exp": NOW + 600, "groups": ["ml", 7, "ops"], "team": "x"})
}

fn account_claims() -> Value {
    json!({
        "iss": CLUSTER, "aud": ["llm"], "sub": "system:serviceaccount:team-a:chat",
        "exp": NOW + 600, "nbf": NOW, "iat": NOW,
    })
}

#[tokio::test]
async fn a_token_in_any_of_the_four_headers_names_its_user_and_is_consumed() {
    let authentication = ready(&item());
    for (name, value) in [
        ("authorization", "Bearer a-token"),
        ("x-api-key", "a-token"),
        ("api-key", "a-token"),
        ("x-goog-api-key", "a-token"),
    ] {
        let identity = check(&authentication, &[(name, value)]).await;
        assert_eq!(known(&identity), Some(("ann", vec![name])));
        let Identity::Known { user, key, .. } = identity else {
            unreachable!()
        };
        assert_eq!(user.groups, ["staff"]);
        assert_eq!(key, <[u8; 32]>::from(Sha256::digest("a-token")));
    }
}

#[tokio::test]
async fn nobody_is_missing_and_anonymous_only_where_that_is_admitted() {
    let mut item = item();
    let nobody: Lines<'_> = &[("authorization", "Bearer "), ("x-api-key", "")];
    assert_eq!(check(&ready(&item), nobody).await, Identity::Missing);
    item.anonymous = true;
    let authentication = ready(&item);
    assert_eq!(check(&authentication, nobody).await, Identity::Anonymous);
    assert_eq!(judged(&authentication, "x").await, "wrong");
    let basic = check(&authentication, &[("authorization", "Basic YTpi")]).await;
    assert!(matches!(basic, Identity::Wrong { .. }));
}

#[tokio::test]
async fn a_wrong_credential_beside_a_right_one_stays_the_clients() {
    let authentication = ready(&item());
    let lines = [
        ("authorization", "Bearer sk-of-a-vendor"),
        ("api-key", "b-token"),
    ];
    let identity = check(&authentication, &lines).await;
    assert_eq!(known(&identity), Some(("bob", vec!["api-key"])));
    let lines = [("authorization", "Basic YTpi"), ("api-key", "b-token")];
    let identity = check(&authentication, &lines).await;
    assert_eq!(known(&identity), Some(("bob", vec!["api-key"])));
}

#[tokio::test]
async fn every_credential_that_is_known_here_is_consumed_and_the_first_names_the_caller() {
    let authentication = ready(&item());
    let both = ["authorization", "x-goog-api-key"];
    for token in ["a-token", "b-token"] {
        let lines = [
            ("x-goog-api-key", token),
            ("authorization", "Bearer a-token"),
        ];
        let identity = check(&authentication, &lines).await;
        assert_eq!(known(&identity), Some(("ann", both.to_vec())));
    }
}

#[tokio::test]
async fn a_header_that_stands_there_twice_is_refused_whatever_else_is_right() {
    let authentication = ready(&item());
    for lines in [
        [
            ("x-api-key", "a-token"),
            ("x-api-key", "a-token"),
            ("api-key", "b-token"),
        ],
        [
            ("authorization", "Bearer a-token"),
            ("authorization", "Bearer x"),
            ("api-key", "b-token"),
        ],
        [
            ("api-key", "b-token"),
            ("x-goog-api-key", "x"),
            ("x-goog-api-key", "y"),
        ],
    ] {
        let identity = check(&authentication, &lines).await;
        assert!(matches!(identity, Identity::Wrong { .. }), "{identity:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_wrong_and_says_so() {
    let identity = check(&ready(&item()), &[("x-api-key", "o-token")]).await;
    let why = "the API key has expired";
    assert!(matches!(identity, Identity::Wrong { why: told, .. } if told == why));
    assert_eq!(guesses(&identity), 0);
}

#[tokio::test]
async fn a_guess_beside_an_expired_token_is_one() {
    let lines = [("x-api-key", "o-token"), ("api-key", "guess")];
    assert_eq!(guesses(&check(&ready(&item()), &lines).await), 1);
}

#[tokio::test]
async fn tokens_that_cannot_be_known_make_no_credential_wrong() {
    let mut item = item();
    item.unknown_tokens = Some("Secret team/keys cannot be read".into());
    let authentication = ready(&item);
    assert_eq!(judged(&authentication, "a-token").await, "ann");
    assert_eq!(judged(&authentication, "x").await, "unchecked");
    assert_eq!(check(&authentication, &[]).await, Identity::Missing);
    let basic = check(&authentication, &[("authorization", "Basic YTpi")]).await;
    assert!(matches!(basic, Identity::Wrong { .. }));
}

#[tokio::test]
async fn a_credential_longer_than_any_is_wrong() {
    let authentication = ready(&item());
    assert_eq!(
        judged(&authentication, &"a".repeat((16 << 10) + 1)).await,
        "wrong"
    );
}

#[tokio::test]
async fn a_service_account_is_known_with_the_groups_that_kubernetes_gives_it() {
    let cluster = Signer::new("k", "ES256");
    let authentication = ready(&with_accounts(Some(&cluster)));
    let token = cluster.token(&account_claims());
    let bearer = format!("Bearer {token}");
    let identity = check(&authentication, &[("authorization", &bearer)]).await;
    assert_eq!(
        known(&identity),
        Some(("system:serviceaccount:team-a:chat", vec!["authorization"]))
    );
    let Identity::Known { user, .. } = identity else {
        unreachable!()
    };
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:team-a",
        "system:authenticated",
    ];
    assert_eq!(user.groups, groups);
    assert_eq!(judged(&authentication, "a-token").await, "ann");
}

#[tokio::test]
async fn a_service_accounts_token_for_another_audience_or_cluster_is_wrong() {
    let cluster = Signer::new("k", "ES256");
    let authentication = ready(&with_accounts(Some(&cluster)));
    for (claim, value) in [
        ("aud", json!([CLUSTER])),
        ("aud", json!("llm2")),
        ("aud", Value::Null),
        ("iss", json!("https://other")),
        ("iss", json!("https://kubernetes.default.svc/")),
        ("sub", json!("admin")),
        ("sub", json!("system:serviceaccount:a:b:c")),
        ("sub", json!("system:serviceaccount::b")),
        ("exp", json!(NOW - 61)),
    ] {
        let mut claims = account_claims();
        claims[claim] = value.clone();
        let token = cluster.token(&claims);
        assert_eq!(
            judged(&authentication, &token).await,
            "wrong",
            "{claim} {value}"
        );
    }
    let impostor = Signer::new("k", "ES256").token(&account_claims());
    assert_eq!(judged(&authentication, &impostor).await, "wrong");
}

#[tokio::test]
async fn without_the_clusters_keys_its_tokens_are_unchecked_and_others_are_judged() {
    let cluster = Signer::new("k", "ES256");
    let mut garbled = with_accounts(Some(&cluster));
    if let Some(keys) = garbled
        .service_accounts
        .as_mut()
        .and_then(|it| it.cluster.as_mut())
    {
        keys.jwks = "<html>".into();
    }
    for item in [with_accounts(None), garbled] {
        let authentication = ready(&item);
        let token = cluster.token(&account_claims());
        assert_eq!(judged(&authentication, &token).await, "unchecked");
        assert_eq!(judged(&authentication, "a-token").await, "ann");
        assert_eq!(judged(&authentication, "x").await, "wrong");
        assert_eq!(
            judged(&authentication, &cluster.token(&claims())).await,
            "wrong"
        );
    }
}
