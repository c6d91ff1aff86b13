//! Sends a request to one backend after another until one answers: retries, failover, and what each backend's health learns.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use dragoman_crds::RetryOn;
use http::StatusCode;

use super::error::Refusal;
use super::models;
use super::request_id::RequestId;
use super::worker::Worker;
use crate::aws::Unsigned;
use crate::log::Notes;
use crate::state::backend::{Backend, Credential};
use crate::state::health::Severity;
use crate::state::key_verdict::{self, Purpose, Refused};
use crate::state::route::Route;
use crate::upstream::{Fault, Phase, Reply, Request};

/// What came of a backend, its retries included.
pub(crate) type Outcome = Result<Reply, Fault>;

/// Whether another backend may do better than one that answered so.
pub(crate) fn fails_over(backend: &Backend, outcome: &Outcome) -> bool {
    match outcome {
        Ok(reply) => is_unavailable(reply.status) || refuses_our_key(backend, reply),
        Err(Fault::DeniedAddress { .. }) => true,
        Err(fault) => fault.retryable() && !fault.reply_began(),
    }
}

fn is_unavailable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

/// Whether an upstream answered 401 to the key that is configured for it, and was told no other. With 403 it knows the key, and forbids
/// what was asked, such as one model.
pub(crate) fn refuses_our_key(backend: &Backend, reply: &Reply) -> bool {
    reply.status == StatusCode::UNAUTHORIZED && backend.sends_own_key_only() && !reply.elsewhere
}

/// Who sends, for whom: what is noted of a fault.
pub(crate) struct Sender<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) route: &'a Route,
    pub(crate) id: RequestId,
    /// What is noted of the request for the log.
    pub(crate) notes: Option<&'a Notes>,
}

impl Sender<'_> {
    /// Sends to one backend what `make` makes, and again as its `retries` say.
    ///
    /// # Errors
    /// What `make` refuses.
    pub(crate) async fn send(
        &self,
        backend: &Arc<Backend>,
        make: impl FnOnce() -> Result<Request, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let cluster = match self.worker.cluster(backend) {
            Ok(cluster) => cluster,
            Err(fault) => return Ok(Err(Fault::Closed(fault.to_string()))),
        };
        let mut request = make()?;
        let mut left = backend.retries.attempts;
        let notes = self.notes.filter(|notes| notes.are_kept());
        loop {
            let from = notes.map(|_| Instant::now());
            let again = if left > 0 {
                request.body.replay()
            } else {
                None
            };
            if let Some(notes) = notes {
                notes.note(|draft| draft.trying(&mut request.headers));
            }
            let outcome = match sign(backend, &mut request).await? {
                Ok(()) => {
                    let sent = cluster.send_following(&mut request, &backend.secrets, None);
                    sent.await
                }
                Err(fault) => Err(fault),
            };
            self.note(backend, &outcome);
            if let (Some(notes), Some(from)) = (notes, from) {
                notes.note(|draft| draft.tried(backend, &request.path, from, &outcome));
            }
            match again {
                Some(body) if retries(&backend.retries.on, &outcome) => request.body = body,
                _ => return Ok(outcome),
            }
            left -= 1;
        }
    }

    fn note(&self, backend: &Arc<Backend>, outcome: &Outcome) {
        if let Err(fault) = outcome {
            self.route
                .metrics
                .upstream_failed(self.worker.thread, fault.kind());
            tracing::warn!(
                request_id = %self.id, route = %self.route.key, backend = %backend.name,
                kind = fault.kind(), "{fault}"
            );
        }
        match learn(backend, outcome, Purpose::Call) {
            Some(Refused::Turned) => tracing::warn!(
                request_id = %self.id, route = %self.route.key, backend = %backend.name,
                kind = "key_refused", "{}", key_verdict::words(&backend.name)
            ),
            Some(refused) => {
                tracing::debug!(
                    request_id = %self.id, route = %self.route.key, backend = %backend.name,
                    kind = "key_refused", "401 to the key that is configured: {refused:?}"
                );
                let key = backend.lasting.health.key();
                if refused == Refused::Unclear && key.is_to_be_looked_into() {
                    models::look_into(self.worker, backend);
                }
            }
            None => {}
        }
    }
}

/// Signs a request to a backend that wants a signature.
///
/// # Errors
/// 400 for what cannot be signed, whoever has the keys.
async fn sign(backend: &Backend, request: &mut Request) -> Result<Result<(), Fault>, Refusal> {
    let Credential::Aws(signer) = &backend.credential else {
        return Ok(Ok(()));
    };
    // What is rarely done is kept out of the future that every request has.
    let signed = Box::pin(signer.sign(request, &backend.settings.endpoint)).await;
    match signed {
        Err(fault @ Unsigned::Streamed) => {
            let message = format!("Requests to this backend are signed, and {fault}; send JSON.");
            let status = StatusCode::BAD_REQUEST;
            Err(Refusal::client(status, "unsigned_body", message))
        }
        signed => Ok(signed.map_err(|fault| Fault::Credential(fault.to_string()))),
    }
}

fn retries(on: &[RetryOn], outcome: &Outcome) -> bool {
    let kind = match outcome {
        Ok(reply) if is_unavailable(reply.status) => RetryOn::Unavailable,
        Ok(_)
        | Err(Fault::Saturated { .. } | Fault::DeniedAddress { .. } | Fault::Credential(_)) => {
            return false;
        }
        Err(fault) if fault.before_sending() => RetryOn::ConnectFailure,
        Err(Fault::Closed(_)) => RetryOn::Reset,
        Err(Fault::Timeout {
            phase: Phase::FirstByte,
            ..
        }) => RetryOn::Timeout,
        Err(_) => return false,
    };
    on.contains(&kind)
}

/// What a backend's health learns of an exchange. Returned is what it makes of a key of ours that was refused.
pub(crate) fn learn(backend: &Backend, outcome: &Outcome, purpose: Purpose) -> Option<Refused> {
    let health = &backend.lasting.health;
    match outcome {
        Ok(reply) if reply.status.is_success() => health.succeeded(backend.id, purpose),
        // A 429 says that the caller is too fast, not that the backend is ill.
        Ok(reply) if matches!(reply.status.as_u16(), 502..=504) => {
            health.failed(Severity::Failing, &format!("it answered {}", reply.status));
        }
        Ok(reply) if refuses_our_key(backend, reply) => {
            let why = key_verdict::words(&backend.name);
            return Some(health.key_refused(backend.id, purpose, &why));
        }
        Ok(_) => health.answered(),
        Err(Fault::RequestBody(_) | Fault::Saturated { .. }) => {}
        Err(fault) if fault.before_sending() => health.failed(Severity::Down, &fault.to_string()),
        Err(fault) => health.failed(Severity::Failing, &fault.to_string()),
    }
    None
}
