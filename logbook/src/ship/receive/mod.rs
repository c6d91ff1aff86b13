//! The logbook's half: batches of many proxies go into one store.
//!
//! A handler that knows no server. How much it holds, and how many batches are with the database, does not grow with the number of proxies.

mod answer;
mod counts;
mod group;
mod replies;
mod room;
mod rows;

use super::ticket::{Claims, Keys};
use super::wire::{Answer, LONGEST_BODY, Refused};
use crate::fault::Fault;
use crate::record::Record;
use crate::store::Store;
use crate::writer::Sink;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use answer::Refusal;
pub use counts::Counts;
use group::Group;
use room::Room;

/// How long a body may take to arrive once there is room for it.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Takes batches for a store.
#[derive(Debug)]
pub struct Receiver<S = Store> {
    group: Arc<Group<S>>,
    keys: RwLock<Arc<Keys>>,
    room: Room,
    /// Apart from that of batches, so that neither keeps the other waiting.
    room_for_replies: Room,
    counts: counts::Shared,
}

impl<S: Sink> Receiver<S> {
    /// A receiver that believes tickets of these keys.
    #[must_use]
    pub fn new(sink: S, keys: Keys) -> Self {
        Self {
            group: Group::new(sink),
            keys: RwLock::new(Arc::new(keys)),
            room: Room::default(),
            room_for_replies: Room::default(),
            counts: counts::Shared::default(),
        }
    }

    /// Believes these keys from now on, and no others.
    pub fn trust(&self, keys: Keys) {
        *self.keys.write() = Arc::new(keys);
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.read(self.room.waiting())
    }

    /// Answers a request for [`RECORDS_PATH`](super::RECORDS_PATH), when the database has committed what it brought.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.take(request).await {
            Ok(answer) => {
                self.counts.committed(&answer);
                answer::committed(&answer)
            }
            Err(refusal) => {
                self.counts.turned_away(refusal.status());
                refusal.response()
            }
        }
    }

    /// Batches that wait for the one that is with the database.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.group.waiting()
    }

    /// Whether a batch is with the database.
    #[cfg(test)]
    fn is_busy(&self) -> bool {
        self.group.is_busy()
    }

    async fn take<B>(&self, request: Request<B>) -> Result<Answer, Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        let claims = self.admit(&head.headers)?;
        let length = length_of(&head.headers)?;
        let _turn = self.room.turn(&claims).ok_or(Refusal::TooMany)?;
        let _held = self.room.hold(length).await.ok_or(Refusal::Full)?;
        let collected = tokio::time::timeout(ARRIVAL, Limited::new(body, length).collect()).await;
        let body = collected
            .map_err(|_| Refusal::Slow)?
            .map_err(|_| Refusal::Broken)?
            .to_bytes();
        self.counts.received(body.len());
        // Megabytes of JSON keep a thread for longer than others should wait.
        let read = tokio::task::spawn_blocking(move || rows::read(&body, &claims)).await;
        let read = read.map_err(|_| Refusal::Away("the batch could not be read".into()))?;
        let (records, refused) = read.map_err(|rows::TooMuch| Refusal::TooLarge)?;
        self.store(records, refused).await
    }

    async fn store(&self, records: Vec<Record>, refused: Vec<Refused>) -> Result<Answer, Refusal> {
        let mut answer = Answer {
            refused,
            ..Answer::default()
        };
        if records.is_empty() {
            return Ok(answer);
        }
        let rows = records.len();
        match self.group.store(records).await {
            Ok(inserted) => {
                (answer.stored, answer.known) = (inserted.stored, inserted.known);
                let refused = inserted.refused.into_iter();
                answer
                    .refused
                    .extend(refused.map(|(id, fault)| match fault {
                        Fault::Row(why) => Refused::new(&id, &why),
                        other => Refused::new(&id, &other.to_string()),
                    }));
                Ok(answer)
            }
            Err(fault) => {
                tracing::debug!(%fault, rows, "a batch is not stored for now");
                Err(Refusal::Away(fault.to_string()))
            }
        }
    }

    /// Whose batch it is.
    fn admit(&self, headers: &HeaderMap) -> Result<Claims, Refusal> {
        let ticket = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or(Refusal::NoTicket)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        let keys = Arc::clone(&self.keys.read());
        keys.verify(ticket, now).map_err(|rejection| {
            tracing::debug!(%rejection, "a ticket was refused");
            rejection.into()
        })
    }
}

/// How long the body says it is.
fn length_of(headers: &HeaderMap) -> Result<usize, Refusal> {
    let encoding = headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Refusal::Encoding);
    }
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    length.ok_or(Refusal::Length).and_then(|length| {
        if length > LONGEST_BODY {
            Err(Refusal::TooLarge)
        } else {
            Ok(length)
        }
    })
}

#[cfg(test)]
mod tests;
