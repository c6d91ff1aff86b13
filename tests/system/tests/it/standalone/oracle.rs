//! A server with a JSON API of its own, which no dialect has: what Mappers are for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How it sends streams.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Live {
    Sse,
    Ndjson,
}

/// A request that it was sent: path with query, and body.
pub(super) type Seen = (String, Value);

/// The server.
pub(super) struct Oracle {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Oracle {
    pub(super) async fn start(live: Live) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, live, Arc::clone(&notes)));
            }
        });
        Self { address, seen }
    }

    /// What it was asked since the last time.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

async fn answer(mut stream: TcpStream, live: Live, notes: Arc<Mutex<Vec<Seen>>>) {
    let Some((path, body)) = request(&mut stream).await else {
        return;
    };
    notes.lock().unwrap().push((path, body.clone()));
    let question = body["question"].as_str().unwrap_or_default();
    let reply = if question.contains("forbidden") {
        whole(418, &json!({"problem": "no such thing"}))
    } else if body["live"] == true {
        let events = [
            json!({"kind": "greeting"}),
            json!({"kind": "word", "text": "All "}),
            json!({"kind": "word", "text": if question.contains("number") { json!(7) } else { json!("is well") }}),
            json!({"kind": "end"}),
            json!({"kind": "word", "text": "what comes after the end"}),
        ];
        events_of(live, &events)
    } else {
        whole(
            200,
            &json!({"answer": "All is well", "tokens": {"read": 5, "written": 3}, "vectors": [[0.5, 0.25]]}),
        )
    };
    // The client may have what it wants before everything is written.
    let _ = stream.write_all(reply.as_bytes()).await;
}

fn whole(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn events_of(live: Live, events: &[Value]) -> String {
    let (kind, written): (_, String) = match live {
        Live::Sse => (
            "text/event-stream",
            events
                .iter()
                .map(|event| format!("event: oracle\ndata: {event}\n\n"))
                .collect(),
        ),
        Live::Ndjson => (
            "application/json",
            events.iter().map(|event| format!("{event}\n")).collect(),
        ),
    };
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{written}")
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&said).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let path = head.split(' ').nth(1)?.to_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or_default() {
                return Some((path, serde_json::from_str(body).unwrap_or_default()));
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => said.extend_from_slice(&piece[..length]),
        }
    }
}
