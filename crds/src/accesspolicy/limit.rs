//! How much may be asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::between;
use crate::form::form;
use crate::{Duration, NameMatch};

/// A bound on requests, tokens or cost within a time, or on requests at once. Tokens and cost are reserved by an estimate (the prompt's bytes over four, and the tokens
/// that the request allows) and settled by what the model used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.requests), has(self.tokens), has(self.cost)].filter(x, x).size() <= 1",
    "message": "a limit counts one thing; write one limit for each of requests, tokens and cost"
}, {
    "rule": "has(self.requests) || has(self.tokens) || has(self.cost) || has(self.concurrency)",
    "message": "set requests, tokens, cost or concurrency"
}, {
    "rule": "(has(self.requests) || has(self.tokens) || has(self.cost)) ? (has(self.window) != has(self.calendar)) : !(has(self.window) || has(self.calendar))",
    "message": "requests, tokens and cost need exactly one of window and calendar; concurrency alone takes neither"
}]))]
pub struct Limit {
    /// Who has a count of their own.
    pub per: Per,
    /// Most requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000000))]
    pub requests: Option<i64>,
    /// Most tokens, of prompts and replies together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000000000_i64))]
    pub tokens: Option<i64>,
    /// Most money, by the `price` of backends' `catalog`, in its currency, such as `"25.00"`. A model without a price costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20), extend("x-kubernetes-validations" = form(
        r"^[0-9]{1,9}(\.[0-9]{1,6})?$",
        "write an amount with at most six decimals in quotes, such as \"25.00\"",
    )))]
    pub cost: Option<String>,
    /// The time within which they count. It slides: a request is counted until it is this old, exact to a 64th of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = between("1s", "744h")))]
    pub window: Option<Duration>,
    /// The day or month (UTC) within which they count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
    /// Most requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub concurrency: Option<i32>,
    /// The models, by the names that clients use and, in a backend's policy, the backend's own, whose requests count. Absent: all requests, those without a model too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub models: Option<Vec<NameMatch>>,
}

/// Who has a count of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Per {
    /// Each credential; callers without one by their address.
    Key,
    /// Each user; callers who are nobody by their address.
    User,
    /// Each address; an IPv6 address stands for its /64.
    Address,
    /// Each route.
    Route,
    /// Each namespace of routes.
    Namespace,
}

/// A day or a month of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Calendar {
    /// From midnight to midnight.
    Day,
    /// From the first to the last day.
    Month,
}
