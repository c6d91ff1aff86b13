use serde_json::json;

use super::*;

fn proxy_item() -> Value {
    json!({
        "kind": "LLMProxy", "cluster_domain": "cluster.local", "denied_cidrs": [], "deny_loopback": true,
        "body_bytes": 1, "header_bytes": 1, "log_level": null,
    })
}

fn put(name: &str, content: &Value) -> Value {
    json!({"name": name, "hash": "h", "content": content})
}

/// What becomes of these puts in one transaction.
fn puts(put: &[Value]) -> Vec<Change> {
    let line = json!({"type": "transaction", "put": put, "digest": "d"}).to_string();
    match read(line.as_bytes()).unwrap() {
        Message::Transaction(changes) => changes.put,
        other => panic!("no transaction: {other:?}"),
    }
}

/// Why an LLMProxy of this content cannot be read.
fn unreadable(content: &Value) -> String {
    let mut changes = puts(&[put("LLMProxy/n/p", content)]);
    match changes.remove(0).content {
        Content::Unreadable(why) => why,
        other => panic!("readable: {other:?}"),
    }
}

#[test]
fn one_item_that_cannot_be_read_spoils_no_other() {
    let mut newer = proxy_item();
    newer["header_bytes"] = json!({"each": 1, "all": 2});
    let changes = puts(&[
        put("LLMProxy/n/newer", &json!({"item": newer})),
        put("LLMProxy/n/known", &json!({"item": proxy_item()})),
        put("LLMProxy/n/sealed", &json!({"sealed": "AAEC"})),
        put("LLMProxy/n/broken", &json!({"invalid": "bad regex"})),
    ]);
    let known: Item = serde_json::from_value(proxy_item()).unwrap();
    assert!(matches!(changes[0].content, Content::Unreadable(_)));
    assert_eq!(changes[1].content, Content::Item(Arc::new(known)));
    assert!(matches!(changes[2].content, Content::Unreadable(_)));
    assert_eq!(changes[3].content, Content::Invalid("bad regex".into()));
    assert!(changes.iter().all(|change| change.hash == "h"));
}

#[test]
fn an_item_with_an_unknown_field_is_not_run_since_the_field_may_restrict_it() {
    let mut newer = proxy_item();
    newer["fences"] = json!(["AccessPolicy/n/a"]);
    let why = unreadable(&json!({"item": newer}));
    assert!(why.contains("unknown field `fences`"), "{why}");
    assert!(
        why.contains("run proxies of the operator's version"),
        "{why}"
    );
    // Null is how a newer operator says that an item does not use what is new.
    newer["fences"] = Value::Null;
    let changes = puts(&[put("LLMProxy/n/p", &json!({"item": newer}))]);
    assert!(matches!(changes[0].content, Content::Item(_)));
}

#[test]
fn an_unknown_field_is_found_however_deep() {
    let came = json!({"a": [{"b": 1}, {"b": 2, "c": {"d": 3}}], "e": null});
    assert_eq!(lost(&came, &came), None);
    assert_eq!(
        lost(&came, &json!({"a": [{"b": 1}, {"b": 2, "c": {}}]})),
        Some("a.1.c.d".into())
    );
    assert_eq!(lost(&came, &json!({"a": [{"b": 1}]})), Some("a.1".into()));
}

#[test]
fn an_items_content_must_be_of_its_names_kind() {
    let mut changes = puts(&[put("LLMRoute/n/p", &json!({"item": proxy_item()}))]);
    let Content::Unreadable(why) = changes.remove(0).content else {
        panic!("readable")
    };
    assert!(why.contains("another kind"), "{why}");
    assert!(unreadable(&json!({"item": {"kind": "LLMOracle"}})).contains("unknown variant"));
}

#[test]
fn names_of_unknown_kinds_are_kept_as_they_are() {
    let line = br#"{"type":"transaction","put":[{"name":"LLMOracle/n/o","hash":"h","content":{"item":{}}}],
        "delete":["LLMOracle/n/x","LLMRoute/n/r"],"digest":"d","patience":7}"#;
    let Message::Transaction(changes) = read(line).unwrap() else {
        panic!("no transaction")
    };
    assert_eq!(changes.put[0].name, Name::Foreign("LLMOracle/n/o".into()));
    let route = Key::new(Kind::Route, "n", "r");
    assert_eq!(
        changes.delete,
        [Name::Foreign("LLMOracle/n/x".into()), Name::Known(route)]
    );
}

