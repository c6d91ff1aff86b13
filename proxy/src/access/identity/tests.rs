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
    authentication.check(&headers, now).await
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
    assert_eq!(identity, Identity::Wrong { why });
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

#[tokio::test]
async fn a_jwt_names_its_subject_with_groups_and_all_claims() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let signer = Signer::new("k", algorithm);
        let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
        let token = signer.token(&claims());
        let Identity::Known { user, key, .. } =
            check(&authentication, &[("api-key", &token)]).await
        else {
            panic!("{algorithm}")
        };
        assert_eq!(
            (user.name.as_str(), user.groups.as_slice()),
            ("carol", &["ml".to_owned(), "ops".to_owned()][..])
        );
        assert_eq!(user.claims.as_ref().unwrap()["team"], "x");
        // A new token of hers is no new caller.
        let mut claims = claims();
        claims["exp"] = json!(NOW + 1200);
        let token = signer.token(&claims);
        let Identity::Known { key: again, .. } =
            check(&authentication, &[("api-key", &token)]).await
        else {
            panic!("{algorithm}")
        };
        assert_eq!(again, key);
    }
}

#[tokio::test]
async fn issuer_audience_and_times_must_fit() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    for (claim, value, verdict) in [
        ("aud", json!(["other", "llm2"]), "carol"),
        ("aud", json!(["other"]), "wrong"),
        ("aud", json!("LLM"), "wrong"),
        ("aud", json!({"llm": 1}), "wrong"),
        ("aud", json!([]), "wrong"),
        ("iss", json!("https://issuer.example/"), "wrong"),
        ("iss", json!(["https://issuer.example"]), "wrong"),
        ("exp", json!(NOW - 59), "carol"),
        ("exp", json!(NOW - 60), "wrong"),
        ("exp", json!("never"), "wrong"),
        ("exp", Value::Null, "wrong"),
        ("exp", json!(NOW as f64 + 0.5), "carol"),
        ("nbf", json!(NOW + 60), "carol"),
        ("nbf", json!(NOW + 61), "wrong"),
        ("nbf", json!("soon"), "wrong"),
        ("sub", json!(""), "wrong"),
        ("sub", Value::Null, "wrong"),
        ("groups", json!("ml"), "carol"),
    ] {
        let mut claims = claims();
        claims[claim] = value.clone();
        let token = signer.token(&claims);
        assert_eq!(
            judged(&authentication, &token).await,
            verdict,
            "{claim} {value}"
        );
    }
}

#[tokio::test]
async fn unsigned_tokens_and_confused_keys_are_wrong() {
    let signer = Signer::new("k", "ES256");
    let set = jwks(&[&signer]);
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(set.clone())));
    let none = unsigned(&json!({"alg": "none", "kid": "k"}), &claims());
    assert_eq!(judged(&authentication, &format!("{none}.")).await, "wrong");
    assert_eq!(
        judged(&authentication, &format!("{none}.AA")).await,
        "wrong"
    );
    // HMAC whose secret is the public key, in every form in which it is public.
    let coordinates = signer.jwk();
    let secrets = [
        signer.public(),
        set.as_bytes(),
        coordinates["x"].as_str().unwrap().as_bytes(),
    ];
    for secret in secrets {
        let message = unsigned(&json!({"alg": "HS256", "kid": "k"}), &claims());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message.as_bytes());
        let signature = base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            mac.finalize().into_bytes(),
        );
        assert_eq!(
            judged(&authentication, &format!("{message}.{signature}")).await,
            "wrong"
        );
    }
    for header in [
        json!({"alg": "RS256", "kid": "k"}),
        json!({"alg": "EdDSA", "kid": "k"}),
        json!({"alg": "ES256", "kid": "k", "crit": ["b64"], "b64": false}),
        json!({"kid": "k"}),
        json!({"alg": "ES256", "kid": "other"}),
    ] {
        let token = signer.token_with(&header, &claims());
        assert_eq!(judged(&authentication, &token).await, "wrong", "{header}");
    }
    // A key that the token brings itself is nobody's.
    let mallory = Signer::new("k", "ES256");
    let header =
        json!({"alg": "ES256", "kid": "k", "jwk": mallory.jwk(), "jku": "http://127.0.0.1:1/"});
    assert_eq!(
        judged(&authentication, &mallory.token_with(&header, &claims())).await,
        "wrong"
    );
    let header = json!({"alg": "ES256"});
    assert_eq!(
        judged(&authentication, &signer.token_with(&header, &claims())).await,
        "carol"
    );
}

#[tokio::test]
async fn edited_claims_and_garbled_tokens_are_wrong() {
    let signer = Signer::new("k", "ES256");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let token = signer.token(&claims());
    let mut edited = claims();
    edited["sub"] = json!("root");
    let forged = unsigned(&json!({"alg": "ES256", "kid": "k"}), &edited);
    let signature = token.rsplit('.').next().unwrap();
    for token in [
        format!("{forged}.{signature}"),
        format!("{token}."),
        format!("{token}="),
        format!(".{token}"),
        token.replace('.', ".."),
        token[..token.len() - 2].to_owned(),
    ] {
        assert_eq!(judged(&authentication, &token).await, "wrong", "{token}");
    }
    assert_eq!(judged(&authentication, &token).await, "carol");
}

