//! Manifests that are served, and loaded again when they change. A load with a fault changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dragoman_config::{Item, Key};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::compile::{Compiler, Failure, Refusal};
use super::watch::Watch;
use super::{Fault, Files, Loaded, files};
use crate::control::publish::Publisher;

/// How long after a failure that may be the machine's the same files are tried again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// There is nothing to read.
    #[error("cannot read the config in {}: {} (--config)", path.display(), files::cure(fault))]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// Why not.
        fault: io::Error,
    },
    /// The files have faults; they were logged, each once.
    #[error("the config in {} has {faults} fault{}", path.display(), if *faults == 1 { "" } else { "s" })]
    Files {
        /// The directory or file.
        path: PathBuf,
        /// How many.
        faults: usize,
    },
    /// The files were not compiled.
    #[error(transparent)]
    Compile(#[from] Failure),
}

/// Manifests that are served.
#[derive(Debug)]
pub struct Standalone {
    source: PathBuf,
    compiler: Compiler,
    publisher: Publisher,
    watch: Watch,
    hash: [u8; 32],
    items: BTreeMap<Key, Arc<Item>>,
    /// The faults that were told.
    told: BTreeSet<Fault>,
    /// When the files of `hash`, which were not compiled, are tried again, and the pause after that.
    again: Option<(Instant, Duration)>,
}

impl Standalone {
    /// Loads `source`, a directory or one file, and publishes what it holds. Must be called within a runtime.
    ///
    /// # Errors
    /// [`StartFault`], after every fault was logged.
    pub async fn start(
        source: PathBuf,
        compiler: Compiler,
        publisher: Publisher,
    ) -> Result<Self, StartFault> {
        if let Err(fault) = source.metadata() {
            return Err(StartFault::Unreadable {
                path: source,
                fault,
            });
        }
        // Before the first look, so that no edit falls between the two.
        let watch = Watch::new(&source);
        let files = Files::read(&source);
        let hash = files.hash();
        let loaded = compiler.compile(files).await;
        let mut standalone = Self {
            source,
            compiler,
            publisher,
            watch,
            hash,
            items: BTreeMap::new(),
            told: BTreeSet::new(),
            again: None,
        };
        match loaded {
            Ok(loaded) => standalone.publish(loaded),
            Err(Refusal::Failed(failure)) => return Err(failure.into()),
            Err(Refusal::Faults(faults)) => {
                let count = faults.len();
                standalone.tell(faults);
                return Err(StartFault::Files {
                    path: standalone.source,
                    faults: count,
                });
            }
        }
        standalone.publisher.shared().set_ready(true);
        Ok(standalone)
    }

