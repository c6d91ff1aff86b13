//! Programmed: whether every connected proxy runs this generation. It speaks of an edit; once true for a generation it stays.

use dragoman_crds::condition;

use super::Draft;

/// How far proxies are with an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every connected proxy runs it.
    Everywhere,
    /// Some do not yet.
    Pending,
    /// None is connected; where.
    NoProxies(String),
    /// No LLMProxy admits it.
    NotAttached,
    /// It did not compile, so it was not sent.
    NotSent,
    /// A proxy could not apply it; its words.
    Refused(String),
    /// A Service of that name is somebody else's; the cure.
    ServiceConflict(String),
    /// An object that it owns could not be written; the API server's words.
    ChildRefused(String),
}

impl Standing {
    /// Sets Programmed, and the obstacle that it is.
    pub(super) fn set(&self, draft: &mut Draft<'_>) {
        let generation = draft.generation();
        let stood = draft.before(condition::PROGRAMMED).is_some_and(|before| {
            before.status == "True" && before.observed_generation == Some(generation)
        });
        let (reason, message, stalled) = match self {
            Self::Everywhere => return everywhere(draft),
            // Proxies that come and go do not undo what an edit reached.
            Self::Pending | Self::NoProxies(_) if stood => return everywhere(draft),
            Self::Pending => (
                "Pending",
                "not every connected proxy runs this generation yet",
                false,
            ),
            Self::NoProxies(message) => ("NoProxies", message.as_str(), false),
            Self::NotAttached => (
                "NotAttached",
                "no LLMProxy serves it; Accepted says why",
                false,
            ),
            Self::NotSent => (
                "NotSent",
                "it does not compile; proxies keep the version before, or refuse its requests",
                true,
            ),
            Self::Refused(message) => ("RefusedByProxy", message.as_str(), true),
            Self::ServiceConflict(message) => ("ServiceConflict", message.as_str(), true),
            Self::ChildRefused(message) => ("ChildRefused", message.as_str(), true),
        };
        draft.set(condition::PROGRAMMED, "False", reason, message);
        draft.obstacle(reason, message, stalled);
    }
}

fn everywhere(draft: &mut Draft<'_>) {
    draft.set(
        condition::PROGRAMMED,
        "True",
        "Programmed",
        "every connected proxy runs this generation",
    );
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::{at, find, outcome};
    use super::*;
    use dragoman_crds::Condition;

    fn said(standing: &Standing, previous: &[Condition], generation: i64) -> Vec<Condition> {
        let mut outcome = outcome(&[("Accepted", true, "Accepted")]);
        outcome.generation = generation;
        let mut draft = Draft::new(&outcome, previous, at(1));
        standing.set(&mut draft);
        draft.finish("fine")
    }

    #[test]
    fn proxies_that_come_and_go_do_not_undo_it_and_an_edit_does() {
        let programmed = said(&Standing::Everywhere, &[], 1);
        for standing in [Standing::Pending, Standing::NoProxies("none".into())] {
            assert_eq!(
                find(&said(&standing, &programmed, 1), "Programmed").status,
                "True"
            );
            assert_eq!(
                find(&said(&standing, &programmed, 2), "Programmed").status,
                "False"
            );
        }
    }

    #[test]
    fn a_proxy_that_refuses_is_told_at_once() {
        let programmed = said(&Standing::Everywhere, &[], 1);
        let refused = said(&Standing::Refused("proxy p: bad".into()), &programmed, 1);
        assert_eq!(find(&refused, "Programmed").reason, "RefusedByProxy");
        assert_eq!(find(&refused, "Stalled").message, "proxy p: bad");
    }

    #[test]
    fn waiting_for_proxies_is_progress_and_not_stalled() {
        let waiting = said(&Standing::Pending, &[], 1);
        assert_eq!(find(&waiting, "Ready").reason, "Pending");
        assert!(waiting.iter().all(|condition| condition.type_ != "Stalled"));
    }
}
