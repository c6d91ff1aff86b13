//! Operators that misbehave, and clocks that do: the proxy serves what it has and finds its way back.

use dragoman_config::wire::{Down, Transaction};

use crate::control_operator::{
    Answer, Authority, Operator, Pod, digest, hashes, in_sync, transaction,
};
use crate::harness::{Items, Put, items, route};

fn with_route(name: &str) -> Items {
    items().put_route(name, route(Vec::new()))
}

#[tokio::test]
async fn an_operator_that_redirects_to_itself_is_not_followed_for_ever() {
    let held = with_route("chat");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    // More than one dial follows.
    for _ in 0..7 {
        let itself = format!("https://localhost:{}/v1/stream", operator.address.port());
        operator.next_answer(Answer::Redirect(itself));
    }
    drop(stream);
    let stream = operator.stream().await;
    assert_eq!(stream.hello.items, hashes(&held));
    assert_eq!(pod.routes(), ["team-a/chat"]);
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_no_end() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    for nowhere in ["http://127.0.0.1:1/v1/stream", "/elsewhere", "https://"] {
        operator.next_answer(Answer::Redirect(nowhere.into()));
    }
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    assert_eq!(operator.stream().await.hello.pod, "pod-1");
}

#[tokio::test]
async fn an_operator_that_never_answers_is_dialled_again() {
    let held = with_route("chat");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    operator.next_answer(Answer::Never);
    drop(stream);
    let stream = operator.stream().await;
    assert_eq!(stream.hello.items, hashes(&held));
    assert_eq!(pod.routes(), ["team-a/chat"]);
}

#[tokio::test]
async fn a_first_sync_whose_digest_is_wrong_is_served_and_the_next_edit_brings_everything() {
    let authority = Authority::new();
    let mut operator = Operator::start(&authority).await;
    let mut pod = Pod::new(&authority);
    pod.start(operator.address);
    let mut stream = operator.stream().await;
    let held = with_route("chat");
    let wrong = Transaction {
        digest: "of something else".into(),
        ..transaction(&held, &held)
    };
    stream.send(&Down::Transaction(wrong.clone()));
    stream.send(&Down::Synced);
    assert_eq!(stream.report().await.digest, wrong.digest);
    assert!(pod.shared.is_ready());
    assert_eq!(pod.routes(), ["team-a/chat"]);
    stream.send(&Down::Transaction(wrong));
    let mut again = operator.stream().await;
    assert!(again.hello.items.is_empty());
    assert_eq!(pod.routes(), ["team-a/chat"]);
    again.put(&held, &held);
    again.send(&Down::Synced);
    assert_eq!(again.report().await.digest, digest(&held));
}

#[tokio::test]
async fn an_authority_whose_predecessor_is_gone_is_read_from_its_file() {
    let held = with_route("chat");
    let (mut operator, _, pod, stream) = in_sync(&held).await;
    let successor = Authority::new();
    operator.change_authority(&successor);
    drop(stream);
    operator.until_distrusted().await;
    assert_eq!(pod.routes(), ["team-a/chat"]);
    // As the kubelet does it: beside it, then in its place.
    std::fs::write(pod.path("ca.next"), successor.pem()).unwrap();
    std::fs::rename(pod.path("ca.next"), pod.path("ca")).unwrap();
    assert_eq!(operator.stream().await.hello.items, hashes(&held));
}

#[tokio::test]
async fn a_clock_that_jumped_back_costs_the_stream_and_nothing_else() {
    let held = with_route("chat");
    let (mut operator, authority, pod, stream) = in_sync(&held).await;
    operator.be_ahead(&authority);
    drop(stream);
    operator.until_distrusted().await;
    assert!(pod.shared.is_ready());
    assert_eq!(pod.routes(), ["team-a/chat"]);
    operator.change_authority(&authority);
    assert_eq!(operator.stream().await.hello.items, hashes(&held));
}

#[tokio::test]
async fn another_llm_proxys_snapshot_is_not_served() {
    let held = with_route("chat");
    let (operator, _, mut pod, stream) = in_sync(&held).await;
    let snapshot = pod.path("snapshot/config.json");
    crate::control_operator::until_exists(&snapshot).await;
    let text = std::fs::read_to_string(&snapshot).unwrap();
    let other = text.replacen("dragoman/default", "team-b/edge", 1);
    assert_ne!(text, other);
    std::fs::write(&snapshot, other).unwrap();
    drop(stream);
    pod.start(operator.address);
    assert!(!pod.shared.is_ready());
    assert_eq!(pod.routes(), Vec::<String>::new());
}
