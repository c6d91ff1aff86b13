//! The proxy's half: a sink whose store is behind a network.
//!
//! Where the logbook is, who signs its certificate and with which ticket one writes may change at any time: [`Remote::direct`]. Until it is called for the
//! first time, the logbook counts as away, so that rows wait.

mod body;
mod connection;
mod destination;
mod replies;

use super::wire::{Answer, RECORDS_PATH};
use crate::fault::Fault;
use crate::record::Record;
use crate::store::Inserted;
use crate::writer::Sink;
use body::Part;
use bytes::Bytes;
use connection::Connection;
pub use destination::BadDestination;
use destination::Destination;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a batch may take: longer than the logbook waits for room and for its database.
const PATIENCE: Duration = Duration::from_mins(2);
/// How much of an answer is read.
const ANSWER: usize = 8 << 20;
/// The longest `Retry-After` that is heeded.
const REST: Duration = Duration::from_secs(30);

/// The way to a logbook. Cheap to clone; clones share one connection.
#[derive(Debug, Clone, Default)]
pub struct Remote {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    destination: Mutex<Option<Arc<Destination>>>,
    directed: tokio::sync::Notify,
    connection: tokio::sync::Mutex<Option<Connection>>,
    /// Until when the logbook asked to be left alone.
    rest: Mutex<Option<Instant>>,
}

impl Remote {
    /// A way that leads nowhere yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends to `https://HOST:PORT` from now on, to whoever has a certificate by one of these authorities (PEM) for that host, with this ticket.
    ///
    /// # Errors
    /// [`BadDestination`]; all stays as it was.
    pub fn direct(&self, url: &str, authorities: &str, ticket: &str) -> Result<(), BadDestination> {
        let mut known = self.shared.destination.lock();
        let destination = Destination::new(url, authorities, ticket, known.as_deref())?;
        *known = Some(Arc::new(destination));
        *self.shared.rest.lock() = None;
        drop(known);
        self.shared.directed.notify_waiters();
        Ok(())
    }

    /// Waits until it leads somewhere.
    pub async fn directed(&self) {
        loop {
            let directed = self.shared.directed.notified();
            tokio::pin!(directed);
            directed.as_mut().enable();
            if self.shared.destination.lock().is_some() {
                return;
            }
            directed.await;
        }
    }

    /// Sends one body, over the connection that there is, or a new one.
    async fn post(
        &self,
        destination: &Destination,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Fault> {
        let request = || destination.request(path, body.clone());
        let (mut connection, fresh) = self.connection(destination).await?;
        match connection.send(request()?).await {
            Ok(response) => return Ok(response),
            Err(fault) if fresh => return Err(destination.away(&fault)),
            // One that was closed meanwhile is no fault.
            Err(_) => self.forget(&connection).await,
        }
        let (mut connection, _) = self.connection(destination).await?;
        let response = connection.send(request()?).await;
        response.map_err(|fault| destination.away(&fault))
    }

    /// The connection that there is, or a new one; which of them is told.
    async fn connection(&self, destination: &Destination) -> Result<(Connection, bool), Fault> {
        let mut kept = self.shared.connection.lock().await;
        if let Some(connection) = &*kept
            && connection.leads_to(destination)
        {
            return Ok((connection.clone(), false));
        }
        *kept = None;
        let opened = Connection::open(destination).await?;
        *kept = Some(opened.clone());
        Ok((opened, true))
    }

    /// Sends nothing more over a connection. What is under way on it may end.
    async fn forget(&self, connection: &Connection) {
        let mut kept = self.shared.connection.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.is(connection)) {
            *kept = None;
        }
    }

    /// Sends some records, halved as often as need be.
    async fn ship(
        &self,
        destination: &Destination,
        part: Part<'_>,
        done: &mut Inserted,
    ) -> Result<(), Fault> {
        let mut parts = VecDeque::from([part]);
        while let Some(part) = parts.pop_front() {
            let response = self
                .post(destination, RECORDS_PATH, part.body.clone())
                .await?;
            let status = response.status();
            match status {
                StatusCode::OK => add(done, read(response).await?),
                StatusCode::PAYLOAD_TOO_LARGE => match part.halves() {
                    Ok([first, second]) => {
                        parts.push_front(second);
                        parts.push_front(first);
                    }
                    Err(id) => {
                        let fault = Fault::Row("the logbook takes no row of that size".into());
                        done.refused.push((id, fault));
                    }
                },
                _ => return Err(self.refused(status, response).await),
            }
        }
        Ok(())
    }

    /// What a refusal means: the rows are kept whatever it is.
    async fn refused(&self, status: StatusCode, response: Response<Incoming>) -> Fault {
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(seconds) = after {
            *self.shared.rest.lock() =
                Some(Instant::now() + REST.min(Duration::from_secs(seconds)));
        }
        Fault::Away(format!(
            "the logbook answered {status}: {}",
            reason(response).await
        ))
    }
}

impl Sink for Remote {
    async fn put(&self, records: &[Record]) -> Result<Inserted, Fault> {
        let destination = self.shared.destination.lock().clone();
        let destination = destination.ok_or_else(|| {
            Fault::Away("no ticket for the logbook came from the operator yet".into())
        })?;
        let rest = self
            .shared
            .rest
            .lock()
            .filter(|until| Instant::now() < *until);
        if rest.is_some() {
            return Err(Fault::Away(
                "the logbook asked to be left alone for a moment".into(),
            ));
        }
        let (parts, refused) = body::parts(records);
        let mut done = Inserted {
            refused,
            ..Inserted::default()
        };
        for part in parts {
            match timeout(PATIENCE, self.ship(&destination, part, &mut done)).await {
                Ok(shipped) => shipped?,
                Err(_) => {
                    *self.shared.connection.lock().await = None;
                    return Err(destination.away(&"no answer in time"));
                }
            }
        }
        Ok(done)
    }
}

fn add(done: &mut Inserted, answer: Answer) {
    done.stored += answer.stored;
    done.known += answer.known;
    let refused = answer.refused.into_iter();
    done.refused
        .extend(refused.map(|refused| (refused.id, Fault::Row(refused.why))));
}

async fn read(response: Response<Incoming>) -> Result<Answer, Fault> {
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body =
        body.map_err(|fault| Fault::Away(format!("the logbook's answer broke off: {fault}")))?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|_| Fault::Away("the logbook's answer is not understood".into()))
}

/// What a refusal says, for the log.
async fn reason(response: Response<Incoming>) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error: Message,
    }
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    let body = Limited::new(response.into_body(), 4096).collect().await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    serde_json::from_slice::<Refusal>(&body).map_or_else(
        |_| "without a reason".into(),
        |refusal| refusal.error.message,
    )
}

impl Destination {
    fn request(&self, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, Fault> {
        Request::post(format!("{}{path}", self.url()))
            .header(AUTHORIZATION, self.ticket())
            .header(CONTENT_TYPE, HeaderValue::from_static(super::CONTENT_TYPE))
            .body(Full::new(body))
            .map_err(|fault| self.away(&fault))
    }
}
