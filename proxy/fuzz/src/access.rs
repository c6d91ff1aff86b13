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

/// Limits.
pub mod usage {
    use dragoman_dialects::form::{Event, Usage};

    /// What counts tokens.
    pub enum Meter {}

    impl Meter {
        /// Takes an event.
        pub fn event(&mut self, _event: &Event<'_>) {
            match *self {}
        }

        /// Takes what the server says.
        pub fn said(&mut self, _usage: &Usage) {
            match *self {}
        }

        /// Counts nothing.
        pub fn refund(&mut self) {
            match *self {}
        }

        /// Takes a text of this length.
        pub fn text(&mut self, _length: u64) {
            match *self {}
        }
    }
}