    /// Loads again whenever the files change or `asked` is notified, for ever.
    pub async fn run(mut self, asked: Arc<Notify>) {
        loop {
            tokio::select! {
                () = self.watch.edited() => {}
                () = asked.notified() => {}
            }
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let source = self.source.clone();
        let read = spawn_blocking(move || {
            let files = Files::read(&source);
            (files.hash(), files)
        });
        let Ok((hash, files)) = read.await else {
            return;
        };
        let due = self.again.is_some_and(|(when, _)| when <= Instant::now());
        if hash == self.hash && !due {
            return;
        }
        let pause = match self.again.take() {
            Some((_, pause)) if hash == self.hash => pause,
            _ => FIRST_PAUSE,
        };
        self.hash = hash;
        match self.compiler.compile(files).await {
            Ok(loaded) => {
                self.told.clear();
                self.publish(loaded);
            }
            Err(Refusal::Faults(faults)) => {
                self.tell(faults);
                tracing::warn!("the files have faults; the previous config stays");
            }
            Err(Refusal::Failed(failure)) => {
                self.again = Some((Instant::now() + pause, (pause * 2).min(LONGEST_PAUSE)));
                tracing::error!(again_in = ?pause, "{failure}; the previous config stays");
            }
        }
    }

    fn publish(&mut self, loaded: Loaded) {
        let (mut items, mut invalid) = (loaded.items, loaded.invalid);
        for (key, why) in &invalid {
            tracing::error!(item = %key, why, "this item does not compile; its previous version stays, without one it is refused");
        }
        invalid.retain(|key, _| match self.items.get(key) {
            Some(before) => {
                items.insert(key.clone(), Arc::clone(before));
                false
            }
            None => true,
        });
        for (key, item) in &mut items {
            match self.items.get(key) {
                Some(before) if before == item => *item = Arc::clone(before),
                _ => {}
            }
        }
        let same = |key: &&Key| matches!((self.items.get(*key), items.get(*key)), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
        let either: BTreeSet<&Key> = self.items.keys().chain(items.keys()).collect();
        let changed: Vec<_> = either
            .into_iter()
            .filter(|key| !same(key))
            .map(Key::to_string)
            .collect();
        let (files, objects) = (loaded.files, loaded.objects);
        tracing::info!(
            files,
            objects,
            changed = changed.join(", "),
            "config loaded"
        );
        if objects == 0 {
            tracing::warn!(source = %self.source.display(), "there is no manifest; nothing is served until there is one");
        }
        for (item, why) in self.publisher.publish_with_invalid(items.clone(), &invalid) {
            tracing::error!(%item, why, "this item cannot be run; its previous version stays, without one it is refused");
        }
        self.items = items;
    }

    /// Logs faults that were not told yet.
    fn tell(&mut self, faults: Vec<Fault>) {
        let faults: BTreeSet<_> = faults.into_iter().collect();
        for fault in faults.difference(&self.told) {
            tracing::error!("{fault}");
        }
        self.told = faults;
    }
}

#[cfg(test)]
mod tests {
    use dragoman_config::Kind;

    use super::*;
    use crate::state::Shared;

    const ROUTE: &str = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMRoute, metadata: {name: chat}, spec: {backends: [{name: a, inline: {url: 'http://127.0.0.1:1/v1'}}]}}";

    /// A process that serves one route, and its publisher's state.
    async fn serving(file: &std::path::Path) -> (Standalone, Arc<Shared>) {
        std::fs::write(file, ROUTE).unwrap();
        let shared = Shared::new(1);
        let publisher = Publisher::new(Arc::clone(&shared), None);
        let started = Standalone::start(file.to_owned(), Compiler::Here, publisher).await;
        (started.unwrap(), shared)
    }

    fn refused(name: &str) -> Loaded {
        let route = Key::new(Kind::Route, "default", name);
        Loaded {
            items: BTreeMap::new(),
            invalid: [(route, "why".to_owned())].into(),
            objects: 1,
            files: 1,
        }
    }

    #[tokio::test]
    async fn what_does_not_compile_keeps_its_version_or_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut standalone, shared) = serving(&folder.path().join("a.yaml")).await;
        standalone.publish(refused("chat"));
        let runs = |name: &str| {
            let state = shared.state();
            state.routes.iter().any(|route| route.key.name == name)
        };
        assert!(runs("chat") && shared.state().closed(1).is_none());
        standalone.publish(refused("other"));
        let state = shared.state();
        let closed = state.closed(0).unwrap();
        assert_eq!(
            (closed.key.name.as_str(), closed.why.as_str()),
            ("other", "why")
        );
        assert!(!runs("chat") && !runs("other"));
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_were_not_compiled_are_tried_again_with_growing_pauses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        let (mut standalone, shared) = serving(&file).await;
        // It reads nothing and says nothing.
        standalone.compiler = Compiler::Child("/bin/false".into());
        std::fs::write(&file, ROUTE.replace("chat", "other")).unwrap();
        for pause in [4, 8, 16] {
            standalone.reload().await;
            let (when, next) = standalone.again.unwrap();
            assert_eq!(next.as_secs(), pause);
            standalone.reload().await;
            assert_eq!(standalone.again, Some((when, next)), "it is not due");
            tokio::time::sleep_until(when).await;
        }
        let version = shared.version();
        standalone.compiler = Compiler::Here;
        standalone.reload().await;
        assert!(standalone.again.is_none() && shared.version() > version);
    }
}
