//! Manifests that are served, and loaded again when they change. A load with a fault changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dragoman_config::{Item, Key};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::compile::{Compiler, Failure, LONGEST, Refusal};
use super::watch::Watch;
use super::{Fault, Files, Loaded, files};
use crate::control::publish::Publisher;

/// How long after a failure that may be the machine's the same files are tried again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long a compilation runs before an edit ends it; twice as long for each that an edit ended, else files that are edited
/// all the time would never be served.
const UNDISTURBED: Duration = Duration::from_secs(1);

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
            self.edited(&asked).await;
            self.reload(&asked).await;
        }
    }

    /// Waits until there may be something new to read.
    async fn edited(&mut self, asked: &Notify) {
        tokio::select! {
            () = self.watch.edited() => {}
            () = asked.notified() => {}
        }
    }

    /// The files and their hash.
    async fn read(&self) -> Option<([u8; 32], Files)> {
        let source = self.source.clone();
        let read = spawn_blocking(move || {
            let files = Files::read(&source);
            (files.hash(), files)
        });
        read.await.ok()
    }

    async fn reload(&mut self, asked: &Notify) {
        let Some((hash, files)) = self.read().await else {
            return;
        };
        let due = self.again.is_some_and(|(when, _)| when <= Instant::now());
        if hash == self.hash && !due {
            return;
        }
        let before = self.again.take().map(|(_, pause)| (self.hash, pause));
        self.hash = hash;
        let compiled = self.compile(files, asked).await;
        let pause = match before {
            Some((failed, pause)) if failed == self.hash => pause,
            _ => FIRST_PAUSE,
        };
        match compiled {
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

    /// What comes of `files`, or of those that took their place before it was known: a compilation that hangs must not keep the
    /// edit that corrects it waiting.
    async fn compile(&mut self, mut files: Files, asked: &Notify) -> Result<Loaded, Refusal> {
        let compiler = self.compiler.clone();
        let mut undisturbed = UNDISTURBED;
        loop {
            // An edit that is heard of and then forgotten, because the compilation ends first, is found by the next look.
            files = tokio::select! {
                compiled = compiler.compile(files) => return compiled,
                files = self.superseding(undisturbed, asked) => files,
            };
            undisturbed = (undisturbed * 2).min(LONGEST);
            tracing::warn!(
                "the files were edited while they were compiled; compiling the new ones"
            );
        }
    }

    /// Waits for files other than those of `hash`, but no less than `undisturbed`.
    async fn superseding(&mut self, undisturbed: Duration, asked: &Notify) -> Files {
        sleep(undisturbed).await;
        loop {
            match self.read().await {
                Some((hash, files)) if hash != self.hash => {
                    self.hash = hash;
                    return files;
                }
                _ => self.edited(asked).await,
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
        // Told when it is so: whoever reads the line may count on it.
        let unrunnable = self.publisher.publish_with_invalid(items.clone(), &invalid);
        tracing::info!(
            files,
            objects,
            changed = changed.join(", "),
            "config loaded"
        );
        if objects == 0 {
            tracing::warn!(source = %self.source.display(), "there is no manifest; nothing is served until there is one");
        }
        for (item, why) in unrunnable {
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
#[path = "reload_tests.rs"]
mod tests;
