//! How the process ends: what the system asks of it, and the drain that follows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::readiness::Readiness;
use crate::state::Shared;

/// Signals that mean something to us.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens to signals from now on. Must be called within a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT. Each SIGHUP until then notifies `reload`.
    pub(super) async fn stop(&mut self, reload: &Notify) {
        loop {
            tokio::select! {
                Some(()) = self.hangup.recv() => reload.notify_one(),
                Some(()) = self.terminate.recv() => return,
                Some(()) = self.interrupt.recv() => return,
                else => std::future::pending().await,
            }
        }
    }
}

/// How long a stop may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long requests are still accepted, because not everybody knows yet that we go.
    pub(super) delay: Duration,
    /// How long requests may take to end after that.
    pub(super) timeout: Duration,
}

/// Ends gracefully: not ready at once, closed after the delay, over when `drained` is, or time is up, or `hurry` asks.
pub(super) async fn drain(
    shared: &Arc<Shared>,
    readiness: &Readiness,
    patience: Patience,
    drained: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) {
    readiness.terminate();
    let delay = patience.delay;
    tracing::info!(
        ?delay,
        in_flight = shared.in_flight(),
        "stopping; requests are still accepted"
    );
    let calm = async {
        sleep(delay).await;
        shared.drain();
        tracing::info!(
            in_flight = shared.in_flight(),
            "closed; requests may finish"
        );
        if tokio::time::timeout(patience.timeout, drained)
            .await
            .is_err()
        {
            let in_flight = shared.in_flight();
            tracing::warn!(
                in_flight,
                "time is up; requests are cut off (--drain-timeout)"
            );
        }
    };
    tokio::select! {
        () = calm => {}
        () = hurry => {
            tracing::warn!(in_flight = shared.in_flight(), "told to stop again; requests are cut off");
        }
    }
    shared.drain();
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Patience = Patience {
        delay: Duration::from_secs(5),
        timeout: Duration::from_secs(45),
    };

    async fn seconds(drained: impl Future<Output = ()>, hurry: impl Future<Output = ()>) -> u64 {
        let shared = Shared::new(1);
        shared.set_ready(true);
        let readiness = Readiness::new(Arc::clone(&shared), "config");
        let start = Instant::now();
        drain(&shared, &readiness, PATIENCE, drained, hurry).await;
        assert!(*shared.draining().borrow() && !readiness.answer().ready);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_accepted_until_endpoints_are_gone_and_then_finish() {
        assert_eq!(
            seconds(async { sleep(Duration::from_secs(3)).await }, pending()).await,
            8
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_end_does_not_hold_us_for_ever() {
        assert_eq!(seconds(pending(), pending()).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_twice_does_not_want_to_wait() {
        assert_eq!(seconds(pending(), ready(())).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_falls_before_the_listener_closes() {
        let shared = Shared::new(1);
        shared.set_ready(true);
        let readiness = Readiness::new(Arc::clone(&shared), "config");
        let stop = drain(&shared, &readiness, PATIENCE, pending(), pending());
        let seen = async {
            sleep(Duration::from_secs(1)).await;
            assert!(!readiness.answer().ready && !*shared.draining().borrow());
        };
        tokio::select! { () = stop => panic!("too early"), () = seen => {} }
    }
}
