//! Requests of every dialect, with features that meet and values that are wrong.
#![no_main]

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use dragoman_fuzz::wires::{SIDES, Side};
use dragoman_fuzz::{mutation, requests};
use serde_json::Value;

/// The requests of the matrix of dialects, in the order of [`SIDES`]: a plain one, and what each feature adds to it.
static REQUESTS: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| {
    let files = [
        include_str!("../../dialects/tests/matrix/requests/chat.json"),
        include_str!("../../dialects/tests/matrix/requests/completions.json"),
        include_str!("../../dialects/tests/matrix/requests/responses.json"),
        include_str!("../../dialects/tests/matrix/requests/messages.json"),
        include_str!("../../dialects/tests/matrix/requests/ollama-chat.json"),
        include_str!("../../dialects/tests/matrix/requests/ollama-generate.json"),
        include_str!("../../dialects/tests/matrix/requests/gemini.json"),
        include_str!("../../dialects/tests/matrix/requests/tgi.json"),
        include_str!("../../dialects/tests/matrix/requests/messages.json"),
        include_str!("../../dialects/tests/matrix/requests/converse.json"),
        include_str!("../../dialects/tests/matrix/requests/bedrock-text.json"),
        include_str!("../../dialects/tests/matrix/requests/conversation.json"),
        include_str!("../../dialects/tests/matrix/requests/conversation-chat.json"),
    ];
    let read = |file| match serde_json::from_str(file) {
        Ok(Value::Object(map)) => map.into_iter().map(|(_, request)| request).collect(),
        other => panic!("no object of requests: {other:?}"),
    };
    files.into_iter().map(read).collect()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = judge(&mut Unstructured::new(data));
});

fn judge(input: &mut Unstructured<'_>) -> Result<()> {
    let place = input.choose_index(SIDES.len())?;
    let client = &SIDES[place];
    let mut body = REQUESTS[place][0].clone();
    for _ in 0..input.int_in_range(0..=6)? {
        merge(&mut body, input.choose(&REQUESTS[place])?);
    }
    mutation::mutate(&mut body, input)?;
    if let Ok(request) = client.read(body.to_string().as_bytes()) {
        let upstream: &Side = input.choose(&SIDES)?;
        requests::written(client, upstream, &request);
        requests::written(client, client, &request);
    }
    Ok(())
}

/// Adds what a feature adds: objects member by member, `null` takes away.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    into.shift_remove(name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}
