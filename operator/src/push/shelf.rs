//! What the proxies of one LLMProxy run, and how far each stream is.
//!
//! Every change bumps a version and every entry knows the version that it changed in. A stream that is at version *v* is
//! given what changed after *v*, in its latest form: a slow one skips what was overtaken.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dragoman_config::wire::{Content, Put};
use dragoman_config::{Key, hash};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::namespaces::Namespaces;

/// The largest transaction. Far below the longest line that a proxy reads, because one item may follow.
const LARGEST: usize = 6 << 20;

/// What is said of an item that has no fault of its own, or none that is this proxy's business.
pub const KEPT: &str = "kept as it is, because a route may use it that does not compile or parse, or it does not parse itself; correct that one";

/// A stream's number.
pub type StreamId = u64;

/// An item on its way to the shelf.
#[derive(Debug)]
pub struct Update {
    /// Its name.
    pub name: Key,
    /// Its content and its canonical form; absent: it is gone.
    pub content: Option<(Content, Arc<[u8]>)>,
}

impl Update {
    /// An item of which proxies keep the version that they have, for this reason.
    #[must_use]
    pub fn invalid(name: Key, reason: &str) -> Self {
        let content = Content::Invalid(reason.to_owned());
        Self {
            name,
            content: Some((content, reason.as_bytes().into())),
        }
    }
}

#[derive(Debug)]
struct Entry {
    hash: String,
    version: u64,
    /// The item as it stands in a transaction, rendered once for all streams.
    put: Box<RawValue>,
    /// Whether it counts for whose rows proxies may write: it is known to be theirs.
    counts: bool,
}

#[derive(Debug, Default)]
struct Progress {
    sent: u64,
    /// The version that the proxy said it runs; 0 before its first report.
    acked: u64,
    in_flight: VecDeque<(Arc<str>, u64)>,
}

#[derive(Debug)]
struct State {
    version: u64,
    entries: BTreeMap<Key, Entry>,
    /// Deleted items, with the version they went in, while a stream may not have heard of it.
    gone: BTreeMap<Key, u64>,
    changed: BTreeSet<(u64, Key)>,
    digest: Option<Arc<str>>,
    bumped: Instant,
    streams: HashMap<StreamId, Progress>,
    acked: BTreeMap<u64, usize>,
    /// The last line that was rendered: many streams want the same one.
    line: Option<(u64, u64, Bytes)>,
    namespaces: Namespaces,
}

/// What the proxies of one LLMProxy run.
#[derive(Debug)]
pub struct Shelf {
    hash_key: [u8; 32],
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

/// A line to send.
#[derive(Debug)]
pub struct Line {
    /// The line, with its end.
    pub bytes: Bytes,
    /// How many versions it covers.
    pub changes: u64,
    /// When the newest change in it was made.
    pub since: Instant,
}

/// What a stream is to be sent next.
#[derive(Debug)]
pub enum Next {
    /// Nothing: it is up to date.
    Nothing,
    /// This line.
    Line(Line),
    /// More than a line holds: the proxy must sync anew, in parts.
    TooMuch,
}

#[derive(Serialize)]
struct TransactionLine<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    put: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    delete: Vec<&'a Key>,
    digest: &'a str,
    #[serde(rename = "caPem", skip_serializing_if = "Option::is_none")]
    ca_pem: Option<&'a str>,
}

fn render(put: Vec<&RawValue>, delete: Vec<&Key>, digest: &str, ca_pem: Option<&str>) -> Bytes {
    let line = TransactionLine {
        r#type: "transaction",
        put,
        delete,
        digest,
        ca_pem,
    };
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes.into()
}

impl State {
    fn digest(&mut self) -> Arc<str> {
        let entries = &self.entries;
        let digest = self.digest.get_or_insert_with(|| {
            hash::digest(
                entries
                    .iter()
                    .map(|(name, entry)| (name, entry.hash.as_str())),
            )
            .into()
        });
        Arc::clone(digest)
    }

    fn set_acked(&mut self, stream: StreamId, acked: Option<u64>) {
        let former = match acked {
            Some(acked) => {
                let Some(progress) = self.streams.get_mut(&stream) else {
                    return;
                };
                *self.acked.entry(acked).or_default() += 1;
                std::mem::replace(&mut progress.acked, acked)
            }
            None => match self.streams.remove(&stream) {
                Some(progress) => progress.acked,
                None => return,
            },
        };
        if let Some(count) = self.acked.get_mut(&former) {
            *count -= 1;
            if *count == 0 {
                self.acked.remove(&former);
            }
        }
    }
}

