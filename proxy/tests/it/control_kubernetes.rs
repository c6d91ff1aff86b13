//! Kubernetes tokens at the logbook, which an API server within the test's process reviews.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::control_logbook::{Logbook, Operator, row};
use crate::control_operator::Authority;
use crate::harness::soon;

/// The logbook's own token, as it stands in the file at first.
const OWN: &str = "the-logbooks-own";
const ADMIN: &str = "the-admins";

/// What the API server knows and was asked.
#[derive(Default)]
struct Known {
    /// Whose tokens there are.
    users: BTreeMap<&'static str, &'static str>,
    /// Who may read the log where; everywhere, for an empty name.
    grants: BTreeSet<(&'static str, &'static str)>,
    own: String,
    asked: Vec<Value>,
    broken: bool,
}

/// An API server.
struct ApiServer {
    address: SocketAddr,
    known: Arc<Mutex<Known>>,
}

impl ApiServer {
    /// Starts one, and writes what a pod is given of it into a directory.
    async fn start(directory: &Path) -> Self {
        let authority = Authority::new();
        fs::write(directory.join("ca.crt"), authority.pem()).unwrap();
        fs::write(directory.join("token"), format!("{OWN}\n")).unwrap();
        let acceptor = authority.server(2000);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let known = Arc::new(Mutex::new(Known {
            own: OWN.into(),
            ..Known::default()
        }));
        let serving = Arc::clone(&known);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, serving) = (acceptor.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let answer = service_fn(|request| answer(Arc::clone(&serving), request));
                    let http = Builder::new(TokioExecutor::new());
                    let _ended = http.serve_connection(TokioIo::new(tls), answer).await;
                });
            }
        });
        Self { address, known }
    }

    fn knows<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.lock().unwrap())
    }

    /// How often it was asked for a kind of review.
    fn asked(&self, kind: &str) -> usize {
        self.knows(|known| known.asked.iter().filter(|one| one["kind"] == kind).count())
    }
}

