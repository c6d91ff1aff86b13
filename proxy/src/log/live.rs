//! Requests that have not ended: told of, and cancelled, by the threads that they run on.

use std::sync::Arc;
use std::time::Duration;

use dragoman_logbook::web::{Live, Running};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long a thread may take to answer. One that is busier than that is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a thread is asked.
#[derive(Debug)]
pub(crate) enum Ask {
    /// All that it serves.
    List(oneshot::Sender<Vec<Running>>),
    /// To end a request as if its client had left; whether it was there is answered.
    Cancel(Arc<str>, oneshot::Sender<bool>),
    /// To end all of them, since the process does.
    EndAll(oneshot::Sender<()>),
}

/// The threads that serve.
#[derive(Debug, Clone, Default)]
pub struct Threads(Arc<Mutex<Vec<mpsc::UnboundedSender<Ask>>>>);

impl Threads {
    /// What a thread that begins to serve is asked.
    pub(crate) fn enter(&self) -> mpsc::UnboundedReceiver<Ask> {
        let (sender, asked) = mpsc::unbounded_channel();
        self.0.lock().push(sender);
        asked
    }

    /// Ends all that runs, so that it is on record.
    pub async fn end_all(&self) {
        self.ask(Ask::EndAll).await;
    }

    /// What each thread answers.
    async fn ask<T>(&self, ask: impl Fn(oneshot::Sender<T>) -> Ask) -> Vec<T> {
        let answers: Vec<_> = {
            let threads = self.0.lock();
            let asked = threads.iter().map(|thread| {
                let (reply, answer) = oneshot::channel();
                // A thread that has ended serves nothing.
                let _ = thread.send(ask(reply));
                timeout(PATIENCE, answer)
            });
            asked.collect()
        };
        let answers = join_all(answers).await.into_iter();
        answers.filter_map(|answer| answer.ok()?.ok()).collect()
    }
}

impl Live for Threads {
    fn list(&self) -> BoxFuture<'_, Vec<Running>> {
        let listed = self.ask(Ask::List);
        listed.map(|lists| lists.concat()).boxed()
    }

    fn cancel<'a>(&'a self, id: &'a str) -> BoxFuture<'a, bool> {
        let id: Arc<str> = id.into();
        let asked = async move {
            let answers = self.ask(|reply| Ask::Cancel(Arc::clone(&id), reply)).await;
            answers.contains(&true)
        };
        asked.boxed()
    }
}
