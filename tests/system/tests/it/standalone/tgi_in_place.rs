//! Clients of TGI's own API before a backend that speaks the same: bytes pass, and what changes, changes in place (features A16, A17, B1, B10).

use dragoman_simulator::Simulator;
use http::Method;
use serde_json::{Value, json};

use super::manifests::{backend, object, simulator};
use super::proxy::{Answer, Proxy, answer, client};

/// Text in which a careless cut, escape or trim would show.
const TEXT: &str = "Größe: 1 < 2 && \"zwei\" 🦀\r\n\n  <b>fett</b> \\ das Ende  ";
/// The same without a sign that could begin a tag.
const PLAIN: &str = "Größe: 1 && \"zwei\" 🦀\r\n\n  fett> \\ das Ende  ";

/// Paths, and whether they stream.
const WAYS: [(&str, bool); 4] = [
    ("/generate", false),
    ("/generate_stream", true),
    ("/", false),
    ("/", true),
];

/// A request that asks for all that a server tells of tokens.
fn asks(text: &str, stream: bool) -> Value {
    let parameters = json!({
        "details": true, "decoder_input_details": !stream, "top_n_tokens": 2, "do_sample": true, "seed": 7, "max_new_tokens": 500, "of_tomorrow": [1.0],
    });
    json!({"inputs": text, "parameters": parameters, "stream": stream, "options": {"use_cache": false}})
}

/// A route and a backend for each of these models.
fn to(upstream: &Simulator, words: &[String]) -> String {
    let each = words.iter().enumerate().map(|(number, word)| {
        let url = format!("http://{}/tgi/{word}", upstream.addr());
        let name = format!("r{number}");
        backend(&name, &url, "dialect: TGI")
            + &object(
                "LLMRoute",
                &format!("{{name: {name}}}"),
                &format!("backends:\n- {{name: main, backendRef: {{name: {name}}}}}"),
            )
    });
    each.collect()
}

async fn through(proxy: &Proxy, number: usize, path: &str, body: &Value) -> Answer {
    let path = format!("/routes/default/r{number}{path}");
    answer(proxy.request(Method::POST, &path).json(body)).await
}

/// The objects of a reply: its only one, or those of its stream.
fn objects(reply: &Answer) -> Vec<Value> {
    let text = reply.text();
    if let Ok(whole) = serde_json::from_str(&text) {
        return match whole {
            Value::Array(list) => list,
            one => vec![one],
        };
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    // What was cut off within is none.
    data.filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

#[tokio::test]
async fn what_tgi_tells_of_tokens_reaches_its_own_client_to_the_byte() {
    let words = [
        "echo",
        "say+chunk-1",
        "extras+escaped",
        "keepalive-comments",
        "coalesced+extras",
        "crlf+extras+chunk-2",
        "error-3",
        "status-429",
        "status-400",
        "chunked+extras",
        "tokens-30",
    ]
    .map(str::to_owned);
    let (direct, behind) = (simulator().await, simulator().await);
    let proxy = Proxy::start(&to(&behind, &words)).await;
    for (number, word) in words.iter().enumerate() {
        for (path, stream) in WAYS {
            let body = asks(PLAIN, stream);
            let url = format!("http://{}/tgi/{word}{path}", direct.addr());
            let straight = answer(client().post(url).json(&body)).await;
            let through = through(&proxy, number, path, &body).await;
            assert_eq!(straight.status, through.status, "{word} {path}");
            assert_eq!(straight.text(), through.text(), "{word} {path}");
            assert_eq!(straight.body, through.body, "{word} {path}");
            let got = behind.requests().pop().unwrap();
            assert_eq!(got.json(), body, "{word} {path}");
        }
    }
}

#[tokio::test]
async fn tgis_own_client_gets_no_block_however_its_bytes_arrive_and_no_token_that_is_not_the_servers()
 {
    let words = ["", "+split", "+coalesced", "+crlf", "+escaped", "+extras"];
    let words = words.map(|word| format!("think{word}")).into_iter();
    let words: Vec<_> = words
        .chain((1..=12).map(|n| format!("think+chunk-{n}")))
        .collect();
    let upstream = simulator().await;
    let proxy = Proxy::start(&to(&upstream, &words)).await;
    for (number, word) in words.iter().enumerate() {
        for (path, stream) in WAYS {
            let reply = through(&proxy, number, path, &asks(TEXT, stream)).await;
            assert_eq!(reply.status, 200, "{word} {path}: {}", reply.text());
            let objects = objects(&reply);
            let last = objects.last().unwrap();
            assert_eq!(last["generated_text"], TEXT, "{word} {path}");
            let details = &last["details"];
            assert_eq!(details["finish_reason"], "eos_token", "{word} {path}");
            assert!(details["generated_tokens"].as_u64() > Some(0), "{details}");
            if !stream {
                assert_eq!(details["tokens"], json!([]), "{word} {path}");
                continue;
            }
            let tokens = objects.iter().map(|object| &object["token"]);
            let mut said = String::new();
            for token in tokens {
                assert!(token["id"].as_u64() > Some(0), "{word} {path}: {token}");
                assert!(token["logprob"].as_f64() < Some(0.0), "{word}: {token}");
                if token["special"] == false {
                    said += token["text"].as_str().unwrap();
                }
            }
            assert_eq!(said, TEXT, "{word} {path}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn a_tgi_stream_that_breaks_leaks_no_thought_and_ends_with_its_error() {
    let words = ["think+chunk-8+cut-5", "think+chunk-8+split+cut-6"].map(str::to_owned);
    let upstream = simulator().await;
    let proxy = Proxy::start(&to(&upstream, &words)).await;
    for (number, word) in words.iter().enumerate() {
        let reply = through(&proxy, number, "/generate_stream", &asks(TEXT, true)).await;
        let objects = objects(&reply);
        assert!(
            objects.last().unwrap()["error"].is_string(),
            "{word}: {}",
            reply.text()
        );
        let said = objects
            .iter()
            .filter_map(|object| object["token"]["text"].as_str());
        let said: String = said.collect();
        assert!(TEXT.starts_with(&said), "{word}: {said}");
    }
}
