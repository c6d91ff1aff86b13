//! What policies add to streams in the proxy, and nobody adds here: of none of these there can be one.

/// Rules on replies.
pub mod response {
    use dragoman_dialects::form::{Event, Failure};

    /// What rules do not refuse.
    pub enum Never {}

    /// Why rules ended a stream.
    pub enum Stopped {
        /// Nobody could judge it.
        Unjudged(Never),
    }

    impl Stopped {
        /// What the client is told.
        pub fn failure(&self) -> Failure {
            match *self {
                Self::Unjudged(ref never) => match *never {},
            }
        }
    }

    /// What judges a stream.
    pub enum StreamJudge {}

    impl StreamJudge {
        /// Takes an event.
        pub fn take(
            &mut self,
            _event: Event<'_>,
            _give: &mut dyn FnMut(Event<'_>),
        ) -> Result<(), Stopped> {
            match *self {}
        }
    }
}

pub mod usage;
