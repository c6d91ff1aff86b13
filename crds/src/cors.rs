//! What pages of other origins may do with a route in a browser.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;
use crate::duration::at_most;
use crate::form::each;

/// What pages of other origins may do with a route in a browser. Preflights are answered without authentication; credentials of the browser's own (cookies) are never allowed.
///
/// Source: [the CORS protocol](https://fetch.spec.whatwg.org/#http-cors-protocol).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cors {
    /// Origins whose pages may call: a scheme, a host and, where needed, a port, such as `https://chat.example.com`; `https://*.example.com` for all hosts below one; `*` for all.
    #[schemars(
        length(min = 1, max = 64),
        inner(length(max = 512)),
        transform = each(
            r"^(\*|[a-z][a-z0-9+.-]*://(\*\.)?[a-z0-9._-]+(:[0-9]{1,5})?)$",
            "write an origin in lower case, such as https://chat.example.com, https://*.example.com or *; leave out the path",
        ),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub allow_origins: Vec<String>,
    /// Headers that such a page may send. Absent: those that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(max = 128)),
        transform = each("^[A-Za-z0-9!#$%&'*+.^_|~-]+$", "write a header's name alone, such as x-team"),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub allow_headers: Option<Vec<String>>,
    /// Methods that such a page may use. Default GET, HEAD, POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 9),
        inner(length(max = 16)),
        transform = each("^[A-Z]+$", "write HTTP methods in capitals, such as GET"),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub allow_methods: Option<Vec<String>>,
    /// How long a browser may keep what a preflight said. Default 10m, at most 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = at_most("24h")))]
    pub max_age: Option<Duration>,
}
