//! Secrets and ConfigMaps that somebody refers to: when they are read, and what came of it.

use std::time::{Duration, Instant};

use dragoman_config::{InputData, InputKey, InputKind};

use super::faults::Fault;
use super::{Core, ENOUGH};
use crate::pki::{LOGBOOK_SECRET, SECRET};

/// How often what the operator may not read is tried again: no watch tells that somebody grants it.
const FORBIDDEN: Duration = Duration::from_mins(1);

impl Core {
    /// Nothing of it is sent by the watch, which sees metadata alone: it is read when somebody refers to it.
    pub(super) fn input_changed(&mut self, name: InputKey, now: Instant) {
        let own = [SECRET, LOGBOOK_SECRET].contains(&name.object.name.as_str())
            && name.object.namespace == self.installation.namespace;
        if own && name.kind == InputKind::Secret {
            self.authorities_changed.notify_one();
        }
        if self.wanted_inputs.contains(&name) {
            self.input_reads.urge(name, now);
        }
    }

    /// Takes in what came of reading it.
    pub(super) fn input_answered(
        &mut self,
        name: InputKey,
        read: kube::Result<InputData>,
        now: Instant,
    ) {
        // Nobody refers to it any more: what we do not need we do not keep.
        let wanted = self.wanted_inputs.contains(&name);
        let forbidden = matches!(&read, Err(kube::Error::Api(status)) if status.code == 403);
        let answered = read.is_ok() || forbidden || !wanted;
        self.input_reads.done(&name, answered, now);
        if !wanted {
            return;
        }
        match read {
            Ok(data) => {
                self.input_faults_told.over(&name);
                self.input_settled(name, data, now);
            }
            Err(fault) => {
                let is_news = self.input_faults_told.is_news(&name, &Fault::of(&fault));
                if forbidden {
                    if is_news {
                        tracing::error!(object = %name, %fault, again = ?FORBIDDEN, "the operator may not read what a resource refers to; it is tried again");
                    }
                    self.input_reads.want(name.clone(), now + FORBIDDEN);
                    self.input_settled(name, InputData::Unreadable, now);
                } else {
                    if is_news {
                        tracing::warn!(object = %name, %fault, "what a resource refers to could not be read; it is tried again");
                    } else {
                        tracing::debug!(object = %name, %fault, "what a resource refers to still cannot be read");
                    }
                    self.input_failed(name, now);
                }
            }
        }
    }

    /// Takes in that it could not be read: what nobody can read must not keep everything else from being served.
    fn input_failed(&mut self, name: InputKey, now: Instant) {
        if !self.unread_inputs.contains(&name) {
            return;
        }
        let faults = self.input_faults.entry(name.clone()).or_default();
        *faults += 1;
        if *faults >= ENOUGH {
            self.input_settled(name, InputData::Unreadable, now);
            return;
        }
        let changes = self.world.apply(name.with(InputData::Unreadable));
        self.changed(changes, now);
    }

    /// Takes in what there is to know of it: nobody else waits for it any more.
    fn input_settled(&mut self, name: InputKey, data: InputData, now: Instant) {
        self.unread_inputs.remove(&name);
        self.input_faults.remove(&name);
        let changes = self.world.apply(name.with(data));
        self.changed(changes, now);
        self.check_ready(now);
    }
}
