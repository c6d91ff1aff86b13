//! What a receiver answers to whom, without a network.

use super::*;
use crate::ship::ticket::{AUDIENCE, Signer};
use crate::store::Inserted;
use http::HeaderValue;
use std::collections::BTreeSet;
use tokio::sync::Semaphore;

/// A sink that stores what it is allowed to.
#[derive(Debug)]
struct Gate {
    open: Semaphore,
    away: bool,
}

impl Sink for Arc<Gate> {
    async fn put(&self, records: &[Record]) -> Result<Inserted, Fault> {
        self.open.acquire().await.unwrap().forget();
        if self.away {
            return Err(Fault::Away("gone".into()));
        }
        let refused = records.iter().filter(|record| record.path == "/poison");
        let refused: Vec<_> = refused
            .map(|record| (record.id.clone(), Fault::Row("poison".into())))
            .collect();
        Ok(Inserted {
            stored: (records.len() - refused.len()) as u64,
            known: 0,
            refused,
        })
    }
}

struct Logbook {
    signer: Signer,
    receiver: Arc<Receiver<Arc<Gate>>>,
    gate: Arc<Gate>,
}

fn logbook(batches: usize, away: bool) -> Logbook {
    let signer = Signer::generate().unwrap();
    let gate = Arc::new(Gate {
        open: Semaphore::new(batches),
        away,
    });
    let receiver = Receiver::new(Arc::clone(&gate), keys(&signer));
    Logbook {
        signer,
        receiver: Arc::new(receiver),
        gate,
    }
}

