//! Who may call, and from where (features A1, A2, C4).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_system::eventually_within;
use http::Method;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::manifests::{backend, object, posts, route, secret, simulator};
use super::proxy::{Answer, Proxy, answer, chat};

pub(super) const ANN: &str = "ann-0123456789abcdef";
const NEXT: &str = "next-0123456789abcdef";
pub(super) const BOB: &str = "bob-0123456789abcdef";
pub(super) const FOUR: [(&str, &str); 4] = [
    ("authorization", "Bearer "),
    ("x-api-key", ""),
    ("api-key", ""),
    ("x-goog-api-key", ""),
];
pub(super) const TOKENS: &str = "authentication:\n  bearerTokens: {secretRefs: [{name: keys}]}\n";

/// The Secret `keys` of two users, one of whom is changing tokens.
pub(super) fn keys() -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData:\n  ann: \"{ANN}\\n{NEXT}\"\n  bob: {BOB}\n"
    )
}

pub(super) fn policy(name: &str, spec: &str) -> String {
    object("AccessPolicy", &format!("{{name: {name}}}"), spec)
}

/// The route `chat` under the policy `callers`, to a backend with these further lines.
pub(super) fn guarded(url: &str, more: &str, spec: &str) -> String {
    keys()
        + &policy("callers", spec)
        + &backend("main", url, more)
        + &route("accessPolicyRefs: [{name: callers}]")
}

/// An LLMProxy with these lines.
pub(super) fn proxy_spec(spec: &str) -> String {
    object("LLMProxy", "{name: default}", spec)
}

pub(super) fn call(proxy: &Proxy, headers: &[(&str, &str)]) -> RequestBuilder {
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request.json(&chat("echo", "hello"));
    headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    })
}

pub(super) async fn called(proxy: &Proxy, headers: &[(&str, &str)]) -> Answer {
    answer(call(proxy, headers)).await
}

pub(super) async fn by_key(proxy: &Proxy, key: &str) -> u16 {
    called(proxy, &[("x-api-key", key)]).await.status
}

#[tokio::test]
async fn a_right_key_in_any_of_the_four_headers_opens_and_goes_no_further() {
    let upstream = simulator().await;
    let manifest = guarded(&upstream.url(), "credential: {passthrough: {}}", TOKENS);
    let proxy = Proxy::start(&manifest).await;
    for (name, scheme) in FOUR {
        for key in [ANN, NEXT, BOB] {
            let value = format!("{scheme}{key}");
            let answer = called(&proxy, &[(name, &value)]).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        }
    }
    // Beside it a key of the client's own, which is for the upstream.
    let answer = called(
        &proxy,
        &[("authorization", "Bearer sk-own"), ("x-api-key", ANN)],
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for seen in &posts(&upstream) {
        let headers = format!("{:?}", seen.headers);
        for key in [ANN, BOB, NEXT] {
            assert!(!headers.contains(key), "{headers}");
        }
    }
    let last = posts(&upstream).pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer sk-own"));
    assert_eq!(last.header("x-api-key"), None);
}

#[tokio::test]
async fn no_key_and_a_wrong_one_are_401_in_each_dialects_shape() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&guarded(&upstream.url(), "", TOKENS)).await;
    let body = chat("echo", "hello");
    for (path, message, kind) in [
        (
            "/v1/chat/completions",
            "/error/message",
            Some(("/error/code", "invalid_api_key")),
        ),
        (
            "/v1/responses",
            "/error/message",
            Some(("/error/code", "invalid_api_key")),
        ),
        (
            "/v1/messages",
            "/error/message",
            Some(("/error/type", "authentication_error")),
        ),
        ("/api/chat", "/error", None),
        ("/api/generate", "/error", None),
        ("/generate", "/error", None),
        (
            "/v1beta/models/echo:generateContent",
            "/error/message",
            Some(("/error/status", "UNAUTHENTICATED")),
        ),
        ("/model/echo/converse", "/message", None),
        ("/v1/models", "/error/message", None),
        ("/v1/files", "/error/message", None),
    ] {
        for headers in [
            vec![],
            vec![("x-api-key", "wrong")],
            vec![("authorization", "Basic YTpi")],
        ] {
            let request = proxy.request(Method::POST, path).json(&body);
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let answer = answer(request).await;
            let text = answer.text();
            assert_eq!(answer.status, 401, "{path}: {text}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/json"),
                "{path}"
            );
            assert!(answer.header("x-dragoman-request-id").is_some(), "{path}");
            let json = answer.json();
            assert!(
                json.pointer(message).is_some_and(Value::is_string),
                "{path}: {text}"
            );
            if let (Some((field, value)), false) = (kind, headers.is_empty()) {
                assert_eq!(json.pointer(field), Some(&json!(value)), "{path}: {text}");
            }
            assert!(!text.contains("YTpi"), "{text}");
        }
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn empty_headers_are_absent_and_doubled_ones_are_refused() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&guarded(&upstream.url(), "", TOKENS)).await;
    let empty = [
        ("authorization", "Bearer "),
        ("api-key", ""),
        ("x-api-key", ANN),
    ];
    assert_eq!(called(&proxy, &empty).await.status, 200);
    let right = format!("Bearer {ANN}");
    let twice = [
        ("authorization", right.as_str()),
        ("authorization", "Bearer x"),
        ("x-api-key", ANN),
    ];
    assert_eq!(called(&proxy, &twice).await.status, 401);
}

