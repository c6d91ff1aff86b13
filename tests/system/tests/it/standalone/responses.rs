//! Clients of the Responses API before a server that has it: bytes pass, and what changes, changes in place (feature B6).

use http::{Method, header};
use serde_json::{Value, json};

use super::manifests::{mapped, posts, simple, simulator};
use super::proxy::{Answer, Proxy, answer};

const PATH: &str = "/v1/responses";

/// What the simulator's word `extras` adds, in a spelling that no writer would choose.
const EXTRA: &str = r#""x_extra" : {"kept": [1.0, 1e2, "\u0041\/"],  "null": null}"#;

async fn send(proxy: &Proxy, body: &str) -> Answer {
    let call = proxy.request(Method::POST, PATH);
    let call = call.header(header::CONTENT_TYPE, "application/json");
    answer(call.body(body.to_owned())).await
}

fn asked(model: &str, stream: bool) -> Value {
    json!({"model": model, "input": "hello there", "stream": stream})
}

/// The events of a stream, each with its name.
fn events(reply: &Answer) -> Vec<Value> {
    let text = reply.text();
    let events = text.split("\n\n").filter(|event| !event.trim().is_empty());
    let read = |event: &str| {
        let named = event.split_once("\ndata: ");
        let (name, data) = named.unwrap_or_else(|| panic!("{event:?} in {text}"));
        let data: Value = serde_json::from_str(data).unwrap_or_else(|_| panic!("{data}"));
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    };
    events.map(read).collect()
}

/// The response that a reply tells whole: its body, or what its last event holds.
fn whole(reply: &Answer, stream: bool) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    if !stream {
        return reply.json();
    }
    let mut events = events(reply);
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], place, "{event}");
    }
    let last = events.pop().unwrap();
    assert_eq!(last["type"], "response.completed", "{last}");
    last["response"].clone()
}

#[tokio::test]
async fn a_response_is_relayed_as_the_servers_own_bytes_whole_and_streamed() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for stream in [false, true] {
        let body = format!(
            "{{ \"stream\":{stream} , \"model\" : \"extras\",\n\"input\":\"h\\u0065llo \\/ there\",  \"store\" :true, \"x_own\":1e2 }}"
        );
        let reply = send(&proxy, &body).await;
        let told = whole(&reply, stream);
        assert_eq!(told["output"][0]["content"][0]["text"], "hello / there");
        assert!(reply.text().contains(EXTRA), "{}", reply.text());
        let seen = posts(&upstream).pop().unwrap();
        assert_eq!((seen.path.as_str(), seen.body), (PATH, body));
    }
}

#[tokio::test]
async fn a_responses_model_is_renamed_both_ways_in_place() {
    let upstream = simulator().await;
    let map = "replyModel: Requested\nrules: [{match: {exact: gpt}, target: {model: extras}}]";
    let proxy = Proxy::start(&mapped(&upstream, map)).await;
    for stream in [false, true] {
        let body = format!("{{\"model\" :\"gpt\", \"input\":\"h\\u0065llo\",\"stream\":{stream}}}");
        let reply = send(&proxy, &body).await;
        assert_eq!(whole(&reply, stream)["model"], "gpt", "{}", reply.text());
        assert!(reply.text().contains(EXTRA), "{}", reply.text());
        if stream {
            let models = events(&reply);
            let models = models
                .iter()
                .filter_map(|event| event.pointer("/response/model"));
            assert_eq!(models.collect::<Vec<_>>(), ["gpt"; 3]);
        }
        let seen = posts(&upstream).pop().unwrap();
        let sent = body.replace("\"gpt\"", "\"extras\"");
        assert_eq!(seen.body, sent);
    }
}

#[tokio::test]
async fn calls_of_tools_and_what_a_server_refuses_reach_the_client_as_they_are() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for stream in [false, true] {
        let mut body = asked("parallel-tools", stream);
        body["tools"] =
            json!([{"type": "function", "name": "look", "parameters": {"type": "object"}}]);
        let reply = proxy.post(PATH, &body).await;
        let calls = whole(&reply, stream)["output"].clone();
        let names: Vec<_> = calls
            .as_array()
            .unwrap()
            .iter()
            .map(|call| &call["name"])
            .collect();
        assert_eq!(names, ["look", "look"], "{calls}");
    }
    let mut body = asked("echo", false);
    body["max_output_tokens"] = json!(1);
    let reply = proxy.post(PATH, &body).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"]["param"], "max_output_tokens");
    let reply = proxy
        .post(PATH, &asked("status-429+retry-after-7", true))
        .await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("7"))
    );
}

#[tokio::test]
async fn a_relayed_response_that_breaks_off_ends_with_an_error_and_no_success() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let reply = proxy.post(PATH, &asked("tokens-64+error-9", true)).await;
    let last = events(&reply).pop().unwrap();
    assert_eq!(last["code"], "server_error", "{last}");
    let reply = proxy.post(PATH, &asked("tokens-64+cut-9", true)).await;
    assert!(!reply.text().contains("response.completed"));
    // The dialect's own event, and what makes an official client raise it.
    let text = reply.text();
    let (_, last) = text.rsplit_once("event: error\ndata: ").unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["type"], "error", "{last}");
    assert_eq!(last["code"], "upstream_cut", "{last}");
    assert!(last["message"].is_string(), "{last}");
    assert!(last["error"]["message"].is_string(), "{last}");
}