async fn answer(
    known: Arc<Mutex<Known>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let review: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    let mut known = known.lock().unwrap();
    let authorized = head.headers["authorization"] == format!("Bearer {}", known.own);
    let status = if known.broken {
        StatusCode::INTERNAL_SERVER_ERROR
    } else if !authorized {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::CREATED
    };
    let spec = &review["spec"];
    let mut reply = review.clone();
    reply["status"] = match head.uri.path() {
        "/apis/authentication.k8s.io/v1/tokenreviews" => {
            let user = known.users.get(spec["token"].as_str().unwrap());
            user.map_or(json!({"user": {}, "error": "unknown"}), |user| {
                json!({"authenticated": true, "user": {"username": user, "groups": ["all"], "extra": {"scopes": ["a"]}}})
            })
        }
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
            let wanted = &spec["resourceAttributes"];
            assert_eq!(
                (
                    &wanted["group"],
                    &wanted["resource"],
                    &wanted["subresource"],
                    &wanted["verb"]
                ),
                (
                    &json!("dragoman.dev"),
                    &json!("llmroutes"),
                    &json!("log"),
                    &json!("get")
                )
            );
            assert_eq!(spec["groups"], json!(["all"]));
            assert_eq!(spec["extra"], json!({"scopes": ["a"]}));
            let namespace = wanted["namespace"].as_str().unwrap_or_default();
            let user = spec["user"].as_str().unwrap();
            let may = known
                .grants
                .iter()
                .any(|(who, place)| *who == user && (place.is_empty() || *place == namespace));
            json!({"allowed": may})
        }
        other => panic!("asked for {other}"),
    };
    known.asked.push(review);
    let mut response = Response::new(Full::from(reply.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

/// A logbook with a row of each of two namespaces, which reviews tokens at an API server.
async fn logbook(directory: &Path) -> (Logbook, ApiServer) {
    let api = ApiServer::start(directory).await;
    let operator = Operator::new();
    operator.write(directory);
    let logbook = Logbook::start_with(directory, |program| {
        program.env("DRAGOMAN_ADMIN_TOKEN", ADMIN);
        program.arg(format!("--service-account={}", directory.display()));
        program.arg(format!(
            "--api-server=https://localhost:{}",
            api.address.port()
        ));
    })
    .await;
    let theirs = dragoman_logbook::record::Record {
        namespace: "them".into(),
        ..row("theirs")
    };
    let stored = operator.put(logbook.port, &[row("ours"), theirs]).await;
    assert_eq!(stored.stored, 2);
    (logbook, api)
}

/// The status, and the namespaces of the requests that a token shows.
async fn seen(logbook: &Logbook, token: &str) -> (u16, Vec<String>) {
    let (status, _, body) = ask(logbook, "/api/logs", token).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let logs = body["logs"].as_array().into_iter().flatten();
    let mut names: Vec<_> = logs
        .map(|log| log["namespace"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    (status, names)
}

/// Status, head and body of the answer to somebody with a token.
async fn ask(logbook: &Logbook, path: &str, token: &str) -> (u16, String, String) {
    let mut tcp = TcpStream::connect(logbook.admin.as_str().unwrap())
        .await
        .unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    soon("the answer", tcp.read_to_string(&mut reply))
        .await
        .unwrap();
    let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_kubernetes_token_shows_the_namespaces_that_its_bearer_may_read_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let (logbook, api) = logbook(directory.path()).await;
    api.knows(|known| {
        known.users = [("t-team", "team"), ("t-all", "all"), ("t-none", "none")].into();
        known.grants = [("team", "team"), ("all", "")].into();
    });
    assert_eq!(seen(&logbook, "t-team").await, (200, vec!["team".into()]));
    let both = vec!["team".to_owned(), "them".to_owned()];
    assert_eq!(seen(&logbook, "t-all").await, (200, both.clone()));
    assert_eq!(seen(&logbook, ADMIN).await, (200, both));
    let (status, _, told) = ask(&logbook, "/api/logs", "t-none").await;
    assert_eq!(status, 403);
    assert!(
        told.contains("llmroutes/log") && told.contains("none may read"),
        "{told}"
    );
    let (status, _, told) = ask(&logbook, "/api/logs", "t-unknown").await;
    assert_eq!(status, 401);
    assert!(!told.contains("t-unknown"), "{told}");
    // Asked once for what is asked for again a moment later.
    let reviews = api.asked("TokenReview");
    assert_eq!(seen(&logbook, "t-team").await.0, 200);
    assert_eq!(api.asked("TokenReview"), reviews);
    // The admin token is nobody else's business.
    let shown = api.knows(|known| known.asked.iter().any(|one| one["spec"]["token"] == ADMIN));
    assert!(!shown);
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(
        !log.contains("t-team") && !log.contains("t-unknown"),
        "{log}"
    );
}

#[tokio::test]
async fn while_the_api_server_is_away_that_is_said_and_the_admin_token_works() {
    let directory = tempfile::tempdir().unwrap();
    let (logbook, api) = logbook(directory.path()).await;
    api.knows(|known| {
        known.users = [("t-all", "all"), ("t-later", "all")].into();
        known.grants = [("all", "")].into();
        known.broken = true;
    });
    let (status, head, told) = ask(&logbook, "/api/logs", "t-all").await;
    assert_eq!(status, 503, "{told}");
    assert!(head.contains("retry-after: "), "{head}");
    assert!(
        told.contains("API server") && told.contains("admin token"),
        "{told}"
    );
    assert_eq!(seen(&logbook, ADMIN).await.0, 200);
    logbook
        .process
        .until_said("cannot be reviewed for now")
        .await;
    // What was not found out is not remembered.
    api.knows(|known| known.broken = false);
    assert_eq!(seen(&logbook, "t-all").await.0, 200);
    // Its own token turns, and so does the file.
    api.knows(|known| known.own = "its-successor".into());
    assert_eq!(seen(&logbook, "t-later").await.0, 503);
    fs::write(directory.path().join("token"), "its-successor").unwrap();
    assert_eq!(seen(&logbook, "t-later").await.0, 200);
}
