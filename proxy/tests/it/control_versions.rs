//! An operator that is newer than the proxy, or older: what one does not understand spoils nothing else.

use dragoman_config::wire::Down;
use dragoman_config::{Key, Kind, hash};
use http::StatusCode;
use serde_json::{Value, json};

use crate::control_operator::{Answer, Pod, digest as digest_of, hashes, in_sync, transaction};
use crate::harness::{Items, Put, items, map, route};

fn chat() -> Key {
    Key::new(Kind::Route, "team-a", "chat")
}

fn with_route(name: &str) -> Items {
    items().put_route(name, route(Vec::new()))
}

/// `chat` as an operator puts it whose routes have a field that this version does not know.
fn newer_chat() -> Value {
    let held = with_route("chat");
    let mut item = serde_json::to_value(&held[&chat()]).unwrap();
    item["quotas"] = json!(["Quota/team-a/staff"]);
    json!({"name": chat(), "hash": "newer", "content": {"item": item}})
}

/// A transaction after which the proxy holds `versions`.
fn puts(put: &[Value], versions: &[(String, String)]) -> (Value, String) {
    let names = versions.iter().map(|(name, hash)| (name, hash.as_str()));
    let digest = hash::digest(names);
    let line = json!({"type": "transaction", "put": put, "digest": digest});
    (line, digest)
}

/// The versions of `held`, but for those of `instead`.
fn versions(held: &Items, instead: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut versions = hashes(held)
        .into_iter()
        .map(|(name, hash)| (name.to_string(), hash))
        .collect::<std::collections::BTreeMap<_, _>>();
    versions.extend(
        instead
            .iter()
            .map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())),
    );
    versions.into_iter().collect()
}

/// Why routes are closed.
fn closed(pod: &Pod) -> Vec<String> {
    let state = pod.shared.state();
    (state.routes.len()..)
        .map_while(|at| state.closed(at))
        .map(|closed| format!("{}: {}", closed.key, closed.fault.why))
        .collect()
}

#[tokio::test]
async fn an_item_of_a_newer_operator_keeps_its_previous_version_and_the_rest_of_the_edit_applies() {
    let held = with_route("chat");
    let (mut operator, _, pod, mut stream) = in_sync(&held).await;
    let both = with_route("chat").put_route("talk", route(Vec::new()));
    let talk = transaction(&with_route("talk"), &both).put;
    let talk = talk.iter().map(|put| serde_json::to_value(put).unwrap());
    let put: Vec<_> = [newer_chat()].into_iter().chain(talk).collect();
    let after = versions(&both, &[("LLMRoute/team-a/chat", "newer")]);
    let (line, digest) = puts(&put, &after);
    stream.send_json(&line);
    let report = stream.report().await;
    assert_eq!(report.digest, digest);
    assert_eq!(report.refused.len(), 1, "{report:?}");
    let why = &report.refused[&chat()];
    assert!(why.contains("unknown field `quotas`"), "{why}");
    assert_eq!(pod.routes(), ["team-a/chat", "team-a/talk"]);
    // What was refused is claimed all the same, and refused again.
    drop(stream);
    let mut again = operator.stream().await;
    assert_eq!(again.hello.items[&chat()], "newer");
    again.send(&Down::Synced);
    assert_eq!(again.report().await.refused, report.refused);
    let cured = again.put(&with_route("chat"), &both);
    let report = again.report().await;
    assert_eq!((report.digest, report.refused.len()), (cured, 0));
}

#[tokio::test]
async fn an_item_of_a_newer_operator_that_never_was_readable_fails_closed_and_survives_a_restart() {
    let held = items();
    let (operator, _, mut pod, mut stream) = in_sync(&held).await;
    let after = versions(&held, &[("LLMRoute/team-a/chat", "newer")]);
    let (line, digest) = puts(&[newer_chat()], &after);
    stream.send_json(&line);
    let report = stream.report().await;
    assert_eq!(report.digest, digest);
    assert!(report.refused.contains_key(&chat()));
    assert_eq!(pod.routes(), Vec::<String>::new());
    let before = closed(&pod);
    assert!(
        before[0].starts_with("team-a/chat: proxy version"),
        "{before:?}"
    );
    let snapshot = pod.path("snapshot/config.json");
    crate::control_files::until(|| {
        std::fs::read_to_string(&snapshot).is_ok_and(|text| text.contains("newer"))
    })
    .await;
    drop(stream);
    pod.start(operator.address);
    assert_eq!(closed(&pod), before);
}