#[tokio::test]
async fn a_token_of_an_issuer_is_judged_by_that_alone_and_one_of_nobodys_is_looked_up() {
    let signer = Signer::new("k", "EdDSA");
    let mut item = with_issuer(JwtKeysItem::Inline(jwks(&[&signer])));
    let mut late = claims();
    late["exp"] = json!(NOW - 100);
    let (late, mut other) = (signer.token(&late), claims());
    other["iss"] = json!("https://somebody.else");
    let other = signer.token(&other);
    assert_eq!(judged(&ready(&item), &other).await, "wrong");
    for token in [&late, &other] {
        item.tokens[0].sha256.push(hex(token));
    }
    assert_eq!(judged(&ready(&item), &late).await, "wrong");
    assert_eq!(judged(&ready(&item), &other).await, "ann");
}

#[tokio::test]
async fn a_token_that_was_found_to_hold_is_refused_once_it_has_expired() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let token = signer.token(&claims());
    for (now, holds) in [
        (NOW, true),
        (NOW + 659, true),
        (NOW + 660, false),
        (NOW, true),
    ] {
        let identity = check_at(&authentication, &[("x-api-key", &token)], now).await;
        assert_eq!(known(&identity).is_some(), holds, "{now}");
    }
}

/// Serves `jwks` at the first free port of loopback, to everybody who connects.
async fn serve(jwks: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", jwks.len());
            let _ = stream.write_all(format!("{head}{jwks}").as_bytes()).await;
        }
    });
    address
}

fn url(address: SocketAddr) -> JwtKeysItem {
    JwtKeysItem::Uri(UpstreamUrl {
        tls: false,
        host: address.ip().to_string(),
        port: address.port(),
        path: "/jwks".into(),
    })
}

#[tokio::test]
async fn keys_are_fetched_for_the_first_who_needs_them() {
    let signer = Signer::new("k", "ES256");
    let address = serve(jwks(&[&signer])).await;
    let sets = KeySets::default();
    sets.deny(Denied::default());
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    assert_eq!(
        judged(&authentication, &signer.token(&claims())).await,
        "carol"
    );
    // The issuer said just now that it has no such key.
    let unknown = Signer::new("other", "ES256").token(&claims());
    assert_eq!(judged(&authentication, &unknown).await, "wrong");
}

#[tokio::test]
async fn keys_are_fetched_from_no_denied_address_and_what_they_sign_is_unchecked() {
    let signer = Signer::new("k", "ES256");
    let address = serve(jwks(&[&signer])).await;
    let sets = KeySets::default();
    sets.deny(Denied {
        loopback: true,
        ..Denied::default()
    });
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    let token = signer.token(&claims());
    match check(&authentication, &[("x-api-key", &token)]).await {
        Identity::Unchecked { why, .. } => {
            assert!(why.contains("loopback addresses are denied"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(judged(&authentication, "a-token").await, "ann");
    assert_eq!(judged(&authentication, "x").await, "wrong");
}

#[tokio::test]
async fn while_an_issuer_is_down_its_tokens_are_unchecked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let sets = KeySets::default();
    sets.deny(Denied::default());
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    let token = Signer::new("k", "ES256").token(&claims());
    assert_eq!(judged(&authentication, &token).await, "unchecked");
}

#[tokio::test]
async fn a_token_of_a_key_that_is_gone_is_refused_although_it_was_found_to_hold() {
    let (first, second) = (Signer::new("1", "EdDSA"), Signer::new("2", "EdDSA"));
    let sets = KeySets::default();
    // Nobody has said what is denied: nothing is fetched but what is said here.
    let item = with_issuer(url(([127, 0, 0, 1], 1).into()));
    let authentication = Authentication::new(&policy(), &item, &sets).unwrap();
    let JwtKeysItem::Uri(url) = &item.jwt[0].keys else {
        unreachable!()
    };
    let set = sets.get(url);
    let publish = |signers: &[&Signer]| {
        let keys = jwk::Keys::read(jwks(signers).as_bytes()).unwrap();
        let lasts = Duration::from_mins(5);
        set.begins(Instant::now());
        set.ends(Ok(fetch::Fetched { keys, lasts }), Instant::now());
    };
    let (old, new) = (first.token(&claims()), second.token(&claims()));
    publish(&[&first]);
    assert_eq!(judged(&authentication, &old).await, "carol");
    assert_eq!(judged(&authentication, &new).await, "wrong");
    publish(&[&first, &second]);
    assert_eq!(judged(&authentication, &old).await, "carol");
    assert_eq!(judged(&authentication, &new).await, "carol");
    publish(&[&second]);
    assert_eq!(judged(&authentication, &old).await, "wrong");
    assert_eq!(judged(&authentication, &new).await, "carol");
}

#[test]
fn inline_keys_that_are_none_are_refused() {
    for text in [
        "",
        "{}",
        "{\"keys\": []}",
        "{\"keys\": [{\"kty\": \"oct\", \"k\": \"c2VjcmV0\"}]}",
    ] {
        let item = with_issuer(JwtKeysItem::Inline(text.into()));
        let fault = Authentication::new(&policy(), &item, &KeySets::default()).unwrap_err();
        assert!(
            fault.starts_with("jwks of https://issuer.example"),
            "{fault}"
        );
    }
}
