//! One watch: a list, then changes, for ever. A watch that fails is begun again and deletes nothing.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;

use super::backoff::Backoff;
use super::read::name_of;
use super::relist::Relist;
use super::{Change, Seen, Source, Thing};

/// The longest wait for an API server that is away. Short: proxies wait for edits meanwhile, and a refused connection
/// costs nobody much.
const LONGEST: Duration = Duration::from_secs(3);

/// Watches what `api` and `config` select and sends what `convert` makes of it, until nobody listens.
pub(super) async fn follow<K, F>(
    source: Source,
    api: Api<K>,
    config: Config,
    convert: F,
    listener: Sender<Seen>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Fn(K) -> Thing,
{
    let mut streaming = true;
    let mut backoff = Backoff::new(Duration::from_millis(200), LONGEST);
    let mut relist = Relist::new();
    let mut failing = false;
    while !listener.is_closed() {
        let config = if streaming {
            config.clone().streaming_lists()
        } else {
            config.clone()
        };
        let mut events = pin!(watcher::watcher(api.clone(), config));
        while let Some(event) = events.next().await {
            let changes = match event {
                Ok(Event::Init) => {
                    relist.begin();
                    Vec::new()
                }
                Ok(Event::InitApply(object) | Event::Apply(object)) => {
                    backoff.reset();
                    relist.seen(name_of(object.meta()));
                    vec![Change::Applied(convert(object))]
                }
                Ok(Event::Delete(object)) => {
                    let name = name_of(object.meta());
                    relist.deleted(&name);
                    vec![Change::Deleted(name)]
                }
                Ok(Event::InitDone) => {
                    backoff.reset();
                    let gone = relist.complete().into_iter().map(Change::Deleted);
                    gone.chain([Change::Listed]).collect()
                }
                Err(fault) if streaming && refuses_streaming(&fault) => {
                    tracing::info!(
                        kind = source.as_str(),
                        "the API server has no streaming lists; plain ones are used"
                    );
                    streaming = false;
                    break;
                }
                Err(fault) if is_expired(&fault) => {
                    tracing::debug!(kind = source.as_str(), %fault, "the history is gone; it is listed afresh");
                    tokio::time::sleep(backoff.wait()).await;
                    break;
                }
                Err(fault) => {
                    // Once an outage, not once an attempt.
                    if failing {
                        tracing::debug!(kind = source.as_str(), %fault, "a watch failed again");
                    } else {
                        tracing::warn!(kind = source.as_str(), %fault, "a watch failed; it is begun again until it works");
                    }
                    failing = true;
                    tokio::time::sleep(backoff.wait()).await;
                    continue;
                }
            };
            if !changes.is_empty() && std::mem::take(&mut failing) {
                tracing::info!(kind = source.as_str(), "a watch works again");
            }
            for change in changes {
                if listener.send(Seen { source, change }).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether the history that a watch asks for is gone: only a fresh list helps.
fn is_expired(fault: &watcher::Error) -> bool {
    match fault {
        watcher::Error::WatchError(status) => status.code == 410,
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// Whether the server has no streaming lists: it calls the request invalid. Others of its answers may pass.
fn refuses_streaming(fault: &watcher::Error) -> bool {
    let watcher::Error::WatchStartFailed(kube::Error::Api(status)) = fault else {
        return false;
    };
    matches!(status.code, 400 | 405 | 422)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn refused(code: u16) -> watcher::Error {
        let status = Status {
            code,
            ..Status::failure("no", "Invalid")
        };
        watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn only_a_request_that_the_server_does_not_understand_ends_streaming_lists() {
        assert!(refuses_streaming(&refused(422)));
        assert!(!refuses_streaming(&refused(403)));
        assert!(!refuses_streaming(&refused(500)));
        assert!(!refuses_streaming(&refused(429)));
    }
}
