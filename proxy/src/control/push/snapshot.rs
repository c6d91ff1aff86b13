//! The last good config in a memory-backed volume, from which a restarted container serves while no operator answers.
//!
//! It holds keys. So it goes only to the directory that the pod mounts for it, readable by its owner alone, and
//! is replaced as a whole: a reader finds the old one or the new one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use dragoman_config::ObjectKey;
use serde::{Deserialize, Serialize};

use super::store::Store;
use super::unreadable::Unreadable;

/// The layout of the file. Another one is no snapshot of ours.
const FORMAT: u32 = 2;
const NAME: &str = "config.json";
const NEXT: &str = "config.json.next";

#[derive(Serialize, Deserialize)]
struct Contents<S> {
    format: u32,
    /// The program's version: what items mean is its business.
    version: String,
    /// The LLMProxy whose config it is.
    proxy: String,
    store: S,
}

/// Why there is no config in a snapshot. Nothing is lost: the operator sends everything.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotFault {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is damaged.
    #[error("it is damaged: {0}")]
    Damaged(Unreadable),
    /// It is of another program or another LLMProxy.
    #[error("it is {0}, not ours")]
    Foreign(String),
}

impl From<serde_json::Error> for SnapshotFault {
    fn from(fault: serde_json::Error) -> Self {
        Self::Damaged(fault.into())
    }
}

/// Where an LLMProxy's snapshot is.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    directory: PathBuf,
    proxy: ObjectKey,
}

impl Snapshot {
    /// The snapshot of `proxy` in `directory`.
    #[must_use]
    pub(super) fn new(directory: &Path, proxy: ObjectKey) -> Self {
        Self {
            directory: directory.to_owned(),
            proxy,
        }
    }

    /// What was written last; `None` when nothing was.
    ///
    /// # Errors
    /// [`SnapshotFault`] when there is one that cannot be used.
    pub(super) fn read(&self) -> Result<Option<Store>, SnapshotFault> {
        let text = match fs::read(self.directory.join(NAME)) {
            Ok(text) => text,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault.into()),
        };
        // First what every layout has, so that another one is named as such and not as damage.
        let found: Contents<serde::de::IgnoredAny> = serde_json::from_slice(&text)?;
        let proxy = self.proxy.to_string();
        if (found.format, found.version.as_str()) != (FORMAT, env!("CARGO_PKG_VERSION")) {
            let text = format!("of version {} (format {})", found.version, found.format);
            return Err(SnapshotFault::Foreign(text));
        }
        if found.proxy != proxy {
            return Err(SnapshotFault::Foreign(format!(
                "of LLMProxy {}",
                found.proxy
            )));
        }
        let contents: Contents<Store> = serde_json::from_slice(&text)?;
        Ok(Some(contents.store))
    }

    /// Replaces it.
    ///
    /// # Errors
    /// [`SnapshotFault::Io`] when the directory cannot be written; the previous one is still there.
    pub(super) fn write(&self, store: &Store) -> Result<(), SnapshotFault> {
        let contents = Contents {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            proxy: self.proxy.to_string(),
            store,
        };
        let text = serde_json::to_vec(&contents)?;
        let next = self.directory.join(NEXT);
        // A leftover may have other permissions than those we ask for.
        match fs::remove_file(&next) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault.into()),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(&text)?;
        drop(file);
        fs::rename(&next, self.directory.join(NAME))?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
