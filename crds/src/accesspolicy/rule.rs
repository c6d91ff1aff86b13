//! Rules on requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;
use crate::duration::between;
use crate::form::form;

/// A rule on requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(self.action == 'SetModel') == has(self.model)",
    "message": "set model with action SetModel, and with no other"
}, {
    "rule": "(self.action == 'Set') == has(self.set)",
    "message": "set set with action Set, and with no other"
}, {
    "rule": "(self.action == 'Call') == has(self.call)",
    "message": "set call with action Call, and with no other"
}, {
    "rule": "!has(self.status) || self.action == 'Deny'",
    "message": "status is for action Deny; leave it out"
}, {
    "rule": "has(self.message) ? self.action in ['Deny', 'Respond'] : self.action != 'Respond'",
    "message": "set message with action Respond, which answers it, or with Deny, and with no other"
}]))]
pub struct Rule {
    /// The rule's name, which log, metrics and refusals quote.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = form(
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "write a rule's name with lower-case letters, digits and, between them, hyphens, such as no-secrets",
    )))]
    pub name: String,
    /// A CEL expression that must hold. It knows `request` (the body, null where it is no JSON), `headers` (lower-case names; credentials never), `user` (`name`, `groups`, `claims`;
    /// null for nobody), `client.address`, `route`, `model` and `now`. What is missing reads as null. Absent: the rule always applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
    /// What is done.
    pub action: RuleAction,
    /// The status of a refusal. Default 403.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 400, max = 599))]
    pub status: Option<i32>,
    /// What a refusal says, or the model seems to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub message: Option<String>,
    /// The model that is called instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub model: Option<String>,
    /// What is changed in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub set: Option<Vec<SetField>>,
    /// The service that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleAction {
    /// Admits the request; later rules are not looked at.
    Allow,
    /// Refuses it with `status` and `message`.
    Deny,
    /// Answers `message` in the model's place, as a reply of the client's dialect, streamed where a stream is asked for.
    Respond,
    /// Calls `model` instead. The name goes through the ModelMap like the client's.
    SetModel,
    /// Sets fields of the body.
    Set,
    /// Asks a service, which may refuse the request or change it.
    Call,
    /// Lets the header `x-dragoman-backend` choose one of the route's backends by its name. Without such a rule the header is taken off.
    AllowBackendHeader,
}

/// A field of the body, and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetField {
    /// Where it stands: names separated by dots, such as `temperature` or `metadata.team`. Objects on the way are made. `model` is set by SetModel.
    #[schemars(length(max = 256), extend("x-kubernetes-validations" = form(
        r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*){0,7}$",
        "write the names of fields with dots between them, such as metadata.team",
    )))]
    pub path: String,
    /// CEL that gives the value, with what `when` knows. Null takes the field away.
    #[schemars(length(min = 1, max = 1024))]
    pub expression: String,
}

/// A service that is asked, by a POST of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// The service's address. It is reached as backends are: not where the LLMProxy denies it.
    #[schemars(length(max = 2048), extend("x-kubernetes-validations" = form(
        r"^https?://[^\s/?#@]+(/[^\s#]*)?$",
        "write http:// or https://, a host and, where needed, port and path, such as http://guard.security.svc/check",
    )))]
    pub url: String,
    /// How long it may take. Default 1s, at most 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = between("1ms", "30s")))]
    pub timeout: Option<Duration>,
    /// What becomes of the request when the service cannot be reached or understood. Default Closed.
    #[serde(default)]
    pub failure: CallFailure,
}

/// What becomes of a request when the service that a rule asks fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CallFailure {
    /// It is refused with 503.
    #[default]
    Closed,
    /// It goes on as if the rule were not there.
    Open,
}
