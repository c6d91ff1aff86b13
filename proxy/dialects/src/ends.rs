//! Answers that do not come to an end: their server says that it failed, or gives a reason that nobody here knows.
//!
//! [`Finish::Other`] holds such a reason. A client whose dialect has the same words ([`Wire::ends_like`](crate::Wire::ends_like)) is told it as it came;
//! to all others it is an error, since their nearest word would be that of a good end.

use crate::codec::{Frame, StreamReader};
use crate::form::{Event, Failure, Finish, Garbage, Reply};

/// An answer that may lack a part. The upstream's fault; another try may do better. A 502.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model's server ended the answer for the reason {reason:?}, which is no good end as far as is known here, and for which the API that was called has no word"
)]
pub struct Unended {
    /// The reason in the server's word, cut to [`Garbage::QUOTED`].
    pub reason: String,
}

impl Unended {
    fn of(finish: &Finish) -> Option<Self> {
        let Finish::Other(word) = finish else {
            return None;
        };
        let reason = word[..word.floor_char_boundary(Garbage::QUOTED)].to_owned();
        Some(Self { reason })
    }

    fn failure(&self) -> Failure {
        Failure {
            code: Some("upstream_failed".into()),
            ..Failure::new(502, format!("The answer broke off: {self}."))
        }
    }
}

/// Checks that every choice of a whole reply came to an end.
///
/// # Errors
/// [`Unended`], of the first that did not.
pub fn check(reply: &Reply) -> Result<(), Unended> {
    let finishes = reply.choices.iter().filter_map(|it| it.finish.as_ref());
    finishes.filter_map(Unended::of).next().map_or(Ok(()), Err)
}

/// A reader whose streams fail where they would be done and a choice did not come to an end. Until then the others go on, and usage is told.
pub struct Ended {
    reader: Box<dyn StreamReader>,
    unended: Option<Unended>,
}

impl Ended {
    /// Around a reader.
    #[must_use]
    pub fn new(reader: Box<dyn StreamReader>) -> Self {
        let unended = None;
        Self { reader, unended }
    }
}

impl StreamReader for Ended {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let Self { reader, unended } = self;
        reader.read(frame, &mut |event| pass(event, unended, emit))
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        let Self { reader, unended } = self;
        reader.end(&mut |event| pass(event, unended, emit))
    }
}

fn pass(event: Event<'_>, unended: &mut Option<Unended>, emit: &mut dyn FnMut(Event<'_>)) {
    match (&event, &*unended) {
        (Event::Finish { reason, .. }, _) if let Some(fault) = Unended::of(reason) => {
            unended.get_or_insert(fault);
        }
        (Event::Done, Some(fault)) => emit(Event::Failed(fault.failure())),
        _ => emit(event),
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ended")
            .field("unended", &self.unended)
            .finish_non_exhaustive()
    }
}
