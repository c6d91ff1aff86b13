//! Rules that ask a service over a socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::{CallItem, ObjectKey, RuleActionItem, RuleItem, UpstreamUrl};
use dragoman_crds::CallFailure;
use http::HeaderMap;

use super::{Decision, Failed, Rules, judge};
use crate::access::caller::Caller;
use crate::access::facts::Facts;
use crate::access::service::Services;
use crate::upstream::Denied;

/// A service that answers each call with these bytes, after a while.
fn service(answer: String, after: Duration) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                std::thread::sleep(after);
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    port
}

/// Nobody listens there.
fn nobody() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn judged(port: u16, failure: CallFailure, denied: Denied) -> Result<Decision, Failed> {
    let url = UpstreamUrl {
        tls: false,
        host: "127.0.0.1".into(),
        port,
        path: "/check?x=1".into(),
    };
    let call = CallItem {
        url,
        timeout_ms: 300,
        failure,
    };
    let rules = Rules::new(&[RuleItem {
        name: "guard".into(),
        when: None,
        action: RuleActionItem::Call(call),
    }]);
    let rules = rules.unwrap();
    let key = ObjectKey {
        namespace: "team".into(),
        name: "policy".into(),
    };
    let caller = Caller {
        address: Ipv4Addr::LOCALHOST.into(),
        user: None,
        key: None,
    };
    let body = Bytes::from_static(br#"{"model":"m",  "n":1}"#);
    let headers = HeaderMap::new();
    let services = Services::new(denied);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let facts = Facts {
        body: Some(&body),
        headers: &headers,
        caller: &caller,
        route: &key,
        model: Some("m"),
    };
    let policies = [(&key, &rules, &caller)];
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, judge(&policies, facts, &services))
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// What comes of an answer.
fn answered(answer: impl Into<String>) -> Result<Decision, Failed> {
    let port = service(answer.into(), Duration::ZERO);
    judged(port, CallFailure::Closed, Denied::default())
}

fn why(outcome: Result<Decision, Failed>) -> String {
    let failed = outcome.unwrap_err();
    assert_eq!((failed.status, &*failed.rule), (503, "guard"));
    failed.why
}

#[test]
fn a_service_allows_edits_and_denies() {
    let allowed = answered(ok("{\"action\":\"allow\"}"));
    assert!(matches!(allowed, Ok(Decision::Admit(it)) if it.body.is_none()));
    let edited = answered(ok("{\"action\":\"allow\",\"set\":{\"n\":2,\"a.b\":\"c\"}}"));
    let Ok(Decision::Admit(admitted)) = edited else {
        panic!("{edited:?}");
    };
    assert_eq!(
        admitted.body.as_deref(),
        Some(&br#"{"model":"m",  "n":2,"a":{"b":"c"}}"#[..])
    );
    let denied = answered(ok(
        "{\"action\":\"deny\",\"status\":451,\"message\":\"No.\"}",
    ));
    let Ok(Decision::Deny(denied)) = denied else {
        panic!("{denied:?}");
    };
    assert_eq!((denied.status, &*denied.message), (451, "No."));
}

#[test]
fn what_is_no_answer_refuses_the_request_or_is_passed_over() {
    let unclear = answered(ok("{}"));
    assert!(why(unclear).contains("not what was asked for"));
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    assert!(why(answered(moved)).contains("302"));
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n";
    assert!(!why(answered(long)).is_empty());
    let late = service(String::new(), Duration::from_secs(2));
    let down = nobody();
    for port in [late, down] {
        assert!(!why(judged(port, CallFailure::Closed, Denied::default())).is_empty());
        let open = judged(port, CallFailure::Open, Denied::default());
        assert!(matches!(open, Ok(Decision::Admit(_))), "{open:?}");
    }
}

#[test]
fn a_service_at_a_denied_address_is_not_asked() {
    let answer = ok("{\"action\":\"allow\"}");
    let port = service(answer, Duration::ZERO);
    let denied = Denied {
        ranges: Vec::new(),
        loopback: true,
    };
    let fault = why(judged(port, CallFailure::Closed, denied));
    assert!(
        fault.contains("loopback") || fault.contains("denied"),
        "{fault}"
    );
}
