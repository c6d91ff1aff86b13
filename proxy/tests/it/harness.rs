//! A proxy within the test's process, and a client that says exactly what it sends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::{
    BackendItem, CredentialItem, Item, Key, Kind, ListItem, MapItem, MapRuleItem, ProxyItem,
    RetryItem, RouteBackendItem, RouteItem, Secret, Target, TimeoutsItem, TlsItem, UpstreamUrl,
};
use dragoman_crds::{
    Dialect, Matching, ModelTarget, NameFilter, NameMatch, ReplyModel, RetryOn, Thinking, Unmatched,
};
use dragoman_proxy::serve::{self, Running};
use dragoman_proxy::state::Shared;
use dragoman_simulator::Simulator;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) type Items = BTreeMap<Key, Arc<Item>>;

/// How long anything may take. Far more than it does on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// What comes, unless it never does: then the test fails rather than hangs, and says what was missing.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, coming).await {
        Ok(came) => came,
        Err(_) => panic!("{what} never came"),
    }
}

/// The items of one LLMProxy, whose upstreams may be on loopback.
pub(crate) fn items() -> Items {
    let proxy = ProxyItem {
        policies: None,
        trusted_proxies: None,
        certificates: None,
        redis: None,
        logging: None,
        cluster_domain: "cluster.local".into(),
        denied_cidrs: Vec::new(),
        deny_loopback: false,
        body_bytes: 1 << 20,
        header_bytes: 64 << 10,
        log_level: None,
    };
    BTreeMap::from([(
        Key::new(Kind::Proxy, "dragoman", "default"),
        Arc::new(Item::Proxy(proxy)),
    )])
}

/// An upstream at a simulator.
pub(crate) fn backend_at(simulator: &Simulator) -> BackendItem {
    let port = simulator.addr().port();
    BackendItem {
        policies: None,
        url: UpstreamUrl {
            tls: false,
            host: "127.0.0.1".into(),
            port,
            path: "/v1".into(),
        },
        dialect: Dialect::OpenAI,
        credential: CredentialItem::None,
        catalog: Vec::new(),
        relay: Vec::new(),
        headers: Vec::new(),
        timeouts: TimeoutsItem {
            connect_ms: 5_000,
            first_byte_ms: 30_000,
            idle_ms: 30_000,
            request_ms: 60_000,
        },
        retries: RetryItem {
            attempts: 1,
            on: vec![RetryOn::ConnectFailure],
        },
        health: None,
        tls: TlsItem::default(),
        max_concurrency: None,
        mapper: None,
        responses: None,
        reasoning_content: None,
        azure_api_version: None,
        prompt_template: None,
    }
}

/// A backend that nobody listens at.
pub(crate) fn backend_nowhere(simulator: &Simulator) -> BackendItem {
    let mut item = backend_at(simulator);
    // Port 1 is reserved, and no test machine serves it.
    item.url.port = 1;
    item
}

pub(crate) fn with_key(mut item: BackendItem, key: &str) -> BackendItem {
    item.credential = CredentialItem::Key(Secret::new(key));
    item
}

/// A route's backend with everything as it comes by default.
pub(crate) fn entry(name: &str, item: BackendItem) -> RouteBackendItem {
    RouteBackendItem {
        name: name.into(),
        target: Target::Inline(Box::new(item)),
        prefix: String::new(),
        models: NameFilter::default(),
        priority: 0,
        weight: 1,
    }
}

pub(crate) fn route(backends: Vec<RouteBackendItem>) -> RouteItem {
    RouteItem {
        policies: None,
        log_bodies: None,
        replay: None,
        cors: None,
        hostnames: Vec::new(),
        model_map: None,
        backends,
        thinking: Thinking::default(),
        apis: None,
        conversation: None,
        paths: None,
    }
}

/// A map without rules that lets every name through.
pub(crate) fn map() -> MapItem {
    MapItem {
        rules: Vec::new(),
        matching: Matching::Exact,
        unmatched: Unmatched::Passthrough,
        list: ListItem {
            names: NameFilter::default(),
            matching: Matching::IgnoreCase,
            enforce: true,
            first: Vec::new(),
            cache_ttl_ms: 30_000,
        },
        reply_model: ReplyModel::Upstream,
    }
}

pub(crate) fn exact(name: &str) -> NameMatch {
    NameMatch {
        exact: Some(name.into()),
        regex: None,
    }
}

pub(crate) fn regex(pattern: &str) -> NameMatch {
    NameMatch {
        exact: None,
        regex: Some(pattern.into()),
    }
}