#[tokio::test]
async fn anonymous_callers_are_admitted_where_a_policy_says_so_and_wrong_keys_are_not() {
    let upstream = simulator().await;
    let spec = format!("{TOKENS}  anonymous: true");
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &spec)).await;
    assert_eq!(called(&proxy, &[]).await.status, 200);
    assert_eq!(by_key(&proxy, ANN).await, 200);
    assert_eq!(by_key(&proxy, "wrong").await, 401);
}

#[tokio::test]
async fn a_key_that_is_taken_out_of_its_secret_opens_no_more() {
    let upstream = simulator().await;
    let manifest = guarded(&upstream.url(), "", TOKENS);
    let proxy = Proxy::start(&manifest).await;
    assert_eq!(by_key(&proxy, NEXT).await, 200);
    proxy.edit(&manifest.replace(&format!("\\n{NEXT}"), ""));
    eventually_within(
        Duration::from_secs(30),
        "the old key is refused",
        || async {
            match by_key(&proxy, NEXT).await {
                401 => Ok(()),
                other => Err(other),
            }
        },
    )
    .await;
    assert_eq!(by_key(&proxy, ANN).await, 200);
}

#[tokio::test]
async fn the_callers_address_is_what_trusted_proxies_tell_and_nobody_else() {
    let upstream = simulator().await;
    let spec = "network: {allow: [192.0.2.0/24, \"2001:db8::/32\"], deny: [192.0.2.66]}";
    let manifest = guarded(&upstream.url(), "", spec);
    let trusting = manifest.clone() + &proxy_spec("trustedProxies: [127.0.0.0/8, 10.0.0.0/8]");
    let proxy = Proxy::start(&trusting).await;
    for (name, value, status) in [
        ("x-forwarded-for", "192.0.2.1", 200),
        ("x-forwarded-for", "192.0.2.1, 10.0.0.1", 200),
        ("x-forwarded-for", "[2001:db8::1]:443", 200),
        ("x-forwarded-for", "::ffff:192.0.2.1", 200),
        ("x-forwarded-for", "192.0.2.66", 403),
        ("x-forwarded-for", "192.0.2.1, 203.0.113.7", 403),
        ("x-forwarded-for", "192.0.2.1, unknown", 403),
        ("x-forwarded-for", "192.0.2.1, ,", 403),
        ("x-forwarded-for", "nonsense, 192.0.2.1", 200),
        ("forwarded", "for=\"[2001:db8::1]:80\";proto=https", 200),
        ("forwarded", "for=192.0.2.1, for=203.0.113.7", 403),
        ("forwarded", "for=\"192.0.2.1, for=203.0.113.7", 403),
        ("x-real-ip", "192.0.2.1", 403),
    ] {
        let answer = called(&proxy, &[(name, value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}: {}", answer.text());
    }
    let both = [
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "203.0.113.7"),
    ];
    assert_eq!(called(&proxy, &both).await.status, 403);
    let lines = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-for", "203.0.113.7"),
    ];
    let answer = called(&proxy, &lines).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "address_not_allowed")
    );
    let proxy = Proxy::start(&manifest).await;
    let answer = called(&proxy, &[("x-forwarded-for", "192.0.2.1")]).await;
    assert_eq!(answer.status, 403, "nobody is trusted here");
}

/// A signer of JSON Web Tokens.
pub(super) struct Signer {
    pair: KeyPair,
    id: &'static str,
}

impl Signer {
    pub(super) fn new(id: &'static str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self { pair, id }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.der_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig", "x": x})
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.id});
        let message = format!("{}.{}", encode(header), encode(claims.clone()));
        let signature = self.pair.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(super) fn jwks(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({"keys": keys}).to_string()
}

pub(super) fn claims() -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    json!({"iss": "https://issuer.example", "aud": "llm", "sub": "carol", "groups": ["ml"], "exp": now + 600})
}

/// Serves whatever `jwks` holds, on loopback.
pub(super) async fn issuer(jwks: &Arc<Mutex<String>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let jwks = Arc::clone(jwks);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).await;
            let body = jwks.lock().unwrap().clone();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    address
}

