//! Streams as real servers of OpenAI's dialect write them, each with where it was seen, told to clients of Anthropic's and of Gemini's
//! (features A16, B1). The texts are ours, the shapes theirs.
//!
//! `transcripts/<server>.sse` is what the server sends, `<server>.messages` and `<server>.gemini` what the client hears, but for ids.
//! With `UPDATE=1` in the environment what is heard is written instead of compared.

use std::path::{Path, PathBuf};
use std::{env, fs};

use dragoman_system::root;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::manifests::{backend, route};
use super::proxy::{Answer, Proxy, answer};

/// Serves each file by the name of its model.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

async fn serve(mut stream: TcpStream) {
    let mut said = Vec::new();
    let asked: Value = loop {
        let text = String::from_utf8_lossy(&said);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        if let Some(asked) = body.and_then(|body| serde_json::from_str(body).ok()) {
            break asked;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => said.extend_from_slice(&piece[..length]),
        }
    };
    let name = asked["model"].as_str().unwrap_or_default();
    let Ok(body) = fs::read(folder().join(name).with_extension("sse")) else {
        return;
    };
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let _ = stream.write_all(&[head, &body[..]].concat()).await;
}

fn folder() -> PathBuf {
    root().join("tests/system/tests/it/standalone/transcripts")
}

/// The data of a stream's events, without what is another each time.
fn heard(reply: &Answer) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let told = data.map(|data| {
        let mut event: Value = serde_json::from_str(data).unwrap();
        for (pointer, name) in [
            ("/message", "id"),
            ("/content_block", "id"),
            ("", "responseId"),
        ] {
            let holder = event.pointer_mut(pointer).and_then(Value::as_object_mut);
            if let Some(id) = holder.and_then(|holder| holder.get_mut(name)) {
                *id = "another each time".into();
            }
        }
        event.to_string() + "\n"
    });
    told.collect()
}

fn agrees(heard: &str, golden: &Path) {
    if env::var_os("UPDATE").is_some() {
        fs::write(golden, heard).unwrap();
    }
    let stands = fs::read_to_string(golden).unwrap_or_default();
    assert_eq!(stands, heard, "{}", golden.display());
}

#[tokio::test]
async fn what_real_servers_stream_is_told_to_clients_of_other_dialects_without_loss() {
    let manifest = backend("main", &server().await, "") + &route("");
    let proxy = Proxy::start(&manifest).await;
    let tool = json!({"name": "look", "input_schema": {"type": "object"}});
    let function = json!({"name": "look", "parametersJsonSchema": {"type": "object"}});
    let mut tried = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|kind| kind != "sse") {
            continue;
        }
        let name = file.file_stem().unwrap().to_str().unwrap();
        let asked = json!({
            "model": name, "max_tokens": 4096, "stream": true, "tools": [tool],
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "messages": [{"role": "user", "content": "Where is the cat?"}],
        });
        let reply = proxy.post("/v1/messages", &asked).await;
        agrees(&heard(&reply), &file.with_extension("messages"));
        let path = format!("/v1beta/models/{name}:streamGenerateContent?alt=sse");
        let asked = json!({
            "contents": [{"role": "user", "parts": [{"text": "Where is the cat?"}]}],
            "tools": [{"functionDeclarations": [function]}],
            "generationConfig": {"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 1024}},
        });
        let reply = answer(proxy.request(Method::POST, &path).json(&asked)).await;
        agrees(&heard(&reply), &file.with_extension("gemini"));
        tried += 1;
    }
    assert_eq!(tried, 11);
}
