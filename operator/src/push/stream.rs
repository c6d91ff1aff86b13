//! One stream: first what the proxy lacks, then every change, as fast as it reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dragoman_config::wire::{Down, Hello, Report, Up};
use dragoman_config::{Key, ObjectKey};
use http_body::Body;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Claims;
use super::hello::LinesIn;
use super::line_of;
use super::pace::Pace;
use super::shelf::{Next, Shelf, StreamId};
use super::tickets::Tickets;
use crate::lease::Term;
use crate::metrics::Metrics;
use crate::pki::Identity;

/// What streams tell the core.
#[derive(Debug)]
pub enum FromStream {
    /// A proxy whose token was verified wants to say what it asks for.
    Knock {
        /// Who it is.
        claims: Claims,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<(), Refused>>,
    },
    /// A proxy whose token was verified asks to be let in.
    Connect {
        /// Who it is.
        claims: Claims,
        /// What it asks for.
        hello: Box<Hello>,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Admitted, Refused>>,
    },
    /// A proxy reported.
    Report {
        /// Which stream.
        stream: StreamId,
        /// What it said.
        report: Box<Report>,
    },
    /// A stream ended.
    Ended(StreamId),
}

/// A stream that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// Its number.
    pub stream: StreamId,
    /// The LLMProxy.
    pub proxy: ObjectKey,
    /// What it runs.
    pub shelf: Arc<Shelf>,
    /// Done when its Pod is gone, or has a newer stream.
    pub ended: CancellationToken,
    /// The leadership under which it is served.
    pub term: Term,
}

/// Why a proxy was not let in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It asks for what is not its own, or for what does not exist. The proxy's fault.
    #[error("{0}")]
    NotYours(String),
    /// Not yet.
    #[error("{0}")]
    NotReady(&'static str),
}

/// Both ends of one stream, and whom to tell.
pub(super) struct Stream<B> {
    pub(super) admitted: Admitted,
    pub(super) have: BTreeMap<Key, String>,
    pub(super) lines: LinesIn<B>,
    pub(super) out: Sender<Bytes>,
    pub(super) core: Sender<FromStream>,
    pub(super) identity: Arc<Identity>,
    pub(super) metrics: Arc<Metrics>,
    /// The proxy's pod, and where its rows go.
    pub(super) pod: String,
    pub(super) logbook: Option<Arc<str>>,
}

impl<B: Body + Unpin> Stream<B> {
    /// Serves the stream until either side ends it.
    pub(super) async fn drive(self) {
        let Self {
            admitted,
            have,
            mut lines,
            out,
            core,
            identity,
            metrics,
            pod,
            logbook,
        } = self;
        let stream = admitted.stream;
        let Admitted { proxy, shelf, .. } = &admitted;
        let tickets = Tickets::new(logbook.as_deref(), proxy, &pod, shelf, &identity);
        metrics.streams.inc();
        let reader = async {
            loop {
                match lines.next().await {
                    Ok(Up::Report(report)) => {
                        if core
                            .send(FromStream::Report {
                                stream,
                                report: Box::new(report),
                            })
                            .await
                            .is_err()
                        {
                            return;
                        }
                    }
                    Ok(Up::Hello(_)) => tracing::warn!(stream, "a proxy said hello twice"),
                    Err(fault) => {
                        tracing::debug!(stream, %fault, "a stream's upper half ended");
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = reader => {}
            () = write(&admitted, have, tickets, &out, &identity, &metrics) => {}
            () = out.closed() => {}
            // Also while a peer that does not read keeps the writer waiting.
            () = admitted.ended.cancelled() => {}
        }
        admitted.shelf.end(stream);
        metrics.streams.dec();
        let _ = core.send(FromStream::Ended(stream)).await;
    }
}

async fn write(
    admitted: &Admitted,
    have: BTreeMap<Key, String>,
    mut tickets: Tickets<'_>,
    out: &Sender<Bytes>,
    identity: &Identity,
    metrics: &Metrics,
) {
    let Admitted {
        stream,
        shelf,
        ended,
        term,
        ..
    } = admitted;
    let mut versions = shelf.versions();
    let mut bundle = identity.bundle();
    let ca = bundle.borrow_and_update().clone();
    versions.borrow_and_update();
    // A proxy dialled with a bundle from its ConfigMap, which may be minutes behind.
    let lines = shelf.begin(*stream, have, Some(&ca));
    // First, so that no route is served whose rows could not be written.
    for line in tickets.line(&ca).into_iter().chain(lines) {
        if !term.holds() || out.send(line).await.is_err() {
            return;
        }
    }
    if out.send(line_of(&Down::Synced)).await.is_err() {
        return;
    }
    let mut pace = Pace::new();
    loop {
        let ca = tokio::select! {
            biased;
            () = ended.cancelled() => return,
            () = term.ended() => {
                let _ = out.send(line_of(&Down::Goodbye)).await;
                return;
            }
            Ok(()) = bundle.changed() => Some(bundle.borrow_and_update().clone()),
            () = tickets.due() => {
                let ca = bundle.borrow().clone();
                if let Some(line) = tickets.line(&ca)
                    && out.send(line).await.is_err()
                {
                    return;
                }
                continue;
            }
            changed = versions.changed() => match changed {
                Ok(()) => None,
                Err(_) => return,
            },
        };
        let now = Instant::now();
        let due = pace.next(now);
        // The timer's tick is a millisecond: what may go at once does not ask it.
        if due > now {
            tokio::time::sleep_until(due.into()).await;
        }
        // A place in the body first, the content then: what changes while a slow proxy reads is still caught.
        let Ok(place) = out.reserve().await else {
            return;
        };
        if !term.holds() {
            place.send(line_of(&Down::Goodbye));
            return;
        }
        versions.borrow_and_update();
        let next = shelf.next(*stream, ca.as_deref());
        let ticket = if ca.is_some() || tickets.lacks() {
            let ca = bundle.borrow().clone();
            tickets.line(&ca)
        } else {
            None
        };
        match next {
            Next::Nothing => {}
            Next::Line(line) => {
                let now = Instant::now();
                pace.pushed(now, line.changes);
                metrics.pushes.inc();
                metrics
                    .push_seconds
                    .observe(now.duration_since(line.since).as_secs_f64());
                // Before what may be a route of a namespace that the last ticket does not name.
                place.send(match ticket {
                    Some(ticket) => [ticket, line.bytes].concat().into(),
                    None => line.bytes,
                });
            }
            Next::TooMuch => {
                place.send(line_of(&Down::Goodbye));
                return;
            }
        }
    }
}