pub(super) fn jwt(keys: &str) -> String {
    format!(
        "{TOKENS}  jwt:\n  - {{issuer: \"https://issuer.example\", audiences: [llm], {keys}}}\n"
    )
}

pub(super) async fn with_token(proxy: &Proxy, token: &str) -> Answer {
    called(proxy, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn a_jwt_opens_by_the_keys_behind_a_url_and_rotated_keys_are_found() {
    let upstream = simulator().await;
    let (first, second) = (Signer::new("1"), Signer::new("2"));
    let set = Arc::new(Mutex::new(jwks(&[&first])));
    let uri = format!("jwksUri: \"http://{}/keys\"", issuer(&set).await);
    let manifest = guarded(&upstream.url(), "credential: {passthrough: {}}", &jwt(&uri));
    let proxy = Proxy::start(&manifest).await;
    let answer = with_token(&proxy, &first.token(&claims())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(posts(&upstream)[0].header("authorization"), None);
    assert_eq!(by_key(&proxy, ANN).await, 200);
    for (claim, value) in [
        ("aud", json!("other")),
        ("iss", json!("https://issuer.example/")),
        ("exp", json!(1_700_000_000)),
        ("nbf", json!(4_000_000_000_u64)),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        let answer = with_token(&proxy, &first.token(&claims)).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "invalid_api_key"),
            "{claim}"
        );
    }
    // The issuer takes other keys: tokens of the new one are known within the pause between two fetches.
    *set.lock().unwrap() = jwks(&[&second]);
    eventually_within(
        Duration::from_secs(30),
        "the new key is fetched",
        || async {
            match with_token(&proxy, &second.token(&claims())).await.status {
                200 => Ok(()),
                // What cannot be told yet is never wrong.
                503 => Err(503),
                other => panic!("{other}"),
            }
        },
    )
    .await;
    // And those of the old one are worth nothing, although they were found to hold before.
    eventually_within(
        Duration::from_secs(30),
        "the issuer was asked since",
        || async {
            match with_token(&proxy, &first.token(&claims())).await.status {
                401 => Ok(()),
                503 => Err(503),
                other => panic!("{other}"),
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_jwt_whose_issuer_is_down_is_503_and_never_401() {
    let upstream = simulator().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!(
        "jwksUri: \"http://{}/keys\"",
        listener.local_addr().unwrap()
    );
    drop(listener);
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &jwt(&uri))).await;
    let answer = with_token(&proxy, &Signer::new("1").token(&claims())).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert_eq!(by_key(&proxy, ANN).await, 200);
    assert_eq!(by_key(&proxy, "wrong").await, 401);
}

#[tokio::test]
async fn a_jwt_without_a_signature_or_by_another_key_opens_nothing() {
    let upstream = simulator().await;
    let (signer, other) = (Signer::new("1"), Signer::new("1"));
    let keys = format!("jwks: '{}'", jwks(&[&signer]));
    let proxy = Proxy::start(&guarded(&upstream.url(), "", &jwt(&keys))).await;
    assert_eq!(
        with_token(&proxy, &signer.token(&claims())).await.status,
        200
    );
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let payload = encode(claims());
    let none = format!("{}.{payload}.", encode(json!({"alg": "none"})));
    let hmac = format!(
        "{}.{payload}.{}",
        encode(json!({"alg": "HS256", "kid": "1"})),
        encode(json!(0))
    );
    for token in [none, hmac, other.token(&claims())] {
        assert_eq!(with_token(&proxy, &token).await.status, 401, "{token}");
    }
    assert_eq!(posts(&upstream).len(), 1);
}

#[tokio::test]
async fn policies_of_proxy_and_route_must_both_admit_and_each_takes_its_own_key() {
    let upstream = simulator().await;
    let manifest = guarded(&upstream.url(), "credential: {passthrough: {}}", TOKENS)
        + &secret("gate", "gate-0123456789abcdef")
        + &policy(
            "gate",
            "authentication:\n  bearerTokens: {secretRefs: [{name: gate}]}\n",
        )
        + &proxy_spec("accessPolicyRefs: [{name: gate}]");
    let proxy = Proxy::start(&manifest).await;
    let gate = ("authorization", "Bearer gate-0123456789abcdef");
    assert_eq!(called(&proxy, &[gate]).await.status, 401);
    assert_eq!(by_key(&proxy, ANN).await, 401);
    let answer = called(&proxy, &[gate, ("x-api-key", ANN), ("api-key", "own")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = &posts(&upstream)[0];
    assert_eq!(
        (
            seen.header("authorization"),
            seen.header("x-api-key"),
            seen.header("api-key")
        ),
        (None, None, Some("own"))
    );
}
