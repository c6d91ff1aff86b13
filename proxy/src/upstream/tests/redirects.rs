//! Redirects, followed with the same method and body.

use std::{cell::RefCell, rc::Rc};

use http::HeaderName;
use tokio::io::AsyncWriteExt as _;

use super::server::{HELLO, Network, finds, post, request, run, settings};
use crate::upstream::{Cluster, Fault, Request};

/// An upstream that answers the n-th request with the n-th of `replies` and the last one ever after, and what it was asked.
fn upstream(replies: Vec<String>) -> (Cluster, Rc<RefCell<Vec<String>>>) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    let dialer = Network::default().dialer(move |_, mut stream| {
        let (log, replies) = (Rc::clone(&log), replies.clone());
        async move {
            while let Some(request) = request(&mut stream).await {
                let number = log.borrow().len();
                log.borrow_mut().push(request);
                let reply = &replies[number.min(replies.len() - 1)];
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        }
    });
    (
        Cluster::with_dialer(settings(), finds(&["10.0.0.1"]), dialer),
        seen,
    )
}

fn to(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 2\r\n\r\ngo")
}

fn with_key() -> Request {
    let mut request = post("prompt");
    request
        .headers
        .insert("authorization", "Bearer k".parse().unwrap());
    request.headers.insert("x-own", "secret".parse().unwrap());
    request
}

#[test]
fn a_post_stays_a_post_with_its_body_and_its_key() {
    for status in [301, 302, 307, 308] {
        run(async {
            let (cluster, seen) = upstream(vec![to(status, "/v1/chat/"), HELLO.into()]);
            let reply = cluster
                .send_following(&mut with_key(), &[], None)
                .await
                .unwrap();
            assert_eq!(reply.status, 200);
            let seen = seen.borrow();
            let first = "POST /v1/chat HTTP/1.1\r\nhost: llm\r\nauthorization: Bearer k\r\nx-own: secret\r\ncontent-length: 6\r\n\r\nprompt";
            assert_eq!(seen[0], first);
            assert_eq!(seen[1], first.replace("/v1/chat", "/v1/chat/"));
        });
    }
}

#[test]
fn a_new_origin_learns_no_credential() {
    run(async {
        let (cluster, seen) = upstream(vec![to(308, "http://other:8080/x"), HELLO.into()]);
        let secrets = [HeaderName::from_static("x-own")];
        cluster
            .send_following(&mut with_key(), &secrets, None)
            .await
            .unwrap();
        assert_eq!(
            seen.borrow()[1],
            "POST /x HTTP/1.1\r\nhost: other:8080\r\ncontent-length: 6\r\n\r\nprompt"
        );
    });
}

#[test]
fn a_credential_does_not_come_back_on_the_way_back() {
    run(async {
        let replies = vec![
            to(307, "http://other/x"),
            to(307, "http://llm/y"),
            HELLO.into(),
        ];
        let (cluster, seen) = upstream(replies);
        cluster
            .send_following(&mut with_key(), &[], None)
            .await
            .unwrap();
        assert!(seen.borrow()[2].starts_with("POST /y HTTP/1.1\r\nhost: llm\r\nx-own"));
    });
}

#[test]
fn a_circle_is_left_after_five_hops() {
    run(async {
        let (cluster, seen) = upstream(vec![to(307, "/again")]);
        let fault = cluster
            .send_following(&mut with_key(), &[], None)
            .await
            .unwrap_err();
        assert!(matches!(fault, Fault::Protocol { .. }), "{fault}");
        assert_eq!(seen.borrow().len(), 6);
    });
}

#[test]
fn a_new_origin_is_as_forbidden_as_any() {
    run(async {
        let (cluster, seen) = upstream(vec![to(307, "http://169.254.169.254/latest")]);
        let fault = cluster
            .send_following(&mut with_key(), &[], None)
            .await
            .unwrap_err();
        assert!(matches!(fault, Fault::DeniedAddress { .. }), "{fault}");
        assert_eq!(seen.borrow().len(), 1);
    });
}

#[test]
fn see_other_is_the_clients_to_follow() {
    run(async {
        let (cluster, _) = upstream(vec![to(303, "/elsewhere")]);
        let reply = cluster
            .send_following(&mut with_key(), &[], None)
            .await
            .unwrap();
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["location"]),
            (303, &"/elsewhere".parse().unwrap())
        );
    });
}
