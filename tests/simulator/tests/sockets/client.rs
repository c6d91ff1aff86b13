//! A plain client of the simulator, over HTTP/1.1 or HTTP/2.

use std::sync::Mutex;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};

pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Opens a connection for each call; all close when it is dropped.
pub(crate) struct Caller {
    http2: bool,
    connections: Mutex<JoinSet<()>>,
}

impl Caller {
    pub(crate) fn new(http2: bool) -> Self {
        Self {
            http2,
            connections: Mutex::default(),
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        body: &Value,
    ) -> Result<Response<Incoming>, Failed> {
        self.send_with(method, url, &[("authorization", "Bearer right")], body)
            .await
    }

    pub(crate) async fn send_with(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Response<Incoming>, Failed> {
        let uri: Uri = url.parse()?;
        let authority = uri.authority().ok_or("no authority")?.to_string();
        let stream = TcpStream::connect(&authority).await?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        let mut request = Request::builder()
            .method(method)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::<Bytes>::from(body.to_string());
        if self.http2 {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            self.keep(connection)?;
            Ok(sender.send_request(request.uri(uri).body(body)?).await?)
        } else {
            let (mut sender, connection) = http1::handshake(stream).await?;
            self.keep(connection)?;
            let path = uri.path_and_query().ok_or("no path")?.as_str();
            let request = request.uri(path).header("host", authority);
            Ok(sender.send_request(request.body(body)?).await?)
        }
    }

    fn keep(&self, connection: impl Future + Send + 'static) -> Result<(), Failed> {
        let mut connections = self.connections.lock().map_err(|_| "a call panicked")?;
        connections.spawn(async move {
            connection.await;
        });
        Ok(())
    }

    /// A chat call with one user message.
    pub(crate) async fn chat(
        &self,
        url: &str,
        model: &str,
        text: &str,
        stream: bool,
    ) -> Result<Response<Incoming>, Failed> {
        let messages = json!([{"role": "user", "content": text}]);
        let body = json!({"model": model, "stream": stream, "messages": messages});
        self.send(Method::POST, &format!("{url}/chat/completions"), &body)
            .await
    }
}

/// What arrived of the body, and whether it ended well.
pub(crate) async fn arrived(response: Response<Incoming>) -> (String, bool) {
    let mut body = response.into_body();
    let mut bytes = vec![];
    loop {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |d| d)),
            Some(Err(_)) => return (String::from_utf8_lossy(&bytes).into_owned(), false),
            None => return (String::from_utf8_lossy(&bytes).into_owned(), true),
        }
    }
}

pub(crate) async fn json(response: Response<Incoming>) -> Result<Value, Failed> {
    Ok(serde_json::from_slice(
        &response.into_body().collect().await?.to_bytes(),
    )?)
}

/// The text of a stream's first choice.
pub(crate) fn text(events: &str) -> String {
    let data = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    chunks
        .filter_map(|chunk| {
            chunk
                .pointer("/choices/0/delta/content")
                .and_then(Value::as_str)
                .map(str::to_owned)
        })
        .collect()
}
