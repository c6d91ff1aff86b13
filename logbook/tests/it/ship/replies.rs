//! Replies that proxies ask the logbook for.

use super::logbook::{Logbook, Operator};
use super::{directed, eventually, put, row};
use crate::fixture::{self, Fixture, on_both};
use dragoman_logbook::fault::Fault;
use dragoman_logbook::record::Record;
use dragoman_logbook::replay::{Found, Replies, Reply, Wanted};
use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::ship::remote::Remote;
use dragoman_logbook::ship::{RECORDS_PATH, REPLIES_PATH};
use std::sync::Arc;

/// A request whose reply is on record to the byte.
fn kept(body: &str) -> Record {
    Record {
        stream: true,
        response_bytes: body.len() as i64,
        response_body: Some(body.into()),
        replay_as: Some("text/event-stream".into()),
        ..row(0)
    }
}

/// What alice asks for.
fn wanted(record: &Record) -> Wanted {
    Wanted {
        id: record.id.clone(),
        proxy: "whatever/it-says".into(),
        namespace: "team".into(),
        route: "chat".into(),
        user: Some("alice".into()),
        address: "10.0.0.7".into(),
    }
}

/// A logbook that takes rows and gives replies.
async fn serving(fixture: &Fixture, operator: &Operator) -> (Logbook, Arc<Receiver>) {
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let (answering, store) = (Arc::clone(&receiver), fixture.store.clone());
    let logbook = Logbook::serve(operator, 0, move |request| {
        let (receiver, store) = (Arc::clone(&answering), store.clone());
        async move {
            match request.uri().path() {
                RECORDS_PATH => receiver.answer(request).await,
                REPLIES_PATH => receiver.reply(&store, request).await,
                other => panic!("{other}"),
            }
        }
    });
    (logbook.await, receiver)
}

/// Asks as long as the logbook is away.
async fn ask(remote: &Remote, wanted: &Wanted) -> Found {
    loop {
        match remote.reply(wanted).await {
            Ok(found) => return found,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

on_both!(a_reply_comes_back_to_the_byte_and_only_to_whoever_got_it);

async fn a_reply_comes_back_to_the_byte_and_only_to_whoever_got_it(fixture: Fixture) {
    let operator = Operator::new();
    let (logbook, receiver) = serving(&fixture, &operator).await;
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    let body = "data: {\"a\": \"\u{1F642} \\u0001\u{1}\"}\n\ndata: [DONE]\n\n";
    let (own, cut) = (kept(body), row(1));
    put(&remote, &[own.clone(), cut.clone()]).await;
    let reply = Reply {
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        stream: true,
        status: 200,
        content_type: "text/event-stream".into(),
        body: body.into(),
    };
    assert_eq!(ask(&remote, &wanted(&own)).await, Found::Reply(reply));
    assert_eq!(ask(&remote, &wanted(&cut)).await, Found::NotWhole);
    for other in [
        Wanted {
            user: Some("bob".into()),
            ..wanted(&own)
        },
        Wanted {
            user: None,
            ..wanted(&own)
        },
        Wanted {
            route: "other".into(),
            ..wanted(&own)
        },
        wanted(&row(2)),
        Wanted {
            id: "\0".into(),
            ..wanted(&own)
        },
    ] {
        assert_eq!(ask(&remote, &other).await, Found::Nothing, "{other:?}");
    }
    assert_eq!(receiver.counts().replies, 7);
}

#[tokio::test]
async fn a_ticket_opens_the_replies_of_its_own_proxy_and_namespaces_alone() {
    let operator = Operator::new();
    let fixture = fixture::sqlite();
    let (logbook, receiver) = serving(&fixture, &operator).await;
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    let own = kept("data: x\n\n");
    put(&remote, std::slice::from_ref(&own)).await;
    // A sidecar in the same namespace, whose pod may be anybody's.
    let sidecar = operator.ticket("p", |claims| claims.sub = "team/sidecar".into());
    let sidecar = directed(&operator, &logbook, &sidecar);
    assert_eq!(ask(&sidecar, &wanted(&own)).await, Found::Nothing);
    let elsewhere = operator.ticket("p", |claims| {
        claims.namespaces = ["other".to_owned()].into()
    });
    let elsewhere = directed(&operator, &logbook, &elsewhere);
    let stranger = directed(&operator, &logbook, &Operator::new().ticket("p", |_| {}));
    for (remote, status) in [(elsewhere, "403"), (stranger, "401")] {
        let told = loop {
            let fault = remote.reply(&wanted(&own)).await.unwrap_err().to_string();
            // A machine that stands still may make it seem away.
            if fault.contains("answered") {
                break fault;
            }
        };
        assert!(told.contains(status), "{told}");
    }
    let fault = Remote::new().reply(&wanted(&own)).await.unwrap_err();
    assert!(matches!(fault, Fault::Away(_)), "{fault}");
    assert!(receiver.counts().unauthorized > 0);
}

#[tokio::test]
async fn a_reply_is_found_while_a_batch_is_under_way_on_the_same_connection() {
    let operator = Operator::new();
    let fixture = fixture::sqlite();
    let own = kept("data: x\n\n");
    let stamped = Record {
        proxy: "team/proxy".into(),
        ..own.clone()
    };
    fixture.store.insert(&[stamped]).await.unwrap();
    let receiver = Arc::new(Receiver::new(fixture.store.clone(), operator.keys()));
    let (batches, seen) = (
        Arc::new(tokio::sync::Semaphore::new(0)),
        Arc::new(tokio::sync::Semaphore::new(0)),
    );
    let (gate, came, store) = (
        Arc::clone(&batches),
        Arc::clone(&seen),
        fixture.store.clone(),
    );
    let logbook = Logbook::serve(&operator, 0, move |request| {
        let (receiver, store) = (Arc::clone(&receiver), store.clone());
        let (gate, came) = (Arc::clone(&gate), Arc::clone(&came));
        async move {
            if request.uri().path() == REPLIES_PATH {
                return receiver.reply(&store, request).await;
            }
            came.add_permits(1);
            let _open = gate.acquire().await;
            receiver.answer(request).await
        }
    })
    .await;
    let remote = directed(&operator, &logbook, &operator.ticket("p", |_| {}));
    let sending = remote.clone();
    let batch = tokio::spawn(async move { put(&sending, &[row(5)]).await });
    eventually("the batch is under way", || seen.available_permits() > 0).await;
    assert!(matches!(ask(&remote, &wanted(&own)).await, Found::Reply(_)));
    assert!(!batch.is_finished());
    batches.add_permits(100);
    assert_eq!(batch.await.unwrap().stored, 1);
}