impl Shelf {
    /// An empty shelf whose items are hashed with `hash_key`.
    #[must_use]
    pub fn new(hash_key: [u8; 32]) -> Arc<Self> {
        let state = State {
            version: 1,
            entries: BTreeMap::new(),
            gone: BTreeMap::new(),
            changed: BTreeSet::new(),
            digest: None,
            bumped: Instant::now(),
            streams: HashMap::new(),
            acked: BTreeMap::new(),
            line: None,
            namespaces: Namespaces::default(),
        };
        Arc::new(Self {
            hash_key,
            state: Mutex::new(state),
            version: watch::channel(1).0,
        })
    }

    /// Takes in changes that belong together. The same content twice is no change.
    pub fn update(&self, updates: impl IntoIterator<Item = Update>, now: Instant) -> bool {
        let mut state = self.state.lock();
        let version = state.version + 1;
        let mut changed = false;
        for Update { name, content } in updates {
            let former = match content {
                Some((content, canonical)) => {
                    let hash = hash::item_hash(&self.hash_key, &canonical);
                    if state
                        .entries
                        .get(&name)
                        .is_some_and(|entry| entry.hash == hash)
                    {
                        continue;
                    }
                    let put = Put {
                        name: name.clone(),
                        hash: hash.clone(),
                        content,
                    };
                    let Ok(raw) = serde_json::value::to_raw_value(&put) else {
                        continue;
                    };
                    let counted = state.entries.get(&name).is_some_and(|entry| entry.counts);
                    // What is kept because a proxy named it, and does not parse, may be anybody's.
                    let unknown =
                        matches!(&put.content, Content::Invalid(reason) if reason == KEPT);
                    let counts = counted || !unknown;
                    if counts && !counted {
                        state.namespaces.came(&name);
                    }
                    let entry = Entry {
                        hash,
                        version,
                        put: raw,
                        counts,
                    };
                    let former = state.entries.insert(name.clone(), entry);
                    former
                        .map(|entry| entry.version)
                        .or_else(|| state.gone.remove(&name))
                }
                None => {
                    let Some(former) = state.entries.remove(&name) else {
                        continue;
                    };
                    if former.counts {
                        state.namespaces.went(&name);
                    }
                    state.gone.insert(name.clone(), version);
                    Some(former.version)
                }
            };
            if let Some(former) = former {
                state.changed.remove(&(former, name.clone()));
            }
            state.changed.insert((version, name));
            changed = true;
        }
        if changed {
            state.version = version;
            state.digest = None;
            state.line = None;
            state.bumped = now;
            // Before the version is: who asks for what is new finds these current.
            state.namespaces.tell();
            // Whoever connects later says itself what it has.
            let heard = state.streams.values().map(|progress| progress.sent).min();
            let heard = heard.unwrap_or(version);
            let state = &mut *state;
            let forgotten = state.gone.extract_if(.., |_, version| *version <= heard);
            for (name, version) in forgotten {
                state.changed.remove(&(version, name));
            }
        }
        drop(state);
        if changed {
            self.version.send_replace(version);
        }
        changed
    }

    /// The version of the shelf, and its changes.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The namespaces whose rows the proxies may write, and their changes.
    #[must_use]
    pub fn namespaces(&self) -> watch::Receiver<Arc<BTreeSet<String>>> {
        self.state.lock().namespaces.told()
    }

    /// Begins a stream whose proxy has `have`: the lines that bring it up to date, each a transaction.
    #[must_use]
    pub fn begin(
        &self,
        stream: StreamId,
        mut have: BTreeMap<Key, String>,
        ca_pem: Option<&str>,
    ) -> Vec<Bytes> {
        let mut state = self.state.lock();
        let digest = state.digest();
        let version = state.version;
        let in_flight = VecDeque::from([(Arc::clone(&digest), version)]);
        state.streams.insert(
            stream,
            Progress {
                sent: version,
                acked: 0,
                in_flight,
            },
        );
        *state.acked.entry(0).or_default() += 1;

        let mut lines = Vec::new();
        let mut put: Vec<&RawValue> = Vec::new();
        let mut size = 0;
        for (name, entry) in &state.entries {
            if have.get(name) == Some(&entry.hash) {
                continue;
            }
            if size + entry.put.get().len() > LARGEST && !put.is_empty() {
                let partial = hash::digest(have.iter().map(|(name, hash)| (name, hash.as_str())));
                lines.push(render(std::mem::take(&mut put), Vec::new(), &partial, None));
                size = 0;
            }
            put.push(&entry.put);
            size += entry.put.get().len();
            have.insert(name.clone(), entry.hash.clone());
        }
        let delete = have
            .keys()
            .filter(|name| !state.entries.contains_key(*name))
            .collect();
        lines.push(render(put, delete, &digest, ca_pem));
        lines
    }

