//! Headers that requests to an upstream carry.

use serde_json::json;

use super::objects::*;
use crate::Item;

#[test]
fn a_header_is_a_credential_but_where_its_name_is_harmless_and_its_value_no_secret() {
    let mut world = cluster();
    let from_secret = json!({"secretRef": {"name": "key", "key": "token"}});
    let headers = json!([
        {"name": "User-Agent", "value": "team-a"},
        {"name": "Anthropic-Version", "value": "2023-06-01"},
        {"name": "OpenAI-Project", "valueFrom": from_secret},
        {"name": "X-Signature", "valueFrom": from_secret},
        {"name": "Authorization", "value": "Bearer written-out"},
        {"name": "Ocp-Apim-Subscription-Key", "value": "written-out"},
        {"name": "CF-Access-Client-Secret", "value": "written-out"},
        {"name": "X-Team", "value": "a"},
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
            ("user-agent", false),
            ("anthropic-version", false),
            ("openai-project", true),
            ("x-signature", true),
            ("authorization", true),
            ("ocp-apim-subscription-key", true),
            ("cf-access-client-secret", true),
            ("x-team", true),
        ]
    );
}
