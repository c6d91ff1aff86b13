//! The proxy's own identity of AWS's: found where AWS's SDKs find it, kept, and fetched anew in time (feature B3).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dragoman_simulator::Simulator;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::manifests::{backend, posts, route, started};
use super::proxy::{Answer, Proxy, chat};

/// A request that was made for keys: its head, in lower case but for the first line, and its body.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: String,
    body: String,
}

/// Who is asked for keys: an agent beside the proxy, an instance's metadata, or AWS's token service behind a forward proxy.
struct Agent {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
}

type Reply = Box<dyn Fn(&Asked, usize) -> (u16, String) + Send + Sync>;

impl Agent {
    /// An agent that answers as `reply` says of a request and how many came before it.
    fn start(reply: impl Fn(&Asked, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::over(None, Box::new(reply))
    }

    /// The same behind TLS, for whoever asks for a tunnel.
    fn over(tls: Option<Arc<ServerConfig>>, reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (told, reply) = (Arc::clone(&seen), Arc::new(reply));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (told, reply, tls) = (Arc::clone(&told), Arc::clone(&reply), tls.clone());
                thread::spawn(move || {
                    let Some(tls) = tls else {
                        return answer(&mut stream, &told, &reply);
                    };
                    let tunnel = head(&mut BufReader::new(&stream)).0;
                    assert_eq!(tunnel, "CONNECT sts.amazonaws.com:443 HTTP/1.1");
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                    let session = ServerConnection::new(tls).unwrap();
                    answer(&mut StreamOwned::new(session, stream), &told, &reply);
                });
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }
}

fn head(reader: &mut impl BufRead) -> (String, String) {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let first = lines.first().cloned().unwrap_or_default();
    (first, lines.join("\n").to_lowercase())
}

fn answer(stream: &mut (impl Read + Write), seen: &Mutex<Vec<Asked>>, reply: &Reply) {
    let mut reader = BufReader::new(&mut *stream);
    let (line, headers) = head(&mut reader);
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let asked = Asked {
        line,
        headers,
        body,
    };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(asked.clone());
        seen.len() - 1
    };
    let (status, said) = reply(&asked, before);
    let length = said.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all((head + &said).as_bytes());
    let _ = stream.flush();
}

/// Keys as agents and instances give them, which hold for so many minutes.
fn keys(id: &str, minutes: i64) -> String {
    let expires = Timestamp::now() + SignedDuration::from_mins(minutes);
    json!({"Code": "Success", "AccessKeyId": id, "SecretAccessKey": "secret", "Token": "temporary/token==", "Expiration": expires.to_string()})
        .to_string()
}

/// A Bedrock that takes these keys, and recomputes every signature.
async fn bedrock(id: &str) -> Simulator {
    let token = Some("temporary/token==".to_owned());
    started(
        Simulator::builder()
            .models(["echo"])
            .aws_key(id, "secret", token),
    )
    .await
}