fn keys(signer: &Signer) -> Keys {
    Keys::read(Keys::write([signer.public()]).as_bytes()).unwrap()
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

fn claims(pod: &str) -> Claims {
    Claims {
        aud: AUDIENCE.into(),
        sub: "gateways/edge".into(),
        pod: pod.into(),
        namespaces: BTreeSet::from(["team-a".into()]),
        nbf: now() - 10,
        exp: now() + 3600,
    }
}

fn post(ticket: &str, body: &str) -> Request<Full<Bytes>> {
    Request::post("/v1/records")
        .header(AUTHORIZATION, format!("Bearer {ticket}"))
        .header(CONTENT_LENGTH, body.len())
        .body(Full::new(body.to_owned().into()))
        .unwrap()
}

async fn told(response: Response<Full<Bytes>>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const ROWS: &str = "{\"id\":\"a\",\"namespace\":\"team-a\"}\n{\"id\":\"b\",\"namespace\":\"team-a\",\"path\":\"/poison\"}\n";

#[tokio::test]
async fn what_is_committed_is_told_with_what_never_can_be() {
    let Logbook {
        signer, receiver, ..
    } = logbook(1, false);
    let answer = told(
        receiver
            .answer(post(&signer.sign(&claims("p")), ROWS))
            .await,
    )
    .await;
    let body = r#"{"stored":1,"known":0,"refused":[{"id":"b","why":"poison"}]}"#;
    assert_eq!(answer, (200, body.to_owned()));
    let counts = receiver.counts();
    assert_eq!((counts.batches, counts.stored, counts.refused), (1, 1, 1));
    assert_eq!((counts.bytes, counts.in_flight), (ROWS.len() as u64, 0));
}

#[tokio::test]
async fn nothing_is_read_of_whom_no_ticket_speaks_for() {
    let Logbook {
        signer, receiver, ..
    } = logbook(9, false);
    let stranger = Signer::generate().unwrap();
    let expired = Claims {
        exp: now() - 301,
        ..claims("p")
    };
    let early = Claims {
        nbf: now() + 320,
        ..claims("p")
    };
    let elsewhere = Claims {
        aud: "operator.dragoman.dev".into(),
        ..claims("p")
    };
    for ticket in [
        stranger.sign(&claims("p")),
        signer.sign(&expired),
        signer.sign(&early),
        signer.sign(&elsewhere),
        "nonsense".into(),
    ] {
        let response = receiver.answer(post(&ticket, ROWS)).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let (status, body) = told(response).await;
        assert_eq!(status, 401);
        assert!(!body.contains(&ticket), "{body}");
    }
    let mut without = post("x", ROWS);
    without.headers_mut().clear();
    assert_eq!(receiver.answer(without).await.status(), 401);
    assert_eq!(receiver.counts().unauthorized, 6);
    assert_eq!(receiver.counts().bytes, 0);
}

#[tokio::test]
async fn keys_change_while_it_runs() {
    let Logbook {
        signer, receiver, ..
    } = logbook(9, false);
    let successor = Signer::generate().unwrap();
    let ticket = successor.sign(&claims("p"));
    assert_eq!(receiver.answer(post(&ticket, ROWS)).await.status(), 401);
    receiver.trust(keys(&successor));
    assert_eq!(receiver.answer(post(&ticket, ROWS)).await.status(), 200);
    let former = post(&signer.sign(&claims("p")), ROWS);
    assert_eq!(receiver.answer(former).await.status(), 401);
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503_that_says_when_to_come_again() {
    let Logbook {
        signer, receiver, ..
    } = logbook(1, true);
    let response = receiver
        .answer(post(&signer.sign(&claims("p")), ROWS))
        .await;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (503, &HeaderValue::from_static("1"))
    );
}

#[tokio::test]
async fn a_pod_has_two_batches_under_way_and_keeps_no_other_pod_out() {
    let Logbook {
        signer,
        receiver,
        gate,
    } = logbook(0, false);
    let send = |pod: &str| {
        let (receiver, request) = (
            Arc::clone(&receiver),
            post(&signer.sign(&claims(pod)), ROWS),
        );
        tokio::spawn(async move { receiver.answer(request).await.status().as_u16() })
    };
    let held = [send("a"), send("a")];
    while receiver.counts().in_flight < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(send("a").await.unwrap(), 429);
    let other = send("b");
    gate.open.add_permits(3);
    for batch in held.into_iter().chain([other]) {
        assert_eq!(batch.await.unwrap(), 200);
    }
    assert_eq!(receiver.counts().in_flight, 0);
}

#[tokio::test]
async fn what_is_no_batch_is_refused_with_the_cure() {
    let Logbook {
        signer, receiver, ..
    } = logbook(9, false);
    let ticket = signer.sign(&claims("p"));
    let with = |name, value: &'static str| {
        let mut request = post(&ticket, ROWS);
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        receiver.answer(request)
    };
    assert_eq!(with(CONTENT_LENGTH, "33554433").await.status(), 413);
    assert_eq!(with(CONTENT_LENGTH, "many").await.status(), 411);
    assert_eq!(with(CONTENT_LENGTH, "10").await.status(), 400);
    assert_eq!(with(CONTENT_ENCODING, "gzip").await.status(), 415);
    let mut get = post(&ticket, ROWS);
    *get.method_mut() = Method::GET;
    assert_eq!(receiver.answer(get).await.status(), 405);
}

#[tokio::test]
async fn batches_that_wait_go_together_and_each_is_told_of_its_own_rows() {
    const PODS: usize = 40;
    let Logbook {
        signer,
        receiver,
        gate,
    } = logbook(0, false);
    let send = |pod: usize| {
        let body = format!(
            "{{\"id\":\"{pod}-a\",\"namespace\":\"team-a\"}}\n{{\"id\":\"{pod}-b\",\"namespace\":\"team-a\",\"path\":\"/poison\"}}\n"
        );
        let request = post(&signer.sign(&claims(&pod.to_string())), &body);
        let receiver = Arc::clone(&receiver);
        tokio::spawn(async move { told(receiver.answer(request).await).await })
    };
    let mut all = vec![send(0)];
    while !receiver.is_busy() || receiver.waiting() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    all.extend((1..PODS).map(send));
    while receiver.waiting() < PODS - 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // One for what was first, and one for all the others.
    gate.open.add_permits(2);
    for (pod, answer) in all.into_iter().enumerate() {
        let body = format!(
            "{{\"stored\":1,\"known\":0,\"refused\":[{{\"id\":\"{pod}-b\",\"why\":\"poison\"}}]}}"
        );
        assert_eq!(answer.await.unwrap(), (200, body));
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_waited_for_once_whatever_the_number_of_batches() {
    let Logbook {
        signer,
        receiver,
        gate,
    } = logbook(0, true);
    let send = |pod: usize| {
        let request = post(&signer.sign(&claims(&pod.to_string())), ROWS);
        let receiver = Arc::clone(&receiver);
        tokio::spawn(async move { receiver.answer(request).await.status() })
    };
    let mut all = vec![send(0)];
    while !receiver.is_busy() || receiver.waiting() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    all.extend((1..5).map(send));
    while receiver.waiting() < 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    gate.open.add_permits(1);
    for answer in all {
        assert_eq!(answer.await.unwrap(), 503);
    }
}

#[tokio::test]
async fn a_batch_whose_sender_left_is_stored_and_holds_up_nobody() {
    let Logbook {
        signer,
        receiver,
        gate,
    } = logbook(0, false);
    let request = post(&signer.sign(&claims("gone")), ROWS);
    let answering = Arc::clone(&receiver);
    let gone = tokio::spawn(async move { answering.answer(request).await.status() });
    while !receiver.is_busy() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    gone.abort();
    let _ = gone.await;
    gate.open.add_permits(2);
    let other = receiver
        .answer(post(&signer.sign(&claims("p")), ROWS))
        .await;
    assert_eq!(other.status(), 200);
    assert_eq!(gate.open.available_permits(), 0);
}
