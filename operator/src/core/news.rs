//! Events: when people are told that a resource turned ready, or ceased to be.

use std::time::{Duration, Instant};

use dragoman_config::Key;

use super::{Core, Job};
use crate::status::{News, ready_of};

/// How long a resource must be unready before it is news: what is applied together comes one after the other, and refers to
/// what comes next.
const GRACE: Duration = Duration::from_secs(3);

impl Core {
    /// Wants people to be told, if a status that now stands is news.
    pub(super) fn want_news(&mut self, key: Key, now: Instant) {
        if self.term.is_none() {
            return;
        }
        match self.news_of(&key) {
            Some(news) if news.is_ready() => self.news.want(key, now),
            Some(_) => self.news.want(key, now + GRACE),
            None => self.news.forget(&key),
        }
    }

    /// The job that tells people, if there is still something to tell.
    pub(super) fn news_job(&mut self, key: &Key) -> Option<Job> {
        let news = self.news_of(key)?;
        let entry = self.statuses.get_mut(key)?;
        news.ready.clone_into(&mut entry.told);
        Some(Job::Tell {
            key: key.clone(),
            uid: entry.uid.clone(),
            news,
        })
    }

    fn news_of(&self, key: &Key) -> Option<News> {
        // What goes with its namespace falls apart piece by piece, and nobody asked to be told.
        if self.terminating.contains(&key.object.namespace) {
            return None;
        }
        let entry = self.statuses.get(key)?;
        News::new(ready_of(&entry.status)?, &entry.told)
    }
}
