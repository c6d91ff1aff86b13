//! What a test sees of the requests, and what it can change while the simulator runs.

use crate::client::{Caller, arrived, json};
use dragoman_simulator::{Received, Simulator, State};
use http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn requests_are_kept_as_they_arrived() {
    let simulator = Simulator::builder().start().await.unwrap();
    let caller = Caller::new(false);
    for text in ["one", "two"] {
        arrived(
            caller
                .chat(&simulator.url(), "echo", text, true)
                .await
                .unwrap(),
        )
        .await;
    }
    let url = format!("{}/models?limit=1", simulator.url());
    arrived(caller.send(Method::GET, &url, &json!(null)).await.unwrap()).await;
    let all_over = |all: &[Received]| all.iter().all(|one| one.state == State::Finished);
    let requests = simulator.wait_until(all_over).await;
    assert_eq!(
        requests
            .iter()
            .map(|request| request.id)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(requests[1].json()["messages"][0]["content"], "two");
    assert_eq!(requests[1].header("authorization"), Some("Bearer right"));
    assert_eq!(requests[2].query.as_deref(), Some("limit=1"));
    assert_eq!(
        (requests[0].status, requests[0].version.as_str()),
        (Some(200), "HTTP/1.1")
    );
    let url = format!("{}/_simulator/requests", simulator.origin());
    let served = json(caller.send(Method::GET, &url, &json!(null)).await.unwrap())
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_value::<Vec<Received>>(served).unwrap(),
        requests
    );
    caller
        .send(Method::DELETE, &url, &json!(null))
        .await
        .unwrap();
    assert_eq!(simulator.requests(), []);
}

#[tokio::test]
async fn a_client_that_leaves_is_seen_to_have_left() {
    let simulator = Simulator::builder().start().await.unwrap();
    for http2 in [false, true] {
        for model in ["hang", "stall-2"] {
            simulator.clear();
            let caller = Caller::new(http2);
            let url = simulator.url();
            let call = async {
                let _response = caller.chat(&url, model, "hi", true).await;
                std::future::pending::<()>().await;
            };
            let arrived = simulator.wait_until(|all| {
                all.len() == 1
                    && (all[0].sent_bytes > 0 || model == "hang" && all[0].body_bytes > 0)
            });
            tokio::select! {
                () = call => {}
                _ = arrived => {}
            }
            drop(caller);
            let left = simulator
                .wait_until(|all| all[0].state != State::InFlight)
                .await;
            assert_eq!(left[0].state, State::Aborted, "{model}");
        }
    }
    assert_eq!(simulator.stats().in_flight, 0);
}

#[tokio::test]
async fn listing_keys_and_health_change_live() {
    let simulator = Simulator::builder()
        .models(["a"])
        .only_listed(true)
        .api_key("wrong")
        .start()
        .await
        .unwrap();
    let caller = Caller::new(false);
    let models = format!("{}/models", simulator.url());
    let list = async || {
        caller
            .send(Method::GET, &models, &json!(null))
            .await
            .unwrap()
    };
    assert_eq!(list().await.status(), StatusCode::UNAUTHORIZED);
    for (what, body) in [
        ("api-keys", json!(["right"])),
        ("models", json!(["b", {"id": "c", "odd": [1.0]}])),
    ] {
        let url = format!("{}/_simulator/{what}", simulator.origin());
        let response = caller.send(Method::PUT, &url, &body).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{what}");
    }
    let listed = json(list().await).await.unwrap();
    assert_eq!(listed["data"][0]["x_simulator"]["unknown"], true);
    assert_eq!(listed["data"][1], json!({"id": "c", "odd": [1.0]}));
    for (model, status) in [("a", 404), ("b", 200)] {
        let response = caller
            .chat(&simulator.url(), model, "hi", false)
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
    let health = format!("{}/_simulator/health", simulator.origin());
    caller
        .send(Method::PUT, &health, &json!({"status": 503}))
        .await
        .unwrap();
    assert_eq!(list().await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn only_the_latest_are_kept_and_none_if_so_told() {
    let keeping = Simulator::builder().start().await.unwrap();
    let counting = Simulator::builder().record(false).start().await.unwrap();
    let caller = Caller::new(true);
    for simulator in [&keeping, &counting] {
        let url = format!("{}/health", simulator.origin());
        for _ in 0..=dragoman_simulator::KEPT {
            caller.send(Method::GET, &url, &json!(null)).await.unwrap();
        }
        assert_eq!(simulator.stats().requests, 1001);
    }
    assert_eq!(
        (keeping.requests().len(), keeping.requests()[0].id),
        (1000, 2)
    );
    assert_eq!(counting.requests(), []);
}
