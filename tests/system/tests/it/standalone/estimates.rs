//! Tokens on record where no server tells them (feature C6).

use serde_json::json;

use super::canned::canned;
use super::manifests::{backend, route};
use super::proxy::{Proxy, streamed};
use super::request_log::{columns, row_of};

#[tokio::test]
async fn tokens_that_no_server_tells_are_counted_by_the_text_and_flagged() {
    let stream = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Привет, как \"}}]}\n\n\
        data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"дела?\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let upstream = canned("text/event-stream", stream).await;
    let proxy = Proxy::start(&(backend("main", &upstream, "") + &route(""))).await;
    let answered = proxy
        .post("/v1/chat/completions", &streamed("m", "hello there"))
        .await;
    let row = row_of(&proxy, &answered).await;
    // By tiktoken's o200k_base, with three for the message around the prompt. By bytes it would be eight of the reply.
    assert_eq!(
        columns(
            &row,
            &[
                "response_content",
                "prompt_tokens",
                "completion_tokens",
                "tokens_estimated"
            ]
        ),
        json!(["Привет, как дела?", 6, 6, true]),
        "{row}"
    );
}