/// A proxy that signs with its own identity, in an environment that has no other.
async fn proxy(upstream: &Simulator, environment: &[(&'static str, String)]) -> Proxy {
    let url = format!("http://{}", upstream.addr());
    let spec =
        "dialect: Bedrock\ncredential: {aws: {region: eu-central-1}}\ncatalog: [{name: echo}]";
    let manifest = backend("main", &url, spec) + &route("");
    let mut all = vec![
        ("HOME", "/nonexistent".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    all.extend(environment.iter().cloned());
    Proxy::start_in(&manifest, &all).await
}

fn agents(agent: &Agent) -> (&'static str, String) {
    let url = format!("http://{}/v1/credentials", agent.address);
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
}

async fn asked(proxy: &Proxy) -> Answer {
    proxy
        .post("/v1/chat/completions", &chat("echo", "hello"))
        .await
}

/// Whose key signed what the upstream got, in order.
fn signers(upstream: &Simulator) -> Vec<String> {
    let id = |header: &str| {
        header
            .split_once("Credential=")?
            .1
            .split_once('/')
            .map(|it| it.0.to_owned())
    };
    let posts = posts(upstream);
    let signed = posts
        .iter()
        .filter_map(|call| id(call.header("authorization")?));
    signed.collect()
}

#[tokio::test]
async fn a_pods_identity_is_fetched_once_for_all_requests() {
    let agent = Agent::start(|_, _| (200, keys("AKIDPOD", 60)));
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "the-pods-token\n").unwrap();
    let token = token.to_str().unwrap().to_owned();
    let upstream = bedrock("AKIDPOD").await;
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
    let proxy = proxy(&upstream, &[agents(&agent), token]).await;
    for reply in join_all((0..8).map(|_| asked(&proxy))).await {
        assert_eq!(reply.content(), "hello", "{}", reply.text());
    }
    assert_eq!(asked(&proxy).await.status, 200);
    let seen = agent.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].line, "GET /v1/credentials HTTP/1.1");
    assert!(seen[0].headers.contains("authorization: the-pods-token"));
    assert!(!proxy.log().contains("temporary/token"), "{}", proxy.log());
}

#[tokio::test]
async fn keys_are_fetched_anew_before_they_run_out_and_serve_while_that_fails() {
    let agent = Agent::start(|_, before| match before {
        0 => (200, keys("AKIDONE", 2)),
        1 => (500, "out of order".into()),
        _ => (200, keys("AKIDTWO", 60)),
    });
    let upstream = started(Simulator::builder().models(["echo"])).await;
    let proxy = proxy(&upstream, &[agents(&agent)]).await;
    assert_eq!(asked(&proxy).await.status, 200);
    assert_eq!(agent.seen().len(), 1);
    // Five minutes before their end they are old, and good enough while there are no others.
    assert_eq!(asked(&proxy).await.status, 200);
    assert_eq!(agent.seen().len(), 2);
    assert_eq!(signers(&upstream), ["AKIDONE", "AKIDONE"]);
    let waited = Instant::now();
    while agent.seen().len() < 3 {
        assert!(
            waited.elapsed() < Duration::from_secs(30),
            "never fetched anew"
        );
        assert_eq!(asked(&proxy).await.status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(asked(&proxy).await.status, 200);
    assert_eq!(signers(&upstream).last().unwrap(), "AKIDTWO");
    assert_eq!(agent.seen().len(), 3);
}

#[tokio::test]
async fn an_identity_that_fails_is_told_is_no_storm_and_gives_way_to_no_other() {
    let agent = Agent::start(|_, _| (403, "not yours".into()));
    let machine = Agent::start(|_, _| (200, keys("AKIDMACHINE", 60)));
    let upstream = bedrock("AKIDMACHINE").await;
    let metadata = format!("http://{}", machine.address);
    let environment = [
        agents(&agent),
        ("AWS_EC2_METADATA_DISABLED", "false".into()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata),
    ];
    let proxy = proxy(&upstream, &environment).await;
    let began = Instant::now();
    for reply in join_all((0..20).map(|_| asked(&proxy))).await {
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(reply.code(), "credential_unavailable");
        assert_eq!(reply.header("x-dragoman-fault"), Some("proxy"));
        assert!(reply.header("retry-after").is_some());
        assert!(!reply.text().contains("not yours"), "{}", reply.text());
    }
    // Another try is made five seconds after the last at the earliest.
    let most = 1 + began.elapsed().as_secs() / 5;
    assert!(agent.seen().len() as u64 <= most, "{:?}", agent.seen());
    assert!(machine.seen().is_empty() && posts(&upstream).is_empty());
    proxy.logged("not yours").await;
}

#[tokio::test]
async fn an_instances_identity_is_asked_for_with_a_token_of_its_own() {
    let machine = Agent::start(|asked, _| match asked.line.as_str() {
        "PUT /latest/api/token HTTP/1.1" => (200, "session".into()),
        _ if !asked.headers.contains("x-aws-ec2-metadata-token: session") => (401, String::new()),
        "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1" => (200, "node".into()),
        "GET /latest/meta-data/iam/security-credentials/node HTTP/1.1" => {
            (200, keys("AKIDNODE", 60))
        }
        _ => (404, String::new()),
    });
    let upstream = bedrock("AKIDNODE").await;
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            format!("http://{}", machine.address),
        ),
    ];
    let proxy = proxy(&upstream, &environment).await;
    for _ in 0..3 {
        assert_eq!(asked(&proxy).await.content(), "hello");
    }
    assert_eq!(machine.seen().len(), 3, "{:?}", machine.seen());
}

#[tokio::test]
async fn a_service_accounts_role_is_assumed_with_its_token_over_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["sts.amazonaws.com".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let service = |_: &Asked, _: usize| {
        let expires = Timestamp::now() + SignedDuration::from_mins(60);
        let reply = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>temporary/token==</SessionToken><Expiration>{expires}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        (200, reply)
    };
    let service = Agent::over(Some(Arc::new(tls)), Box::new(service));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let forward = format!("http://{}", service.address);
    let environment = [
        (
            "AWS_ROLE_ARN",
            "arn:aws:iam::111122223333:role/llm".to_owned(),
        ),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            file("token", "the.accounts.token"),
        ),
        ("SSL_CERT_FILE", file("ca.pem", &issuer.pem())),
        ("HTTPS_PROXY", forward.clone()),
        ("https_proxy", forward),
        ("NO_PROXY", String::new()),
        ("no_proxy", String::new()),
    ];
    let upstream = bedrock("AKIDROLE").await;
    let proxy = proxy(&upstream, &environment).await;
    for _ in 0..3 {
        let reply = asked(&proxy).await;
        assert_eq!(
            reply.content(),
            "hello",
            "{}\n{}",
            reply.text(),
            proxy.log()
        );
    }
    let seen = service.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].headers.contains("host: sts.amazonaws.com"));
    for said in [
        "Action=AssumeRoleWithWebIdentity",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fllm",
        "WebIdentityToken=the.accounts.token",
    ] {
        assert!(seen[0].body.contains(said), "{}", seen[0].body);
    }
    assert!(
        !proxy.log().contains("the.accounts.token"),
        "{}",
        proxy.log()
    );
}
