//! What the API server said of tokens a moment ago.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dragoman_logbook::web::{Refusal, Viewer};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// How long what somebody may see is believed. A session believes it for as long again: together no more than a minute.
const OPENED: Duration = Duration::from_secs(30);
/// How long a refusal is: whoever was just granted something does not wait for it.
const REFUSED: Duration = Duration::from_secs(5);
/// The most tokens that are remembered; the oldest goes when there would be more.
const MOST: usize = 256;

type Said = Result<Viewer, Refusal>;

/// By the digests of tokens, which themselves are not kept.
#[derive(Default)]
pub(super) struct Believed(Mutex<HashMap<[u8; 32], (Instant, Said)>>);

impl Believed {
    pub(super) fn find(&self, token: &str, now: Instant) -> Option<Said> {
        let said = self.0.lock();
        let (at, said) = said.get(&key(token))?;
        is_believed(*at, said, now).then(|| said.clone())
    }

    /// Notes what was said at some time; nothing, if the API server was away.
    pub(super) fn note(&self, token: &str, said: &Said, at: Instant) {
        if matches!(said, Err(Refusal::Away(_))) {
            return;
        }
        let mut all = self.0.lock();
        all.retain(|_, (then, said)| is_believed(*then, said, at));
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, (then, _))| *then);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.map(|key| all.remove(&key));
        }
        all.insert(key(token), (at, said.clone()));
    }
}

fn is_believed(at: Instant, said: &Said, now: Instant) -> bool {
    let lasts = if said.is_ok() { OPENED } else { REFUSED };
    now.saturating_duration_since(at) < lasts
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_believed_for_a_moment_and_a_refusal_for_less() {
        let (believed, now) = (Believed::default(), Instant::now());
        let team = Ok(Viewer::Namespaces(vec!["team".into()]));
        believed.note("theirs", &team, now);
        believed.note("wrong", &Err(Refusal::Unknown), now);
        believed.note("unsure", &Err(Refusal::Away("away".into())), now);
        assert_eq!(believed.find("theirs", now), Some(team.clone()));
        assert_eq!(believed.find("wrong", now), Some(Err(Refusal::Unknown)));
        assert_eq!(believed.find("unsure", now), None);
        let later = now + REFUSED;
        assert_eq!(believed.find("theirs", later), Some(team));
        assert_eq!(believed.find("wrong", later), None);
        assert_eq!(believed.find("theirs", now + OPENED), None);
    }

    #[test]
    fn tokens_are_bounded_and_the_oldest_is_forgotten_first() {
        let (believed, now) = (Believed::default(), Instant::now());
        for at in 0..=MOST as u64 {
            let at = (at, now + Duration::from_micros(at));
            believed.note(&at.0.to_string(), &Ok(Viewer::All), at.1);
        }
        let now = now + Duration::from_secs(1);
        assert_eq!(believed.find("0", now), None);
        assert!(believed.find("1", now).is_some());
        assert_eq!(believed.0.lock().len(), MOST);
    }
}
