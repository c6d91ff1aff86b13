//! Headers that requests to an upstream carry.

use serde_json::json;

use super::objects::*;
use crate::Item;

#[test]
fn a_header_from_a_secret_or_with_a_credentials_name_is_marked_as_one() {
    let mut world = cluster();
    let from_secret = json!({"secretRef": {"name": "key", "key": "token"}});
    let headers = json!([
        {"name": "X-Team", "value": "a"},
        {"name": "X-Signature", "valueFrom": from_secret},
        {"name": "Authorization", "value": "Bearer written-out"},
    ]);
    fill(
        &mut world,
        [
            secret("team-a/key", "sk-1"),
            backend(
                "team-a/vllm",
                json!({"url": "http://vllm", "headers": headers}),
            ),
        ],
    );
    let Ok(item) = &outcome(&world, "LLMBackend/team-a/vllm").item else {
        panic!("no item")
    };
    let Item::Backend(item) = &**item else {
        panic!("no backend")
    };
    let marks: Vec<_> = item
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.secret))
        .collect();
    assert_eq!(
        marks,
        [
            ("x-team", false),
            ("x-signature", true),
            ("authorization", true)
        ]
    );
}
