//! A directory that is served, and loaded again when it changes. A load with a fault changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use dragoman_config::{Item, Key};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::watch::Watch;
use super::{Fault, Files, Loaded, Loader, Unprepared};
use crate::control::publish::Publisher;

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The files have faults; they were logged, each once.
    #[error("the config in {} has {faults} faults", directory.display())]
    Files {
        /// The directory.
        directory: PathBuf,
        /// How many.
        faults: usize,
    },
    /// A fault of this program.
    #[error(transparent)]
    Build(#[from] Unprepared),
}

/// A directory that is served.
#[derive(Debug)]
pub struct Standalone {
    directory: PathBuf,
    loader: Arc<Loader>,
    publisher: Publisher,
    watch: Watch,
    hash: [u8; 32],
    items: BTreeMap<Key, Arc<Item>>,
    /// The faults that were told.
    told: BTreeSet<Fault>,
}

impl Standalone {
    /// Loads `directory` and publishes what it holds. Must be called within a runtime.
    ///
    /// # Errors
    /// [`StartFault`], after every fault was logged.
    pub fn start(directory: PathBuf, publisher: Publisher) -> Result<Self, StartFault> {
        let loader = Arc::new(Loader::new()?);
        // Before the first look, so that no edit falls between the two.
        let watch = Watch::new(&directory);
        let files = Files::read(&directory);
        let hash = files.hash();
        let mut standalone = Self {
            directory,
            loader: Arc::clone(&loader),
            publisher,
            watch,
            hash,
            items: BTreeMap::new(),
            told: BTreeSet::new(),
        };
        match loader.load(files) {
            Ok(loaded) => standalone.publish(loaded),
            Err(faults) => {
                let count = faults.len();
                standalone.tell(faults);
                return Err(StartFault::Files {
                    directory: standalone.directory,
                    faults: count,
                });
            }
        }
        standalone.publisher.shared().set_ready(true);
        Ok(standalone)
    }

    /// Loads again whenever the directory changes or `asked` is notified, for ever.
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
        let (directory, loader, before) =
            (self.directory.clone(), Arc::clone(&self.loader), self.hash);
        let load = spawn_blocking(move || {
            let files = Files::read(&directory);
            let hash = files.hash();
            (hash != before).then(|| (hash, loader.load(files)))
        });
        let Ok(Some((hash, loaded))) = load.await else {
            return;
        };
        self.hash = hash;
        match loaded {
            Ok(loaded) => {
                self.told.clear();
                self.publish(loaded);
            }
            Err(faults) => {
                self.tell(faults);
                tracing::warn!("the files have faults; the previous config stays");
            }
        }
    }

    fn publish(&mut self, loaded: Loaded) {
        let mut items = loaded.items;
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
        for (item, why) in self.publisher.publish(items.clone()) {
            tracing::error!(%item, why, "this item cannot be run; its previous version stays");
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