#[test]
fn an_item_without_a_name_is_left_out_and_the_rest_is_read() {
    let nameless = json!({"hash": "h", "content": {"item": {}}});
    let known = put("LLMProxy/n/p", &json!({"item": proxy_item()}));
    assert_eq!(puts(&[nameless, known]).len(), 1);
}

#[test]
fn messages_of_unknown_types_are_passed_over() {
    let line = br#"{"type":"dance","tempo":{"bpm":120}}"#;
    assert_eq!(read(line), Ok(Message::Unknown("dance".into())));
    let line = br#"{"type":"logbook","places":[]}"#;
    assert_eq!(read(line), Ok(Message::Unknown("logbook".into())));
    assert!(read(br#"{"type":"transaction"}"#).is_err(), "no digest");
    assert!(read(b"[]").is_err());
}

#[test]
fn items_that_use_every_field_are_read_as_they_were_sent() {
    let backend = json!({
        "kind": "LLMBackend",
        "url": {"tls": true, "host": "llm.example", "port": 443, "path": "/v1"},
        "credential": {"key": "sk-1"},
        "catalog": [{"name": "a", "upstream_name": "b", "context_length": 8192, "metadata": {"x": [null, {"y": 1.5}]}}],
        "relay": [{"methods": ["GET"], "path": "/files", "below": true}],
        "headers": [{"name": "x-team", "value": "a", "secret": true}],
        "timeouts": {"connect_ms": 1, "first_byte_ms": 2, "idle_ms": 3, "request_ms": 4},
        "retries": {"attempts": 2, "on": ["ConnectFailure"]},
        "health": {"path": "/health", "interval_ms": 1000, "unhealthy_after": 3},
        "tls": {"ca_pem": "PEM", "server_name": "llm"},
        "max_concurrency": 7,
    });
    let map = json!({
        "kind": "ModelMap",
        "rules": [{
            "match": {"regex": "gpt-(.*)"}, "when": "true", "target": {"model": "$1", "backend": "a"},
            "fallbacks": [{"model": "b"}], "defaults": {"seed": null}, "overrides": {"stop": ["a"]},
        }],
        "matching": "IgnoreCase", "unmatched": "Reject",
        "list": {
            "names": {"allow": [{"exact": "a"}], "deny": [{"regex": "b"}]}, "matching": "Exact",
            "enforce": false, "first": ["a"], "cache_ttl_ms": 5,
        },
        "reply_model": "Requested",
    });
    let route = json!({
        "kind": "LLMRoute",
        "hostnames": ["chat.example"],
        "model_map": {"item": "ModelMap/n/m"},
        "backends": [
            {"name": "a", "target": {"inline": backend_of(&backend)}, "prefix": "a/",
             "models": {"allow": [{"exact": "x"}]}, "priority": 1, "weight": 2},
            {"name": "b", "target": {"unresolved": "why"}, "prefix": "", "models": {}, "priority": 0, "weight": 1},
        ],
        "thinking": {"text": "Extract", "tags": [{"open": "<t>", "close": "</t>"}], "startsOpen": true, "fields": "Drop"},
    });
    for (name, came) in [
        ("LLMBackend/n/b", backend),
        ("ModelMap/n/m", map),
        ("LLMRoute/n/r", route),
    ] {
        let item = Item::deserialize(&came).unwrap();
        // What an operator sends is an item of this type, written out.
        let sent = serde_json::to_value(&item).unwrap();
        assert_eq!(lost(&came, &sent), None, "{name}");
        let changes = puts(&[put(name, &json!({"item": sent}))]);
        assert_eq!(changes[0].content, Content::Item(Arc::new(item)), "{name}");
    }
}

/// An inline backend has no kind of its own.
fn backend_of(backend: &Value) -> Value {
    let mut backend = backend.clone();
    backend.as_object_mut().unwrap().remove("kind");
    backend
}
