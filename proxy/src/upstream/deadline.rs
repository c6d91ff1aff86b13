//! The bounds on time of one exchange, with one timer that is touched only when there is something to wait for.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::fault::{Fault, Phase};

/// How long each phase of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TCP connection and TLS session to one address. Default 5 s.
    pub connect: Duration,
    /// From the sent request to the head of the reply. Default 300 s.
    pub first_byte: Duration,
    /// Between two parts of the reply. Default 120 s.
    pub idle: Duration,
    /// For everything. Default 600 s.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(300),
            idle: Duration::from_secs(120),
            request: Duration::from_secs(600),
        }
    }
}

/// Watches the current phase and the whole request.
///
/// A part that arrives only moves a time in memory; the timer itself is set anew when it fires too early, so that
/// a stream of a thousand events costs one or two timer operations.
pub(crate) struct Deadline {
    timeouts: Timeouts,
    /// When the whole request must be over, and how long it had.
    end: Instant,
    total: Duration,
    phase: Phase,
    phase_end: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Starts `now`; `end` bounds the whole request further where it is earlier.
    pub(crate) fn start(timeouts: Timeouts, now: Instant, end: Option<Instant>) -> Self {
        let own = now + timeouts.request;
        let end = end.map_or(own, |end| end.min(own));
        Deadline {
            timeouts,
            end,
            total: end.saturating_duration_since(now),
            phase: Phase::Request,
            phase_end: end,
            sleep: None,
        }
    }

    /// Enters a phase, whose bound counts from now.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_end = Instant::now() + self.length(phase);
    }

    /// Ready with the fault once a bound has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let due = self.phase_end.min(self.end);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= due {
                break;
            }
            sleep.as_mut().reset(due);
        }
        let phase = if self.phase_end <= self.end {
            self.phase
        } else {
            Phase::Request
        };
        Poll::Ready(Fault::Timeout {
            phase,
            after: self.length(phase),
            replying: self.phase == Phase::Idle,
        })
    }

    /// The fault once the bound on the whole request has passed. No timer is set.
    pub(crate) fn over(&self) -> Option<Fault> {
        (Instant::now() >= self.end).then(|| Fault::Timeout {
            phase: Phase::Request,
            after: self.total,
            replying: true,
        })
    }

    fn length(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Connect => self.timeouts.connect,
            Phase::FirstByte => self.timeouts.first_byte,
            Phase::Idle => self.timeouts.idle,
            Phase::Request => self.total,
        }
    }

    /// Runs `work` until it is done or a bound passes.
    pub(crate) async fn bound<T>(
        &mut self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            self.poll(cx).map(Err)
        })
        .await
    }
}
