//! Replies that are on record, looked for on the log's thread: a few at once, while others wait, and no more wait than there is room for.

use std::sync::Arc;
use std::time::Duration;

use dragoman_logbook::fault::Fault;
use dragoman_logbook::replay::{Found, Replies, Wanted};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// How many are looked for at once. Each may hold the largest row twice.
const AT_ONCE: usize = 2;
/// How many may wait for that.
const WAITING: usize = 64;
/// How long one may take, waiting included.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where replies are asked for. A clone asks the same.
#[derive(Debug, Clone)]
pub(crate) struct Replays(mpsc::Sender<Ask>);

#[derive(Debug)]
struct Ask {
    wanted: Wanted,
    answer: oneshot::Sender<Result<Found, Fault>>,
}

impl Replays {
    /// Looks there, on the current runtime, as long as somebody may ask.
    pub(super) fn start(replies: impl Replies) -> Self {
        let (sender, mut asked) = mpsc::channel::<Ask>(WAITING);
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(AT_ONCE));
            while let Ok(place) = Arc::clone(&places).acquire_owned().await
                && let Some(mut ask) = asked.recv().await
            {
                let replies = replies.clone();
                tokio::spawn(async move {
                    let _place = place;
                    let found = tokio::select! {
                        found = replies.reply(&ask.wanted) => found,
                        () = ask.answer.closed() => return,
                    };
                    let _ = ask.answer.send(found);
                });
            }
        });
        Self(sender)
    }

    /// Looks for a reply.
    ///
    /// # Errors
    /// [`Fault`], where nobody can say for now whether it is there.
    pub(crate) async fn find(&self, wanted: Wanted) -> Result<Found, Fault> {
        let (answer, found) = oneshot::channel();
        if self.0.try_send(Ask { wanted, answer }).is_err() {
            return Err(Fault::Away("too many replies are asked for at once".into()));
        }
        match timeout(PATIENCE, found).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(Fault::Away("the log has ended".into())),
            Err(_) => Err(Fault::Away("no answer in time".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    /// Answers when it is told to, and counts.
    #[derive(Clone, Default)]
    struct Slow(Arc<(Notify, std::sync::atomic::AtomicUsize)>);

    impl Replies for Slow {
        async fn reply(&self, _: &Wanted) -> Result<Found, Fault> {
            self.0.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            self.0.0.notified().await;
            Ok(Found::Nothing)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_are_looked_for_at_once_and_whoever_finds_no_room_is_told() {
        let slow = Slow::default();
        let replays = Replays::start(slow.clone());
        let asking = (0..100).map(|_| replays.find(Wanted::default()));
        let answers = join_all(asking).await;
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(Fault::Away(_))))
        );
        let looked = slow.0.1.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(looked, AT_ONCE);
        // Those have gone, so that there is room.
        let one = tokio::spawn(async move { replays.find(Wanted::default()).await });
        while !one.is_finished() {
            slow.0.0.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert_eq!(one.await.unwrap(), Ok(Found::Nothing));
    }
}
