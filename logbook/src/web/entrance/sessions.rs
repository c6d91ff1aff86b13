//! Who is signed in: in memory alone, bounded, and over after a while.

use crate::web::viewer::Viewer;
use parking_lot::Mutex;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long one stays signed in.
pub(super) const LIFETIME: Duration = Duration::from_hours(12);
/// How long what a door said of a token is believed. A door may believe what it was told for as long again: together no more than a minute.
const BELIEVED: Duration = Duration::from_secs(30);
/// Sessions at once; the oldest ends when there would be more.
const MOST: usize = 1000;

/// The key of a session is the digest of what its cookie says: neither memory nor the time that a look-up takes tells the cookie.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    token: String,
    viewer: Viewer,
    began: Instant,
    asked: Instant,
}

/// What a cookie stands for.
pub(super) enum Found {
    /// Somebody who may see this.
    Viewer(Viewer),
    /// Somebody whose token has to be shown to the doors again.
    Stale(String),
}

impl Sessions {
    /// Begins one and says its cookie.
    pub(super) fn begin(&self, token: &str, viewer: Viewer, now: Instant) -> String {
        let secret: [u8; 32] = rand::rng().random();
        let cookie: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut sessions = self.0.lock();
        sessions.retain(|_, session| now.duration_since(session.began) < LIFETIME);
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.map(|key| sessions.remove(&key));
        }
        let session = Session {
            token: token.to_owned(),
            viewer,
            began: now,
            asked: now,
        };
        sessions.insert(key(&cookie), session);
        cookie
    }

    pub(super) fn find(&self, cookie: &str, now: Instant) -> Option<Found> {
        let sessions = self.0.lock();
        let session = sessions.get(&key(cookie))?;
        if now.duration_since(session.began) >= LIFETIME {
            return None;
        }
        Some(if now.duration_since(session.asked) < BELIEVED {
            Found::Viewer(session.viewer.clone())
        } else {
            Found::Stale(session.token.clone())
        })
    }

    /// Notes what a door says now.
    pub(super) fn renew(&self, cookie: &str, viewer: Viewer, now: Instant) {
        if let Some(session) = self.0.lock().get_mut(&key(cookie)) {
            session.viewer = viewer;
            session.asked = now;
        }
    }

    pub(super) fn end(&self, cookie: &str) {
        self.0.lock().remove(&key(cookie));
    }
}

fn key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_asked_about_again_and_ends_in_time() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let cookie = sessions.begin("token", Viewer::All, now);
        assert_eq!(cookie.len(), 64);
        assert!(matches!(
            sessions.find(&cookie, now),
            Some(Found::Viewer(Viewer::All))
        ));
        let later = now + BELIEVED;
        assert!(
            matches!(sessions.find(&cookie, later), Some(Found::Stale(token)) if token == "token")
        );
        sessions.renew(&cookie, Viewer::Namespaces(Vec::new()), later);
        assert!(matches!(
            sessions.find(&cookie, later),
            Some(Found::Viewer(Viewer::Namespaces(_)))
        ));
        assert!(sessions.find(&cookie, now + LIFETIME).is_none());
        assert!(sessions.find("another", now).is_none());
        sessions.end(&cookie);
        assert!(sessions.find(&cookie, now).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_ends_first() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let begin = |second| sessions.begin("t", Viewer::All, now + Duration::from_secs(second));
        let first = begin(0);
        let second = begin(1);
        (2..=MOST as u64).for_each(|at| drop(begin(at)));
        assert!(sessions.find(&first, now).is_none());
        assert!(sessions.find(&second, now).is_some());
        assert_eq!(sessions.0.lock().len(), MOST);
    }
}
