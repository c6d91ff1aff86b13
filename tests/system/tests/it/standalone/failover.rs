//! Which backend answers when there are several, when one is away, ill or busy, and when the client leaves (features A12, A20; design §4).

use std::time::Duration;

use dragoman_simulator::{Simulator, State};
use dragoman_system::eventually;
use futures::StreamExt;
use http::{Method, StatusCode};

use super::manifests::{backend, nobody, posts, received, route, route_to, simple, simulator};
use super::proxy::{Proxy, chat, streamed};

/// The route `chat` to two backends, with further lines of the spec of the first, and fields of each entry.
fn two(first: &str, more: &str, second: &str, entries: [&str; 2]) -> String {
    backend("main", first, more)
        + &backend("other", second, "")
        + &route_to(
            &format!(
                "- {{name: main, backendRef: {{name: main}}, {}}}\n- {{name: other, backendRef: {{name: other}}, {}}}",
                entries[0], entries[1]
            ),
            "",
        )
}

const IN_ORDER: [&str; 2] = ["priority: 0", "priority: 1"];

/// Two simulators that list this model.
async fn pair(model: &str) -> (Simulator, Simulator) {
    let (first, second) = (simulator().await, simulator().await);
    first.set_models([model]);
    second.set_models([model]);
    (first, second)
}

/// The same, of which the first fails so many times and the second never (any more).
async fn ill_and_well(fault: &str, times: usize) -> (Simulator, Simulator, String) {
    let model = format!("{fault}+times-{times}");
    let (first, second) = pair(&model).await;
    let url = format!("{}/chat/completions", second.url());
    let http = super::proxy::client();
    for _ in 0..times {
        let _failed = super::proxy::try_answer(http.post(&url).json(&chat(&model, "x"))).await;
    }
    (first, second, model)
}

#[tokio::test]
async fn the_lowest_priority_answers_while_it_can() {
    let (first, second) = pair("echo").await;
    let proxy = Proxy::start(&two(
        &first.url(),
        "",
        &second.url(),
        ["priority: 5", "priority: 2"],
    ))
    .await;
    for _ in 0..10 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
    assert_eq!((posts(&first).len(), posts(&second).len()), (0, 10));
}

#[tokio::test]
async fn equals_share_by_weight_and_weight_0_is_for_need_only() {
    let (first, second) = pair("echo").await;
    let spare = simulator().await;
    spare.set_models(["echo"]);
    let manifest = backend("main", &first.url(), "")
        + &backend("other", &second.url(), "")
        + &backend("spare", &spare.url(), "")
        + &route_to(
            "- {name: main, backendRef: {name: main}, weight: 3}\n- {name: other, backendRef: {name: other}, weight: 1}\n- {name: spare, backendRef: {name: spare}, weight: 0}",
            "",
        );
    let proxy = Proxy::start(&manifest).await;
    for _ in 0..400 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
    let shares = (
        posts(&first).len(),
        posts(&second).len(),
        posts(&spare).len(),
    );
    // Five standard deviations around 300.
    assert!(
        (255..=345).contains(&shares.0) && shares.0 + shares.1 == 400 && shares.2 == 0,
        "{shares:?}"
    );
    first.shutdown().await;
    second.shutdown().await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    assert_eq!(posts(&spare).len(), 1);
}

#[tokio::test]
async fn another_backend_answers_for_one_that_is_away_or_overloaded() {
    for fault in [
        "status-429",
        "status-502",
        "status-503",
        "status-504",
        "drop",
    ] {
        let (first, second, model) = ill_and_well(fault, 1).await;
        let proxy = Proxy::start(&two(&first.url(), "", &second.url(), IN_ORDER)).await;
        let reply = proxy.chat(&model).await;
        assert_eq!(
            (reply.status, reply.content()),
            (200, "hello".into()),
            "{model}: {}",
            reply.text()
        );
        assert_eq!(
            (posts(&first).len(), posts(&second).len()),
            (1, 2),
            "{model}"
        );
    }
    let second = simulator().await;
    let proxy = Proxy::start(&two(
        &format!("http://{}/v1", nobody()),
        "",
        &second.url(),
        IN_ORDER,
    ))
    .await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    let proxy = Proxy::start(&two(
        "http://no-such-host.invalid/v1",
        "",
        &second.url(),
        IN_ORDER,
    ))
    .await;
    assert_eq!(proxy.stream("echo").await.content(), "hello");
}

