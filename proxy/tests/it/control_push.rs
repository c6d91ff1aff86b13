//! Config from the operator: the first sync, edits, breaks, restarts, certificates.

use dragoman_config::wire::{Content, Down, Put as Sent, Transaction};
use dragoman_config::{HealthItem, Key, Kind};
use dragoman_crds::BackendHealth;
use http::StatusCode;

use crate::control_files::until;
use crate::control_operator::{
    Answer, Authority, Operator, Pod, Served, digest, hashes, in_sync, transaction, until_exists,
};
use crate::harness::{Items, Put, backend_nowhere, entry, items, route};

fn with_route(name: &str) -> Items {
    items().put_route(name, route(Vec::new()))
}

#[tokio::test]
async fn a_proxy_is_ready_when_the_first_sync_ends_and_not_before() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    let mut stream = operator.stream().await;
    assert_eq!(stream.authorization, "Bearer token-1");
    assert_eq!(
        (stream.hello.proxy.as_str(), stream.hello.pod.as_str()),
        ("dragoman/default", "pod-1")
    );
    assert!(stream.hello.items.is_empty());
    let (first, all) = (items(), with_route("chat"));
    stream.put(&first, &first);
    let digest = stream.put(&with_route("chat"), &all);
    assert!(!pod.shared.is_ready());
    stream.send(&Down::Synced);
    assert_eq!(stream.report().await.digest, digest);
    assert!(pod.shared.is_ready());
    assert_eq!(pod.routes(), ["team-a/chat"]);
}

#[tokio::test]
async fn an_edit_is_applied_whole_and_reported() {
    let before = with_route("chat");
    let (_operator, _, pod, mut stream) = in_sync(&before).await;
    let after = with_route("talk");
    let mut edit = transaction(&after, &after);
    edit.delete = vec![Key::new(Kind::Route, "team-a", "chat")];
    stream.send(&Down::Transaction(edit));
    assert_eq!(stream.report().await.digest, digest(&after));
    assert_eq!(pod.routes(), ["team-a/talk"]);
}

#[tokio::test]
async fn an_item_that_no_longer_compiles_goes_on_as_it_was() {
    let held = with_route("chat");
    let (_operator, _, pod, mut stream) = in_sync(&held).await;
    let name = Key::new(Kind::Route, "team-a", "chat");
    let content = Content::Invalid("spec.backends[0]: bad regex".into());
    let put = vec![Sent {
        name,
        hash: "x".into(),
        content,
    }];
    // A digest of anything else than what is held ends the stream, so it is taken from what was put.
    let mut versions = hashes(&held);
    versions.insert(put[0].name.clone(), "x".into());
    let digest =
        dragoman_config::hash::digest(versions.iter().map(|(key, hash)| (key, hash.as_str())));
    stream.send(&Down::Transaction(Transaction {
        put,
        digest: digest.clone(),
        ..Transaction::default()
    }));
    assert_eq!(stream.report().await.digest, digest);
    assert_eq!(pod.routes(), ["team-a/chat"]);
}

#[tokio::test]
async fn after_a_break_the_proxy_claims_what_it_has_and_serves_meanwhile() {
    let held = with_route("chat");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    drop(stream);
    let mut again = operator.stream().await;
    assert_eq!(again.hello.items, hashes(&held));
    assert!(pod.shared.is_ready());
    // Nothing is new, and still the operator hears of us.
    again.send(&Down::Synced);
    assert_eq!(again.report().await.digest, digest(&held));
    again.send(&Down::Goodbye);
    assert_eq!(operator.stream().await.hello.items, hashes(&held));
}

#[tokio::test]
async fn when_the_two_have_come_apart_everything_is_sent_again() {
    let held = with_route("chat");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    let other = with_route("talk");
    stream.send(&Down::Transaction(transaction(&Items::new(), &other)));
    let mut again = operator.stream().await;
    assert!(again.hello.items.is_empty());
    assert_eq!(pod.routes(), ["team-a/chat"]);
    again.put(&other, &other);
    again.send(&Down::Synced);
    again.report().await;
    assert_eq!(pod.routes(), ["team-a/talk"]);
}

#[tokio::test]
async fn a_standby_leads_to_the_leader() {
    let authority = Authority::new();
    let standby = Operator::start(&authority).await;
    let mut leader = Operator::start(&authority).await;
    // An address, as pods have it; what is proven is the name that we were told of.
    standby.next_answer(Answer::Redirect(format!(
        "https://{}/v1/stream",
        leader.address
    )));
    let mut pod = Pod::new(&authority);
    pod.start(standby.address);
    assert_eq!(leader.stream().await.hello.pod, "pod-1");
}

