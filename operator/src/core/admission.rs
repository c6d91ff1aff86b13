//! Which proxy may connect to what, and when its stream must end.

use dragoman_config::wire::{Hello, LogState};
use dragoman_config::{Key, Kind, ObjectKey};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Core;
use crate::children::labels;
use crate::lease::Term;
use crate::push::shelf::{Shelf, StreamId};
use crate::push::{Admitted, Claims, FromStream, Refused};

/// A stream that was let in.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) proxy: ObjectKey,
    pub(super) pod: ObjectKey,
    pub(super) pod_uid: String,
    pub(super) ended: CancellationToken,
    /// Items that the proxy could not apply.
    pub(super) refused: BTreeMap<Key, String>,
    /// How many addresses it has banned.
    pub(super) banned: Option<u32>,
    /// Why it counts for itself although a Redis is configured.
    pub(super) redis_away: Option<String>,
    /// Whether its rows of the request log are stored, once it has reported; none within, if it does not say.
    pub(super) log: Option<Option<LogState>>,
}

impl Core {
    /// Takes in what a stream says.
    pub fn from_stream(&mut self, message: FromStream, now: Instant) {
        match message {
            FromStream::Knock { claims, answer } => {
                let verdict = self.known_proxy(&claims);
                if let Err(refusal) = &verdict {
                    tracing::info!(pod = %claims.pod, %refusal, "a proxy was not let in");
                }
                let _ = answer.send(verdict.map(|_| ()));
            }
            FromStream::Connect {
                claims,
                hello,
                answer,
            } => {
                let verdict = self.admit(&claims, &hello, now);
                match &verdict {
                    Ok(admitted) => tracing::info!(
                        proxy = %admitted.proxy, pod = %claims.pod, version = %hello.version, "a proxy connected"
                    ),
                    Err(refusal) => {
                        tracing::info!(pod = %claims.pod, %refusal, "a proxy was not let in");
                    }
                }
                // The peer may be gone again; then its stream ends before it began.
                if let Err(Ok(unheard)) = answer.send(verdict) {
                    self.stream_ended(unheard.stream, now);
                }
            }
            FromStream::Report { stream, report } => self.reported(stream, *report, now),
            FromStream::Ended(stream) => self.stream_ended(stream, now),
        }
    }

    /// The LLMProxy of the Pod whose token this is, if it may be served.
    fn known_proxy(&self, claims: &Claims) -> Result<(ObjectKey, Term), Refused> {
        if !self.acts() {
            return Err(Refused::NotReady("the operator is not ready to serve yet"));
        }
        let Some(term) = self.term.clone() else {
            return Err(Refused::NotReady("this replica does not lead"));
        };
        let pod = ObjectKey::new(claims.namespace.clone(), claims.pod.clone());
        let not_yours = |message: String| Err(Refused::NotYours(message));
        let Some(proxy) = self.pods.proxy_of(&pod, &claims.pod_uid) else {
            let label = labels::PROXY;
            return not_yours(format!(
                "no Pod {pod} of that UID carries the label {label}"
            ));
        };
        let account = labels::object_name(&proxy.name);
        if claims.service_account != account {
            return not_yours(format!(
                "Pod {pod} does not run as ServiceAccount {account}"
            ));
        }
        let key = Key {
            kind: Kind::Proxy,
            object: proxy.clone(),
        };
        if self.world.outcome(&key).is_none() {
            return not_yours(format!("LLMProxy {proxy} does not exist"));
        }
        Ok((proxy, term))
    }

    fn admit(&mut self, claims: &Claims, hello: &Hello, now: Instant) -> Result<Admitted, Refused> {
        let (proxy, term) = self.known_proxy(claims)?;
        let pod = ObjectKey::new(claims.namespace.clone(), claims.pod.clone());
        let not_yours = |message: String| Err(Refused::NotYours(message));
        if hello.pod != claims.pod {
            return not_yours(format!("the token is Pod {pod}'s, not {}'s", hello.pod));
        }
        if hello.proxy != proxy.to_string() {
            return not_yours(format!(
                "Pod {pod} belongs to LLMProxy {proxy}, not {}",
                hello.proxy
            ));
        }
        self.end_earlier(&claims.pod_uid, now);
        let identity = &self.identity;
        let shelf = self
            .shelves
            .entry(proxy.clone())
            .or_insert_with(|| Shelf::new(identity.hash_key_of(&proxy)));
        let shelf = Arc::clone(shelf);
        self.adopt(&proxy, &shelf, &hello.items, now);
        let stream = self.next_stream;
        self.next_stream += 1;
        let ended = CancellationToken::new();
        let connected = Connected {
            proxy: proxy.clone(),
            pod,
            pod_uid: claims.pod_uid.clone(),
            ended: ended.clone(),
            refused: BTreeMap::new(),
            banned: None,
            redis_away: None,
            log: None,
        };
        self.streams.insert(stream, connected);
        Ok(Admitted {
            stream,
            proxy,
            shelf,
            ended,
            term,
        })
    }

    /// Ends the streams that a Pod had before: one that dials again has lost them, whatever the network says yet.
    fn end_earlier(&mut self, pod_uid: &str, now: Instant) {
        let earlier: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, connected)| connected.pod_uid == pod_uid)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in earlier {
            if let Some(connected) = self.streams.get(&stream) {
                connected.ended.cancel();
                if let Some(shelf) = self.shelves.get(&connected.proxy) {
                    shelf.end(stream);
                }
            }
            self.stream_ended(stream, now);
        }
    }

    /// Ends the streams of Pods that are gone, or are somebody else's now.
    pub(super) fn end_orphans(&mut self) {
        for connected in self.streams.values() {
            let owner = self.pods.proxy_of(&connected.pod, &connected.pod_uid);
            if owner.as_ref() != Some(&connected.proxy) {
                connected.ended.cancel();
            }
        }
    }

    fn stream_ended(&mut self, stream: StreamId, now: Instant) {
        let Some(connected) = self.streams.remove(&stream) else {
            return;
        };
        tracing::info!(proxy = %connected.proxy, pod = %connected.pod, "a proxy disconnected");
        for upstream in self.health.ended(stream) {
            self.want_health(&upstream, now);
        }
        for item in connected.refused.into_keys() {
            self.want_status(item, now);
        }
        self.caught_up(&connected.proxy, now);
        if connected.redis_away.is_some() {
            self.want_sharing(&connected.proxy, now);
        }
        self.want_status(
            Key {
                kind: Kind::Proxy,
                object: connected.proxy,
            },
            now,
        );
    }
}