#[tokio::test]
async fn nothing_is_sent_to_another_once_a_byte_went_to_the_client() {
    let (first, second) = pair("tokens-20+cut-5").await;
    let proxy = Proxy::start(&two(
        &first.url(),
        "retries: {attempts: 3, on: [Reset, Timeout, Unavailable]}",
        &second.url(),
        IN_ORDER,
    ))
    .await;
    let reply = proxy.stream("tokens-20+cut-5").await;
    assert_eq!(
        reply.chunks().last().unwrap()["error"]["code"],
        "upstream_cut"
    );
    assert_eq!((posts(&first).len(), posts(&second).len()), (1, 0));
}

#[tokio::test]
async fn a_backend_is_tried_again_as_its_retries_say() {
    let upstream = simulator().await;
    for (retries, model, status, tries) in [
        (
            "retries: {attempts: 2, on: [Unavailable]}",
            "status-503+times-2",
            200,
            3,
        ),
        (
            "retries: {attempts: 1, on: [Unavailable]}",
            "status-429+times-2",
            429,
            2,
        ),
        (
            "retries: {attempts: 2, on: [Reset]}",
            "drop+times-2",
            200,
            3,
        ),
        (
            "retries: {attempts: 1, on: [Timeout]}\ntimeouts: {firstByte: 150ms}",
            "hang+times-1",
            200,
            2,
        ),
        (
            "retries: {attempts: 5, on: [ConnectFailure]}",
            "status-503+times-2",
            503,
            1,
        ),
        (
            "retries: {attempts: 5, on: [Unavailable]}",
            "status-500+times-2",
            500,
            1,
        ),
        ("", "status-503+times-2", 503, 1),
    ] {
        upstream.clear();
        let proxy = Proxy::start(&(backend("main", &upstream.url(), retries) + &route(""))).await;
        let reply = proxy.chat(model).await;
        assert_eq!(
            (reply.status, posts(&upstream).len()),
            (status, tries),
            "{retries} {model}: {}",
            reply.text()
        );
        let bodies: Vec<_> = posts(&upstream)
            .into_iter()
            .map(|request| request.body)
            .collect();
        assert!(
            bodies.windows(2).all(|pair| pair[0] == pair[1]),
            "each try sends the same"
        );
    }
}

#[tokio::test]
async fn the_bound_on_requests_in_flight_is_exact_across_threads() {
    let upstream = simulator().await;
    let manifest = backend("main", &upstream.url(), "maxConcurrency: 3") + &route("");
    let proxy = Proxy::start(&manifest).await;
    // Each on a connection of its own, so that both threads serve some.
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let request = super::proxy::client().post(format!(
                "http://{}/routes/default/chat/v1/chat/completions",
                proxy.address
            ));
            tokio::spawn(super::proxy::answer(request.json(&chat("hang", "x"))))
        })
        .collect();
    let mut refused = 0;
    eventually("all but three are refused", || {
        let done = calls.iter().filter(|call| call.is_finished()).count();
        async move { if done == 9 { Ok(()) } else { Err(done) } }
    })
    .await;
    received(&upstream, |seen| seen.len() == 3).await;
    for call in calls {
        if call.is_finished() {
            let reply = call.await.unwrap();
            assert_eq!((reply.status, reply.code().as_str()), (503, "overloaded"));
            assert!(
                reply.header("retry-after").is_some()
                    && reply.header("x-should-retry") == Some("true")
            );
            refused += 1;
        } else {
            // The client leaves: the place is free again.
            call.abort();
        }
    }
    assert_eq!((refused, posts(&upstream).len()), (9, 3));
    eventually("a place is free again", || async {
        match proxy.chat("echo").await {
            reply if reply.status == 200 => Ok(()),
            reply => Err(reply.text()),
        }
    })
    .await;
}

#[tokio::test]
async fn a_backend_at_its_bound_is_passed_over() {
    let (first, second) = pair("echo").await;
    let proxy = Proxy::start(&two(
        &first.url(),
        "maxConcurrency: 1",
        &second.url(),
        IN_ORDER,
    ))
    .await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("hang", "x"));
    let held = tokio::spawn(request.send());
    received(&first, |seen| {
        seen.iter().any(|request| request.method == "POST")
    })
    .await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    assert_eq!(posts(&second).len(), 1);
    held.abort();
}