/// A rule that sends the names that it matches to `model`.
pub(crate) fn rule(names: NameMatch, model: &str) -> MapRuleItem {
    MapRuleItem {
        r#match: names,
        when: None,
        target: ModelTarget {
            model: Some(model.into()),
            backend: None,
        },
        fallbacks: Vec::new(),
        defaults: Map::new(),
        overrides: Map::new(),
    }
}

pub(crate) trait Put {
    fn put_route(self, name: &str, route: RouteItem) -> Self;
    fn put_map(self, name: &str, map: MapItem) -> Self;
    fn put_backend(self, name: &str, backend: BackendItem) -> Self;
}

impl Put for Items {
    fn put_route(mut self, name: &str, route: RouteItem) -> Self {
        self.insert(
            Key::new(Kind::Route, "team-a", name),
            Arc::new(Item::Route(route)),
        );
        self
    }

    fn put_map(mut self, name: &str, map: MapItem) -> Self {
        self.insert(
            Key::new(Kind::Map, "team-a", name),
            Arc::new(Item::Map(map)),
        );
        self
    }

    fn put_backend(mut self, name: &str, backend: BackendItem) -> Self {
        self.insert(
            Key::new(Kind::Backend, "team-a", name),
            Arc::new(Item::Backend(Box::new(backend))),
        );
        self
    }
}

/// The route `chat` of `team-a` with one backend, the simulator's.
pub(crate) fn simple(simulator: &Simulator) -> Items {
    items().put_route("chat", route(vec![entry("sim", backend_at(simulator))]))
}

/// As [`simple`], with a map.
pub(crate) fn mapped(simulator: &Simulator, map: MapItem) -> Items {
    let mut item = route(vec![entry("sim", backend_at(simulator))]);
    item.model_map = Some(Target::Item(Key::new(Kind::Map, "team-a", "names")));
    items().put_route("chat", item).put_map("names", map)
}

pub(crate) async fn simulator() -> Simulator {
    Simulator::builder()
        .models(["llama3-8b", "llama3-70b"])
        .start()
        .await
        .unwrap()
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) shared: Arc<Shared>,
    pub(crate) running: Running,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.drain();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body came to its end.
    pub(crate) complete: bool,
}

impl Got {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that it is an error of ours or in our words, and gives its code.
    pub(crate) fn error_code(&self) -> String {
        assert!(self.header("x-dragoman-request-id").is_some());
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(
            self.json()["error"]["message"].is_string(),
            "{}",
            self.text()
        );
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The names on a list of models.
    pub(crate) fn ids(&self) -> Vec<String> {
        let list = self.json();
        let entries = list["data"].as_array().unwrap_or_else(|| panic!("{list}"));
        entries
            .iter()
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Proxy {
    pub(crate) fn start(items: Items) -> Self {
        let shared = Shared::new(2);
        let refused = shared.publish(items);
        assert!(refused.is_empty(), "{refused:?}");
        shared.set_ready(true);
        let running = serve::start(&shared, ([127, 0, 0, 1], 0).into(), 2).unwrap();
        Self { shared, running }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.running.local_addr()).await.unwrap()
    }

    /// Sends a request on a connection of its own. The `Host` is the route `chat` of `team-a` unless `headers` say otherwise.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Got {
        let reply = self.exchange(&method, path, headers, body.into());
        soon(&format!("the whole reply to {method} {path}"), reply).await
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Got {
        let io = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let driver = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "chat.team-a.svc.cluster.local");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let reply = sender.send_request(request).await.unwrap();
        let (head, mut incoming) = reply.into_parts();
        let (mut body, mut complete) = (Vec::new(), true);
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    complete = false;
                    break;
                }
            }
        }
        driver.abort();
        Got {
            status: head.status,
            headers: head.headers,
            body: body.into(),
            complete,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Got {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string())
            .await
    }

    /// One user message to a model.
    pub(crate) async fn chat(&self, model: &str, text: &str) -> Got {
        self.post("/v1/chat/completions", &chat(model, text, false))
            .await
    }

    /// The same, streamed.
    pub(crate) async fn stream(&self, model: &str, text: &str) -> Got {
        self.post("/v1/chat/completions", &chat(model, text, true))
            .await
    }

    /// Sends bytes as they are and reads until the proxy closes the connection.
    pub(crate) async fn raw(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        // A connection that is reset after the answer has given its answer.
        let _ = soon("the end of the connection", stream.read_to_end(&mut all)).await;
        String::from_utf8(all).unwrap()
    }
}

pub(crate) fn chat(model: &str, text: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]})
}