    /// What a stream is to be sent now. Taken as sent.
    #[must_use]
    pub fn next(&self, stream: StreamId, ca_pem: Option<&str>) -> Next {
        let mut state = self.state.lock();
        let to = state.version;
        let Some(from) = state.streams.get(&stream).map(|progress| progress.sent) else {
            return Next::Nothing;
        };
        if from == to && ca_pem.is_none() {
            return Next::Nothing;
        }
        let digest = state.digest();
        let bytes = match &state.line {
            Some((begin, end, line)) if (*begin, *end) == (from, to) && ca_pem.is_none() => {
                line.clone()
            }
            _ => {
                let mut put = Vec::new();
                let mut delete = Vec::new();
                for (version, name) in state.changed.iter().rev() {
                    if *version <= from {
                        break;
                    }
                    match state.entries.get(name) {
                        Some(entry) => put.push(&*entry.put),
                        None => delete.push(name),
                    }
                }
                if put.iter().map(|put| put.get().len()).sum::<usize>() > LARGEST && put.len() > 1 {
                    return Next::TooMuch;
                }
                render(put, delete, &digest, ca_pem)
            }
        };
        if ca_pem.is_none() {
            state.line = Some((from, to, bytes.clone()));
        }
        let since = state.bumped;
        if let Some(progress) = state.streams.get_mut(&stream) {
            progress.sent = to;
            progress.in_flight.push_back((digest, to));
        }
        Next::Line(Line {
            bytes,
            changes: to - from,
            since,
        })
    }

    /// Takes in that a stream's proxy runs what has this digest. Whether that is news.
    pub fn reported(&self, stream: StreamId, digest: &str) -> bool {
        let mut state = self.state.lock();
        let Some(progress) = state.streams.get_mut(&stream) else {
            return false;
        };
        // The newest that fits: the same digest is the same config, whichever way it came about.
        let Some(at) = progress
            .in_flight
            .iter()
            .rposition(|(sent, _)| **sent == *digest)
        else {
            return false;
        };
        let version = progress.in_flight[at].1;
        progress.in_flight.drain(..=at);
        state.set_acked(stream, Some(version));
        true
    }

    /// Ends a stream.
    pub fn end(&self, stream: StreamId) {
        self.state.lock().set_acked(stream, None);
    }

    /// How many streams there are, and how many of their proxies run `version` or later.
    #[must_use]
    pub fn standing(&self, version: u64) -> (usize, usize) {
        let state = self.state.lock();
        (
            state.streams.len(),
            state.acked.range(version..).map(|(_, count)| count).sum(),
        )
    }

    /// The version that every connected proxy runs; the newest where none is connected.
    #[must_use]
    pub fn common_version(&self) -> u64 {
        let state = self.state.lock();
        state.acked.keys().next().copied().unwrap_or(state.version)
    }

    /// The newest version and its digest.
    #[must_use]
    pub fn current(&self) -> (u64, Arc<str>) {
        let mut state = self.state.lock();
        (state.version, state.digest())
    }

    /// Those of `names` that are not on the shelf.
    pub fn lacking<'k>(&self, names: impl IntoIterator<Item = &'k Key>) -> BTreeSet<Key> {
        let state = self.state.lock();
        let lacks = |name: &&Key| !state.entries.contains_key(*name);
        names.into_iter().filter(lacks).cloned().collect()
    }

    /// The version in which an item last changed, if it is on the shelf.
    #[must_use]
    pub fn version_of(&self, name: &Key) -> Option<u64> {
        self.state
            .lock()
            .entries
            .get(name)
            .map(|entry| entry.version)
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
