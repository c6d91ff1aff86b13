//! LogHealthy: whether the rows of an LLMProxy's proxies are stored. It does not make one unready: requests are served whatever becomes of their rows.

use dragoman_config::wire::LogState;
use dragoman_crds::condition;

use super::Draft;

/// What proxies say of their rows: how many say what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    proxies: usize,
    stored: usize,
    lagging: usize,
    away: usize,
    dropped: usize,
    not_kept: usize,
}

impl Rows {
    /// Counts what each proxy says; an older one says nothing.
    pub fn of(said: impl Iterator<Item = Option<LogState>>) -> Self {
        let mut rows = Self::default();
        for said in said {
            rows.proxies += 1;
            match said {
                Some(LogState::Stored) => rows.stored += 1,
                Some(LogState::Lagging) => rows.lagging += 1,
                Some(LogState::LogbookAway) => rows.away += 1,
                Some(LogState::Dropped) => rows.dropped += 1,
                Some(LogState::NotKept) => rows.not_kept += 1,
                Some(LogState::Unknown) | None => {}
            }
        }
        rows
    }

    /// Sets LogHealthy. What is lost comes before what waits.
    pub(super) fn set(&self, draft: &mut Draft<'_>) {
        let (status, reason, message) = self.said();
        draft.set(condition::LOG_HEALTHY, status, reason, &message);
    }

    fn said(&self) -> (&'static str, &'static str, String) {
        let all = self.proxies;
        let fault = |some: usize, reason, what: &str| {
            ("False", reason, format!("{some} of {all} proxies {what}"))
        };
        if self.dropped > 0 {
            return fault(
                self.dropped,
                "Dropped",
                "lost rows of the request log within ten minutes; their own logs say why: more came than could be stored and spooled, or rows that can never be stored",
            );
        }
        if self.away > 0 {
            return fault(
                self.away,
                "LogbookAway",
                "reach no logbook that stores their rows, which wait with them until they find no more room; see Deployment dragoman-logbook of the operator's namespace, and its log",
            );
        }
        if self.lagging > 0 {
            return fault(
                self.lagging,
                "Lagging",
                "have rows that wait longer than 15 s, since the logbook stores fewer than come; give its database more, or use Postgres (logbook.postgres)",
            );
        }
        let unknown = |reason, message: &str| ("Unknown", reason, message.to_owned());
        if all == 0 {
            unknown("NoProxies", "no proxy is connected that could say")
        } else if self.stored == all {
            (
                "True",
                "Stored",
                "the rows of every proxy are stored".into(),
            )
        } else if self.stored > 0 {
            let message = format!(
                "the rows of {} of {all} proxies are stored; the others keep none yet, or are older and do not say",
                self.stored
            );
            ("True", "Stored", message)
        } else if self.not_kept > 0 {
            unknown(
                "NotKept",
                "no rows are kept: the operator knows of no logbook (logbook.enabled), or has not told the proxies yet",
            )
        } else {
            unknown(
                "NotReported",
                "the proxies do not say: they are older than the operator",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(states: &[Option<LogState>]) -> (&'static str, &'static str, String) {
        Rows::of(states.iter().copied()).said()
    }

    #[test]
    fn what_is_lost_is_told_before_what_waits_and_how_many_it_concerns() {
        let stored = Some(LogState::Stored);
        let (status, reason, message) = said(&[stored, stored]);
        assert_eq!((status, reason), ("True", "Stored"));
        // Nothing that changes while nothing happens.
        assert!(
            !message.contains(|letter: char| letter.is_ascii_digit()),
            "{message}"
        );
        let mut all = vec![stored];
        for (state, expected) in [
            (LogState::Lagging, "Lagging"),
            (LogState::LogbookAway, "LogbookAway"),
            (LogState::Dropped, "Dropped"),
        ] {
            all.push(Some(state));
            let (status, reason, message) = said(&all);
            assert_eq!((status, reason), ("False", expected));
            let counted = format!("1 of {} proxies", all.len());
            assert!(message.starts_with(&counted), "{message}");
        }
    }

    #[test]
    fn older_proxies_count_as_unknown() {
        assert_eq!(said(&[None, None]).1, "NotReported");
        assert_eq!(said(&[Some(LogState::Unknown)]).0, "Unknown");
        assert_eq!(said(&[]).1, "NoProxies");
        assert_eq!(said(&[Some(LogState::NotKept), None]).1, "NotKept");
        let (status, _, message) = said(&[None, Some(LogState::Stored)]);
        assert_eq!(status, "True");
        assert!(message.contains("1 of 2 proxies"), "{message}");
    }
}
