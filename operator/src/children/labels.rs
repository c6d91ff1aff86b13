//! Labels and names that the operator's objects carry.

use std::collections::BTreeMap;

/// Names the LLMProxy, in the same namespace, that a Pod runs a proxy of.
pub const PROXY: &str = "dragoman.dev/proxy";
/// Selects everything that the operator made.
pub const OURS: &str = "app.kubernetes.io/managed-by=dragoman";
/// Who owns the fields that the operator sets.
pub const FIELD_MANAGER: &str = "dragoman-operator";

/// What the objects of an LLMProxy are called.
#[must_use]
pub fn object_name(proxy: &str) -> String {
    format!("dragoman-{proxy}")
}

/// Labels by which an LLMProxy's Pods are selected; they never change.
#[must_use]
pub fn selector(proxy: &str) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "dragoman-proxy"),
        ("app.kubernetes.io/instance", proxy),
        (PROXY, proxy),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The same as a selector in text.
#[must_use]
pub fn selector_text(proxy: &str) -> String {
    let pairs: Vec<String> = selector(proxy)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}

/// Labels of everything that an LLMProxy owns.
#[must_use]
pub fn of_proxy(proxy: &str) -> BTreeMap<String, String> {
    let mut labels = selector(proxy);
    labels.insert("app.kubernetes.io/managed-by".into(), "dragoman".into());
    labels
}