#[tokio::test]
async fn a_backend_that_fails_again_and_again_is_left_out() {
    let (first, second, model) = ill_and_well("status-503", 40).await;
    let proxy = Proxy::start(&two(&first.url(), "", &second.url(), IN_ORDER)).await;
    for _ in 0..40 {
        assert_eq!(proxy.chat(&model).await.status, 200);
    }
    // Three failures, and then another after one, two, four … seconds.
    assert!(
        (3..10).contains(&posts(&first).len()),
        "{}",
        posts(&first).len()
    );
}

#[tokio::test]
async fn a_backend_that_was_left_out_comes_back_once_it_answers() {
    let (first, second, model) = ill_and_well("status-503", 3).await;
    let proxy = Proxy::start(&two(&first.url(), "", &second.url(), IN_ORDER)).await;
    eventually("the first answers again", || async {
        assert_eq!(proxy.chat(&model).await.status, 200);
        match posts(&first).last().map(|last| last.status) {
            Some(Some(200)) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let before = posts(&second).len();
    for _ in 0..5 {
        assert_eq!(proxy.chat(&model).await.status, 200);
    }
    assert_eq!(posts(&second).len(), before, "the first answers all again");
}

#[tokio::test]
async fn the_last_backend_is_always_tried() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for _ in 0..10 {
        assert_eq!(proxy.chat("status-503").await.status, 503);
    }
    assert_eq!(posts(&upstream).len(), 10);
    assert_eq!(proxy.chat("echo").await.status, 200);
}

#[tokio::test]
async fn a_health_check_takes_an_ill_backend_out_and_a_healthy_one_back_in() {
    let (first, second) = pair("echo").await;
    let proxy = Proxy::start(&two(
        &first.url(),
        "health: {path: /health, interval: 1s, unhealthyAfter: 1}",
        &second.url(),
        IN_ORDER,
    ))
    .await;
    assert_eq!(
        proxy.chat("echo").await.header("x-simulator"),
        Some("simulator")
    );
    assert_eq!(posts(&second).len(), 0);
    for (health, wanted) in [
        (StatusCode::SERVICE_UNAVAILABLE, &second),
        (StatusCode::OK, &first),
    ] {
        first.set_health(health);
        eventually("the other answers", || async {
            let before = posts(wanted).len();
            assert_eq!(proxy.chat("echo").await.status, 200);
            if posts(wanted).len() > before {
                Ok(())
            } else {
                Err(before)
            }
        })
        .await;
    }
    assert!(
        first
            .requests()
            .iter()
            .any(|request| request.path == "/health")
    );
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstream_at_once() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let aborted = |seen: &[dragoman_simulator::Received]| {
        seen.last()
            .is_some_and(|request| request.state == State::Aborted)
    };
    // Before the reply.
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("hang", "x"));
    let call = tokio::spawn(request.send());
    received(&upstream, |seen| {
        seen.len() == 1 && !seen[0].body.is_empty()
    })
    .await;
    call.abort();
    received(&upstream, aborted).await;
    // Within a stream, for one that sends and one that has fallen silent.
    for (count, model) in [(2, "tokens-100000+token-5ms"), (3, "tokens-9+stall-2")] {
        let request = proxy
            .request(Method::POST, "/v1/chat/completions")
            .json(&streamed(model, "x"));
        let mut stream = request.send().await.unwrap().bytes_stream();
        stream.next().await.unwrap().unwrap();
        drop(stream);
        received(&upstream, |seen| seen.len() == count && aborted(seen)).await;
    }
    // In the middle of its own request.
    let idle = tokio::time::timeout(Duration::from_secs(5), proxy.chat("echo")).await;
    assert_eq!(idle.unwrap().status, 200, "and others are served");
}

#[tokio::test]
async fn an_address_that_refuses_is_followed_by_the_names_next() {
    // `localhost` may stand for ::1 as well, where the simulator does not listen.
    let upstream = simulator().await;
    let url = format!("http://localhost:{}/v1", upstream.addr().port());
    let proxy = Proxy::start(&(backend("main", &url, "retries: {attempts: 0}") + &route(""))).await;
    for _ in 0..4 {
        assert_eq!(proxy.chat("echo").await.status, 200);
    }
}