#[tokio::test]
async fn a_standby_that_takes_over_from_a_lost_leader_is_found() {
    let authority = Authority::new();
    let mut standby = Operator::start(&authority).await;
    // Port 1 is reserved, and no test machine serves it.
    standby.next_answer(Answer::Redirect("https://127.0.0.1:1/v1/stream".into()));
    standby.next_answer(Answer::Refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        "nobody leads",
    ));
    let mut pod = Pod::new(&authority);
    pod.start(standby.address);
    assert_eq!(standby.stream().await.hello.pod, "pod-1");
}

#[tokio::test]
async fn a_refused_proxy_tries_again_with_the_token_of_that_moment() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    operator.next_answer(Answer::Refuse(
        StatusCode::UNAUTHORIZED,
        "the token has expired",
    ));
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    operator.until_refused(1).await;
    std::fs::write(pod.path("token"), "token-2").unwrap();
    let renewed = |stream: &Served| stream.authorization == "Bearer token-2";
    operator.stream_that("brings the new token", renewed).await;
}

#[tokio::test]
async fn who_cannot_prove_to_be_the_operator_is_told_nothing() {
    let authority = Authority::new();
    let mut operator = Operator::start(&Authority::new()).await;
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    operator.until_distrusted().await;
    assert!(!pod.shared.is_ready());
    operator.change_authority(&authority);
    assert_eq!(operator.stream().await.authorization, "Bearer token-1");
}

#[tokio::test]
async fn a_successor_of_the_authority_is_believed_before_its_file_arrives() {
    let held = items();
    let (mut operator, _, _pod, mut stream) = in_sync(&held).await;
    let successor = Authority::new();
    let mut announced = transaction(&Items::new(), &held);
    announced.ca_pem = Some(successor.pem());
    stream.send(&Down::Transaction(announced));
    stream.report().await;
    operator.change_authority(&successor);
    stream.send(&Down::Goodbye);
    assert_eq!(operator.stream().await.hello.items, hashes(&held));
}

#[tokio::test]
async fn a_restarted_container_serves_with_the_operator_away() {
    let held = with_route("chat");
    let (mut operator, authority, mut pod, stream) = in_sync(&held).await;
    until_exists(&pod.path("snapshot/config.json")).await;
    let address = operator.address;
    drop(stream);
    operator.change_authority(&Authority::new());
    pod.start(address);
    assert!(pod.shared.is_ready(), "ready before any operator answers");
    assert_eq!(pod.routes(), ["team-a/chat"]);
    operator.until_distrusted().await;
    operator.change_authority(&authority);
    let stream = operator.stream().await;
    assert_eq!(stream.hello.items, hashes(&held));
}

#[tokio::test]
async fn a_damaged_snapshot_is_no_config() {
    let held = with_route("chat");
    let (mut operator, _, mut pod, stream) = in_sync(&held).await;
    let snapshot = pod.path("snapshot/config.json");
    until_exists(&snapshot).await;
    std::fs::write(&snapshot, "{").unwrap();
    drop(stream);
    let address = operator.address;
    // Whoever dials from now on is the new container.
    pod.start(address);
    assert!(!pod.shared.is_ready());
    let new = |stream: &Served| stream.hello.items.is_empty();
    let stream = operator.stream_that("claims nothing", new).await;
    stream.put(&held, &held);
    stream.send(&Down::Synced);
    until(|| pod.shared.is_ready()).await;
}

#[tokio::test]
async fn the_snapshot_follows_edits() {
    let before = with_route("chat");
    let (_operator, _, pod, stream) = in_sync(&before).await;
    let snapshot = pod.path("snapshot/config.json");
    until_exists(&snapshot).await;
    let both = with_route("chat").put_route("talk", route(Vec::new()));
    stream.put(&both, &both);
    until(|| {
        std::fs::read_to_string(&snapshot)
            .unwrap()
            .contains("LLMRoute/team-a/talk")
    })
    .await;
}

#[tokio::test]
async fn a_backend_that_falls_ill_is_reported() {
    let simulator = crate::harness::simulator().await;
    let mut nowhere = backend_nowhere(&simulator);
    nowhere.health = Some(HealthItem {
        path: "/health".into(),
        interval_ms: 20,
        unhealthy_after: 1,
    });
    let held = items().put_route("chat", route(vec![entry("gone", nowhere)]));
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    let mut stream = operator.stream().await;
    stream.put(&held, &held);
    stream.send(&Down::Synced);
    // The first report may know already.
    let report = stream
        .report_that("tells of an ill backend", |report| {
            let mut backends = report.backends.iter();
            backends.any(|backend| backend.health == BackendHealth::Unhealthy)
        })
        .await;
    assert_eq!(
        report.backends[0].item,
        Key::new(Kind::Route, "team-a", "chat")
    );
    assert_eq!(report.backends[0].backend.as_deref(), Some("gone"));
}
