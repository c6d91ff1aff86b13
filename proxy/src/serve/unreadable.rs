//! A good reply that cannot be read after all: what the client is told of it, without our secrets, and what the log is.

use bytes::Bytes;
use dragoman_dialects::ends::Unended;
use dragoman_dialects::form::{Failure, Garbage, Untold};
use http::StatusCode;

use super::error::{Blame, Refusal, bounded};
use super::request_id::RequestId;
use crate::state::backend::Backend;
use crate::translate::Broken;
use crate::upstream::Fault;

/// The most that is told of what an upstream sent, in bytes.
const TOLD: usize = 2 << 10;

/// Whose reply is read, for which request.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) backend: &'a Backend,
    /// The backend's name within the route.
    pub(crate) name: &'a str,
    pub(crate) id: RequestId,
}

impl Whose<'_> {
    /// What the backend did, as in "sent a reply that is too long".
    pub(crate) fn did(&self, what: &str) -> Refusal {
        self.note("unreadable");
        refusal(self.name, what)
    }

    /// A reply that is not what its dialect says.
    pub(crate) fn garbage(&self, garbage: &Garbage) -> Refusal {
        self.note("unreadable");
        let said = self.quote(garbage);
        told(format!(
            "Backend {:?} sent a reply that cannot be read. {said}",
            self.name
        ))
    }

    /// A whole reply that cannot be read, or not be told.
    pub(crate) fn whole(&self, broken: &Broken) -> Refusal {
        match broken {
            Broken::Garbage(garbage) => self.garbage(garbage),
            other => self.broken(other),
        }
    }

    /// A reply that holds what the client's dialect has no place for. It is not the upstream's fault, and another try makes no difference.
    pub(crate) fn untold(&self, untold: &Untold) -> Refusal {
        tracing::warn!(
            request_id = %self.id, backend = %self.backend.name, kind = "untold", "{untold}"
        );
        told(format!("Backend {:?}: {untold}.", self.name))
    }

    /// A stream that the upstream itself ended with an error, of which nothing has left yet.
    pub(crate) fn failed(&self, failure: &Failure) -> Refusal {
        let said = self.masked(&failure.message);
        let said = bounded(&said, TOLD);
        self.did(&format!("broke its reply off with an error: {said}"))
    }

    /// A reply that did not come to its end, as its server itself says.
    fn unended(&self, unended: &Unended) -> Refusal {
        self.note("unended");
        let said = self.masked(&unended.to_string());
        Refusal {
            retry: true,
            ..told(format!("Backend {:?}: {said}.", self.name))
        }
    }

    /// A stream that cannot go on.
    pub(crate) fn broken(&self, broken: &Broken) -> Refusal {
        let (kind, code) = match broken {
            Broken::Untold(untold) => return self.untold(untold),
            Broken::Unended(unended) => return self.unended(unended),
            Broken::Cut => ("cut", "upstream_cut"),
            Broken::Uncut(_) | Broken::Garbage(_) => ("unreadable", "upstream_failed"),
            Broken::TooLong => ("too_long", "upstream_failed"),
        };
        self.note(kind);
        let said = match broken {
            Broken::Garbage(garbage) => self.quote(garbage),
            other => other.to_string(),
        };
        let message = format!(
            "The stream of backend {:?} cannot be read on: {said}.",
            self.name
        );
        Refusal {
            retry: true,
            code,
            ..told(message)
        }
    }

    /// A reply that broke off, or did not come in time.
    pub(crate) fn fault(&self, fault: &Fault) -> Refusal {
        let kind = fault.kind();
        tracing::warn!(request_id = %self.id, backend = %self.backend.name, kind, "{fault}");
        Refusal::upstream(self.name, fault)
    }

    /// What is wrong with a reply, and how it begins: the quote may end within a secret, which is as good as told then.
    fn quote(&self, garbage: &Garbage) -> String {
        let message = self.masked(&garbage.message);
        let quoted = match garbage.quoted.strip_suffix('…') {
            None => self.masked(&garbage.quoted),
            Some(cut) => {
                let whole = self
                    .backend
                    .masked_beginning(Bytes::copy_from_slice(cut.as_bytes()));
                format!("{}…", String::from_utf8_lossy(&whole))
            }
        };
        let garbage = Garbage {
            message: bounded(&message, TOLD).to_owned(),
            quoted,
        };
        garbage.to_string()
    }

    fn masked(&self, said: &str) -> String {
        let said = self.backend.masked(Bytes::copy_from_slice(said.as_bytes()));
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Once, when it is met. What the upstream said may be anybody's, and stays out of the log.
    fn note(&self, kind: &str) {
        tracing::warn!(
            request_id = %self.id, backend = %self.backend.name, kind, "the reply cannot be read"
        );
    }
}

/// What the backend of this name did, as in "sent a reply that is too long".
pub(crate) fn refusal(name: &str, what: &str) -> Refusal {
    told(format!("Backend {name:?} {what}."))
}

fn told(message: String) -> Refusal {
    Refusal {
        blame: Blame::Upstream,
        ..Refusal::client(StatusCode::BAD_GATEWAY, "upstream_failed", message)
    }
}