#[tokio::test]
async fn items_of_an_unknown_kind_are_refused_by_name_and_keep_the_two_together() {
    let held = with_route("chat");
    let (mut operator, _, _pod, mut stream) = in_sync(&held).await;
    let name = "Quota/team-a/staff";
    let policy = json!({"name": name, "hash": "p", "content": {"item": {"kind": "Quota"}}});
    let (line, digest) = puts(&[policy], &versions(&held, &[(name, "p")]));
    stream.send_json(&line);
    let report = stream.report_json().await;
    assert_eq!(report["digest"], digest);
    let why = report["refused"][name].as_str().unwrap();
    assert!(why.contains("its kind is unknown"), "{report}");
    // The next stream may be an older operator's, so it is not named there.
    drop(stream);
    let mut again = operator.stream().await;
    assert_eq!(again.hello.items, hashes(&held));
    again.send_json(&line);
    again.send(&Down::Synced);
    assert_eq!(again.report_json().await["digest"], digest);
    let after = transaction(&Items::new(), &held);
    let mut gone = serde_json::to_value(Down::Transaction(after)).unwrap();
    gone["delete"] = json!([name]);
    again.send_json(&gone);
    let report = again.report().await;
    assert_eq!(report.digest, digest_of(&held));
    assert_eq!(report.refused.len(), 0);
}

#[tokio::test]
async fn what_a_newer_operator_says_besides_is_passed_over() {
    let held = with_route("chat");
    let (_operator, _, pod, mut stream) = in_sync(&held).await;
    stream.send_json(&json!({"type": "advice", "text": {"en": "rest"}}));
    let after = with_route("talk");
    let mut edit = serde_json::to_value(Down::Transaction(transaction(&after, &after))).unwrap();
    edit["delete"] = json!([chat()]);
    edit["reason"] = json!("a rename");
    stream.send_json(&edit);
    assert_eq!(stream.report().await.digest, digest_of(&after));
    assert_eq!(pod.routes(), ["team-a/talk"]);
}

#[tokio::test]
async fn a_proxy_whose_claims_cannot_be_read_claims_nothing_and_syncs() {
    let held = with_route("chat");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    operator.next_answer(Answer::Refuse(
        StatusCode::BAD_REQUEST,
        "a name in the hello is unknown",
    ));
    drop(stream);
    let mut again = operator.stream().await;
    assert!(again.hello.items.is_empty());
    assert_eq!(pod.routes(), ["team-a/chat"]);
    let digest = again.put(&held, &held);
    again.send(&Down::Synced);
    assert_eq!(again.report().await.digest, digest);
}

#[tokio::test]
async fn a_proxy_with_more_items_than_a_hello_may_name_claims_nothing_and_syncs() {
    // As long as an object's name may be, so that few suffice.
    let long = "x".repeat(240);
    let mut held = with_route("chat");
    for number in 0..6_500 {
        held = held.put_map(&format!("{long}{number}"), map());
    }
    let claims: usize = hashes(&held)
        .iter()
        .map(|(name, hash)| name.to_string().len() + hash.len())
        .sum();
    assert!(claims > dragoman_config::wire::LONGEST_HELLO, "{claims}");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    drop(stream);
    let mut again = operator.stream().await;
    assert!(again.hello.items.is_empty());
    assert_eq!(pod.routes(), ["team-a/chat"], "it serves meanwhile");
    // As the operator does it: all, in transactions of a few megabytes.
    let all: Vec<_> = held.iter().collect();
    let (one, two) = all.split_at(all.len() / 2);
    let part = |part: &[(&Key, &std::sync::Arc<dragoman_config::Item>)]| -> Items {
        part.iter()
            .map(|(name, item)| ((*name).clone(), (*item).clone()))
            .collect()
    };
    again.put(&part(one), &part(one));
    let digest = again.put(&part(two), &held);
    again.send(&Down::Synced);
    assert_eq!(again.report().await.digest, digest);
}
