//! Names of the vendor's previews: the header `anthropic-beta` beside its own bodies, `anthropic_beta` in Bedrock's, which is the name of both in the
//! form's [`extra`](Request::extra).
//!
//! Sources: [beta headers](https://platform.claude.com/docs/en/api/beta-headers),
//! [Bedrock's](https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html).

use serde_json::Value;

use crate::form::Request;

/// The vendor's header.
pub const HEADER: &str = "anthropic-beta";

/// The field of Bedrock's bodies.
pub const FIELD: &str = "anthropic_beta";

/// What Bedrock documents. It refuses other names, which clients send whatever they ask for.
const BEDROCK: [&str; 11] = [
    "compact-2026-01-12",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-search-tool-2025-10-19",
];

/// The names in headers' values that Bedrock knows, as its field has them; none where there are none.
pub fn of_headers<'a>(values: impl Iterator<Item = &'a str>) -> Option<Value> {
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let known: Vec<_> = names.filter(|name| BEDROCK.contains(name)).collect();
    (!known.is_empty()).then(|| known.into())
}

/// The header's value for what a request's field says.
#[must_use]
pub fn header(request: &Request) -> Option<String> {
    let names = request.extra.get(FIELD)?.as_array()?;
    let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| names.join(","))
}
