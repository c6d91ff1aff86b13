//! One watch: a list, then changes, for ever. A watch that fails is begun again and deletes nothing.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Who hears what watches say, and whether the API server is away, which all of them notice.
#[derive(Clone)]
pub(super) struct Listener {
    /// Takes every event.
    pub(super) seen: Sender<Seen>,
    /// How many watches wait for an API server that is away.
    waiting: Arc<AtomicUsize>,
}

impl Listener {
    /// A listener that sends to `seen`.
    pub(super) fn new(seen: Sender<Seen>) -> Self {
        Self {
            seen,
            waiting: Arc::default(),
        }
    }
}

/// What is wrong with a watch at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The API server is away.
    Away,
    /// It answers, and refuses.
    Refused,
}

/// Watches what `api` and `config` select and sends what `convert` makes of it, until nobody listens.
pub(super) async fn follow<K, F>(
    source: Source,
    api: Api<K>,
    config: Config,
    convert: F,
    listener: Listener,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Fn(K) -> Thing,
{
    let mut streaming = true;
    let mut backoff = Backoff::new(Duration::from_millis(200), LONGEST);
    let mut relist = Relist::new();
    let mut trouble = None;
    while !listener.seen.is_closed() {
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
                    fails(source, &fault, &mut trouble, &listener.waiting);
                    tokio::time::sleep(backoff.wait()).await;
                    continue;
                }
            };
            if !changes.is_empty() {
                works(source, &mut trouble, &listener.waiting);
            }
            for change in changes {
                if listener.seen.send(Seen { source, change }).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Reports a fault: once an outage of the API server for all watches, once for a watch that alone is refused.
fn fails(
    source: Source,
    fault: &watcher::Error,
    trouble: &mut Option<Trouble>,
    waiting: &AtomicUsize,
) {
    let now = if is_refusal(fault) {
        Trouble::Refused
    } else {
        Trouble::Away
    };
    let before = trouble.replace(now);
    let first = match (before, now) {
        (Some(before), now) if before == now => false,
        (_, Trouble::Away) => waiting.fetch_add(1, Ordering::Relaxed) == 0,
        (before, Trouble::Refused) => {
            if before.is_some() {
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
            true
        }
    };
    match (first, now) {
        (true, Trouble::Away) => {
            tracing::warn!(kind = source.as_str(), %fault, "the API server cannot be watched; it is tried until it can");
        }
        (true, Trouble::Refused) => {
            tracing::warn!(kind = source.as_str(), %fault, "a watch is refused; it is begun again until it works");
        }
        (false, _) => tracing::debug!(kind = source.as_str(), %fault, "a watch failed"),
    }
}

/// Reports that a watch works, where it did not.
fn works(source: Source, trouble: &mut Option<Trouble>, waiting: &AtomicUsize) {
    match trouble.take() {
        None => {}
        Some(Trouble::Refused) => {
            tracing::info!(kind = source.as_str(), "a watch works again");
        }
        Some(Trouble::Away) => {
            tracing::debug!(kind = source.as_str(), "a watch works again");
            if waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
                tracing::info!("the API server is watched again");
            }
        }
    }
}

/// Whether the API server answered, and the answer is no.
fn is_refusal(fault: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let refused = |fault: &kube::Error| matches!(fault, kube::Error::Api(status) if (400..500).contains(&status.code));
    match fault {
        InitialListFailed(fault) | WatchStartFailed(fault) | WatchFailed(fault) => refused(fault),
        WatchError(status) => (400..500).contains(&status.code),
        _ => false,
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
    use crate::fake_api::{self, Answer};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::Status;
    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use std::collections::VecDeque;

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

    fn config_map(name: &str, version: u32) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": name, "namespace": "ns", "resourceVersion": version.to_string(),
        }})
    }

    /// What a watch makes of an API server without streaming lists, whose lists hold these names one after the other, and whose
    /// watches say these.
    async fn heard(lists: &[&[&str]], watches: Vec<Answer>, events: usize) -> Vec<String> {
        let list = |names: &[&str]| {
            let items: Vec<Value> = names.iter().map(|name| config_map(name, 5)).collect();
            json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "5"}, "items": items})
        };
        let lists: VecDeque<Value> = lists.iter().map(|names| list(names)).collect();
        let script = Arc::new(Mutex::new((lists, VecDeque::from(watches))));
        let client = fake_api::client(move |request| {
            let query = request.uri().query().unwrap_or_default();
            let mut script = script.lock();
            if query.contains("sendInitialEvents") {
                fake_api::refusal(422, "Invalid")
            } else if query.contains("watch=true") {
                script
                    .1
                    .pop_front()
                    .unwrap_or_else(|| fake_api::events(&[]))
            } else {
                fake_api::object(&script.0.pop_front().unwrap())
            }
        });
        let (seen, mut hears) = tokio::sync::mpsc::channel(16);
        let api = Api::<ConfigMap>::namespaced(client, "ns");
        let convert = |map: ConfigMap| Thing::Owned(name_of(&map.metadata), Box::default());
        let listener = Listener::new(seen);
        let watch = follow(
            Source::OwnedConfigMaps,
            api,
            Config::default(),
            convert,
            listener,
        );
        let following = tokio::spawn(watch);
        let mut heard = Vec::new();
        while heard.len() < events {
            heard.push(match hears.recv().await.unwrap().change {
                Change::Applied(Thing::Owned(name, _)) => format!("+{}", name.name),
                Change::Deleted(name) => format!("-{}", name.name),
                other => format!("{other:?}"),
            });
        }
        following.abort();
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_streaming_lists_is_listed_and_watched_plainly() {
        let change = json!({"type": "MODIFIED", "object": config_map("b", 6)});
        let watches = vec![fake_api::events(&[change])];
        assert_eq!(heard(&[&["a"]], watches, 3).await, ["+a", "Listed", "+b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_history_that_is_gone_is_made_good_by_a_fresh_list() {
        let said_in_the_watch = json!({"type": "ERROR", "object": {
            "kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old",
        }});
        let expired = [
            fake_api::refusal(410, "Expired"),
            fake_api::events(&[said_in_the_watch]),
        ];
        for expired in expired {
            let lists: [&[&str]; 2] = [&["a", "b"], &["a"]];
            assert_eq!(
                heard(&lists, vec![expired], 6).await,
                ["+a", "+b", "Listed", "+a", "-b", "Listed"]
            );
        }
    }
}
