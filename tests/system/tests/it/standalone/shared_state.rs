//! Several proxies and one Redis of each kind: limits and bans that they share, and what becomes of requests while it is away (features A2, C3).

use std::time::Duration;

use dragoman_simulator::Simulator;
use dragoman_system::{Redis, eventually};
use http::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tokio::time::Instant;

use super::callers::{ANN, TOKENS, by_key, guarded};
use super::manifests::{backend, nobody, object, route, secret, simulator};
use super::proxy::{Proxy, answer, chat, client, streamed, try_answer};

const LOOPBACK: &str = "127.0.0.1";

/// The words of a line. Two spaces have an empty one between them.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// The LLMProxy that counts in the Redis behind this URL.
fn shared(url: &str) -> String {
    secret("redis", url)
        + &object(
            "LLMProxy",
            "{name: default}",
            "sharedState: {redis: {secretRef: {name: redis, key: key}}}",
        )
}

/// The limit of requests that proxies share.
const MOST: u32 = 1_000_000;
/// How long it may take until an answer of Redis comes in time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A route with these limits, counted in a Redis.
fn limited(redis: &Redis, upstream: &Simulator, limits: &str) -> String {
    shared(&format!("redis://127.0.0.1:{}", redis.port))
        + &backend("main", &upstream.url(), "")
        + &object(
            "AccessPolicy",
            "{name: gold}",
            &format!("limits: [{limits}]"),
        )
        + &route("accessPolicyRefs: [{name: gold}]")
}

/// Two proxies that share a limit of requests, and say nothing of the password.
async fn share_a_limit(url: &str, environment: &[(&str, String)]) {
    let upstream = simulator().await;
    let limits =
        "limits: [{per: Address, requests: 1000000, window: 1h}, {per: Address, concurrency: 20}]";
    let manifest = shared(url)
        + &backend("main", &upstream.url(), "")
        + &object("AccessPolicy", "{name: gold}", limits)
        + &route("accessPolicyRefs: [{name: gold}]");
    let one = Proxy::start_in(&manifest, environment).await;
    let two = Proxy::start_in(&manifest, environment).await;
    for proxy in [&one, &two] {
        proxy.logged("Redis counts for all proxies").await;
        assert!(!proxy.log().contains("s3cret"), "{}", proxy.log());
        await_metric(proxy, "dragoman_shared_state_up", 1.0).await;
    }
    // Each knows of requests that it did not get itself. A machine that is busy lets some answers be late, and then a proxy counts for itself.
    let (mut sent, mut knows, began) = (0, [false; 2], Instant::now());
    while knows != [true; 2] {
        sent += 1;
        for (proxy, knows) in [&one, &two].into_iter().zip(&mut knows) {
            let reply = proxy.chat("echo").await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            let left = reply.header("x-ratelimit-remaining-requests").unwrap();
            *knows |= left.parse::<u32>().unwrap() < MOST - sent;
        }
        assert!(began.elapsed() < PATIENCE, "after {sent} requests each");
    }
}

