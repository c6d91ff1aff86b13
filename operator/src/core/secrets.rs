//! Secrets that somebody refers to: when they are read, and what came of it.

use std::time::{Duration, Instant};

use dragoman_config::{Object, ObjectKey, SecretData};

use super::faults::Fault;
use super::{Core, ENOUGH};
use crate::pki::SECRET;

/// How often a Secret that the operator may not read is tried again: no watch tells that somebody grants it.
const FORBIDDEN: Duration = Duration::from_mins(1);

impl Core {
    /// A Secret is not sent by the watch, which sees metadata alone: it is read when somebody refers to it.
    pub(super) fn secret_changed(&mut self, name: ObjectKey, now: Instant) {
        if name.name == SECRET && name.namespace == self.installation.namespace {
            self.authorities_changed.notify_one();
        }
        if self.wanted_secrets.contains(&name) {
            self.secret_reads.urge(name, now);
        }
    }

    /// Takes in what came of reading a Secret.
    pub(super) fn secret_answered(
        &mut self,
        name: ObjectKey,
        read: kube::Result<SecretData>,
        now: Instant,
    ) {
        // Nobody refers to it any more: what we do not need we do not keep.
        let wanted = self.wanted_secrets.contains(&name);
        let forbidden = matches!(&read, Err(kube::Error::Api(status)) if status.code == 403);
        let answered = read.is_ok() || forbidden || !wanted;
        self.secret_reads.done(&name, answered, now);
        if !wanted {
            return;
        }
        match read {
            Ok(data) => {
                self.secret_faults_told.over(&name);
                self.secret_settled(name, data, now);
            }
            Err(fault) => {
                let is_news = self.secret_faults_told.is_news(&name, &Fault::of(&fault));
                if forbidden {
                    if is_news {
                        tracing::error!(secret = %name, %fault, again = ?FORBIDDEN, "the operator may not read a Secret that a backend refers to; it is tried again");
                    }
                    self.secret_reads.want(name.clone(), now + FORBIDDEN);
                    self.secret_settled(name, SecretData::Unreadable, now);
                } else {
                    if is_news {
                        tracing::warn!(secret = %name, %fault, "a Secret could not be read; it is tried again");
                    } else {
                        tracing::debug!(secret = %name, %fault, "a Secret still cannot be read");
                    }
                    self.secret_failed(name, now);
                }
            }
        }
    }

    /// Takes in that a Secret could not be read: one that nobody can read must not keep everything else from being served.
    fn secret_failed(&mut self, name: ObjectKey, now: Instant) {
        if !self.unread_secrets.contains(&name) {
            return;
        }
        let faults = self.secret_faults.entry(name.clone()).or_default();
        *faults += 1;
        if *faults >= ENOUGH {
            self.secret_settled(name, SecretData::Unreadable, now);
            return;
        }
        let changes = self
            .world
            .apply(Object::Secret(name, SecretData::Unreadable));
        self.changed(changes, now);
    }

    /// Takes in what there is to know of a Secret: nobody else waits for it any more.
    fn secret_settled(&mut self, name: ObjectKey, data: SecretData, now: Instant) {
        self.unread_secrets.remove(&name);
        self.secret_faults.remove(&name);
        let changes = self.world.apply(Object::Secret(name, data));
        self.changed(changes, now);
        self.check_ready(now);
    }
}