/// Waits until a metric is as wanted.
async fn await_metric(proxy: &Proxy, name: &str, wanted: f64) {
    let line = format!("{name} {wanted}");
    eventually(&line, || async {
        let text = proxy.admin_get("/metrics").await.text();
        if text.lines().any(|told| told == line) {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
}

#[tokio::test]
async fn a_redis_over_tls_serves_a_user_with_the_documented_rights_alone() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let guide = dragoman_system::root().join("docs/guides/limits.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let rights = guide
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("~{dragoman}:* "));
    let rights = rights.expect("the guide names the rights");
    let redis = Redis::start(LOOPBACK, |port, folder| {
        for (file, pem) in [
            ("ca.pem", issuer.pem()),
            ("cert.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.join(file), pem).unwrap();
        }
        let mut options = words(&format!(
            "--bind 127.0.0.1 --save  --port 0 --tls-port {port} --tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file ca.pem --tls-auth-clients no"
        ));
        options.extend(words(&format!(
            "--user default off --user proxy on >s3cret {rights}"
        )));
        options
    });
    let url = format!("rediss://proxy:s3cret@127.0.0.1:{}", redis.port);
    let authority = redis.folder().join("ca.pem");
    let trusted = ("SSL_CERT_FILE", authority.to_str().unwrap().to_owned());
    share_a_limit(&url, &[trusted]).await;
    // Whom nothing vouches for is not talked to.
    let upstream = simulator().await;
    let manifest = shared(&url) + &guarded(&upstream.url(), "", TOKENS);
    let proxy = Proxy::start(&manifest).await;
    proxy.logged("Redis is away").await;
    assert!(!proxy.log().contains("s3cret"), "{}", proxy.log());
    assert_eq!(by_key(&proxy, ANN).await, 200);
}

#[tokio::test]
async fn a_redis_cluster_counts_for_all_proxies() {
    let redis = Redis::start(LOOPBACK, |port, _| {
        // The ports of a cluster's nodes talk to each other on another, which would be ten thousand higher.
        let bus = nobody().port();
        words(&format!(
            "--bind 127.0.0.1 --save  --port {port} --cluster-enabled yes --cluster-port {bus} --cluster-announce-ip 127.0.0.1"
        ))
    });
    redis.says("CLUSTER ADDSLOTSRANGE 0 16383", "OK").await;
    redis.says("CLUSTER INFO", "cluster_state:ok").await;
    let url = format!("redis-cluster://127.0.0.1:{}", redis.port);
    share_a_limit(&url, &[]).await;
}

#[tokio::test]
async fn sentinels_name_the_redis_that_counts() {
    let redis = Redis::plain(LOOPBACK, "");
    redis.says("PING", "PONG").await;
    let sentinel = Redis::start(LOOPBACK, |port, folder| {
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor gold 127.0.0.1 {} 1\n",
            redis.port
        );
        std::fs::write(folder.join("sentinel.conf"), config).unwrap();
        words("sentinel.conf --sentinel")
    });
    let known = redis.port.to_string();
    sentinel
        .says("SENTINEL GET-MASTER-ADDR-BY-NAME gold", &known)
        .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/gold/0", sentinel.port);
    share_a_limit(&url, &[]).await;
}

#[tokio::test]
async fn bans_are_shared_and_lifted_by_all_proxies_and_a_lifted_one_does_not_come_back() {
    let upstream = simulator().await;
    let redis = Redis::plain(LOOPBACK, "");
    let spec = format!("{TOKENS}ban: {{failures: 4, window: 1h, duration: 1h}}");
    let manifest =
        shared(&format!("redis://127.0.0.1:{}", redis.port)) + &guarded(&upstream.url(), "", &spec);
    let (one, two) = (Proxy::start(&manifest).await, Proxy::start(&manifest).await);
    for proxy in [&one, &two] {
        proxy.logged("Redis counts for all proxies").await;
    }
    let answers = async |proxy: &Proxy, wanted: u16| {
        eventually(&format!("the key gets {wanted}"), || async {
            match by_key(proxy, ANN).await {
                status if status == wanted => Ok(()),
                status => Err(status),
            }
        })
        .await;
    };
    // Neither has seen four wrong ones itself.
    for proxy in [&one, &two] {
        for _ in 0..2 {
            assert_eq!(by_key(proxy, "wrong").await, 401);
        }
    }
    for proxy in [&one, &two] {
        answers(proxy, 403).await;
        await_metric(proxy, "dragoman_banned_addresses", 1.0).await;
    }
    // Lifted while Redis is away, it is lifted everywhere once that is back.
    redis.signal("STOP");
    one.logged("this proxy counts for itself").await;
    let url = format!("http://{}/api/bans/127.0.0.1", one.admin);
    assert_eq!(answer(client().delete(&url)).await.status, 200);
    assert_eq!(by_key(&one, ANN).await, 200);
    redis.signal("CONT");
    answers(&two, 200).await;
    assert_eq!(by_key(&one, ANN).await, 200);
}

#[tokio::test]
async fn a_redis_that_hangs_keeps_no_request_waiting_and_log_and_metric_say_so() {
    let upstream = simulator().await;
    let redis = Redis::plain(LOOPBACK, "");
    let limits = "{per: Address, requests: 1000, window: 1h}";
    let proxy = Proxy::start(&limited(&redis, &upstream, limits)).await;
    proxy.logged("Redis counts for all proxies").await;
    redis.signal("STOP");
    let mut took = Vec::new();
    for _ in 0..51 {
        let began = Instant::now();
        let reply = answer(proxy.request(Method::GET, "/v1/models")).await;
        took.push(began.elapsed());
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    took.sort_unstable();
    // Most waited for nothing: it is left alone once it was late thrice. The bound is this machine's, which runs other tests too.
    assert!(took[25] < Duration::from_millis(50), "{took:?}");
    proxy.logged("this proxy counts for itself").await;
    await_metric(&proxy, "dragoman_shared_state_up", 0.0).await;
    redis.signal("CONT");
    await_metric(&proxy, "dragoman_shared_state_up", 1.0).await;
}

#[tokio::test]
async fn places_that_proxies_share_are_taken_once_and_come_back_on_every_path() {
    let upstream = simulator().await;
    let redis = Redis::plain(LOOPBACK, "");
    let manifest = limited(&redis, &upstream, "{per: Route, concurrency: 2}");
    let (one, two) = (Proxy::start(&manifest).await, Proxy::start(&manifest).await);
    for proxy in [&one, &two] {
        proxy.logged("Redis counts for all proxies").await;
    }
    let call = |proxy: &Proxy, body: Value| {
        let request = proxy.request(Method::POST, "/v1/chat/completions");
        try_answer(request.json(&body))
    };
    // Each holds one of two places, and knows of the other's. On a busy machine an answer may come too late to count: then they are taken anew.
    let hang = |proxy: &Proxy| call(proxy, chat("hang", "x"));
    eventually("neither has room", || async {
        let asked = async {
            until_in_flight(&upstream, 2).await;
            [one.chat("echo").await.status, two.chat("echo").await.status]
        };
        tokio::select! {
            refused = hang(&one) => Err(format!("{refused:?}")),
            refused = hang(&two) => Err(format!("{refused:?}")),
            asked = asked => if asked == [429; 2] { Ok(()) } else { Err(format!("{asked:?}")) }
        }
    })
    .await;
    let none = async || {};
    comes_back(&redis, "both left", none).await;
    for proxy in [&one, &two] {
        for model in ["echo", "status-500", "drop", "cut-2", "malformed"] {
            for body in [
                chat(model, "hello there and all"),
                streamed(model, "hello there and all"),
            ] {
                let calls = async || {
                    if let Ok(answer) = call(proxy, body.clone()).await {
                        assert_ne!(answer.status, 429, "{model}: {}", answer.text());
                    }
                };
                comes_back(&redis, model, calls).await;
            }
        }
        let leaves = async || {
            let long = streamed("say+token-5ms", &"word ".repeat(400));
            let request = proxy.request(Method::POST, "/v1/chat/completions");
            let mut left = request.json(&long).send().await.unwrap();
            assert_eq!(left.status(), 200);
            assert!(left.chunk().await.unwrap().is_some());
        };
        comes_back(&redis, "left within a stream", leaves).await;
    }
}

/// Waits until so many requests are under way at the upstream.
async fn until_in_flight(upstream: &Simulator, requests: u64) {
    while upstream.stats().in_flight != requests {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sees to it that Redis knows of no place that is taken, once `calls` have been made: sooner than a place that nobody gives back would run out, after 30 seconds.
async fn comes_back(redis: &Redis, what: &str, calls: impl AsyncFn()) {
    const NOBODY: (&str, &str) = ("KEYS {dragoman}:limit:*", "*0\r");
    for _ in 0..5 {
        calls().await;
        let soon = redis.says(NOBODY.0, NOBODY.1);
        if tokio::time::timeout(Duration::from_secs(20), soon)
            .await
            .is_ok()
        {
            return;
        }
        // On a busy machine Redis may have seemed away just then, and what it was not told runs out by itself.
        redis.says(NOBODY.0, NOBODY.1).await;
    }
    panic!("{what}: its place stays taken");
}
