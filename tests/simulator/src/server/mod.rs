//! A running simulator: built, started, asked, stopped.

mod builder;
mod listen;

use std::{net::SocketAddr, sync::Arc};

pub use builder::{Builder, StartError};
use http::StatusCode;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{
    control,
    record::{Received, Stats},
    shared::Shared,
};

/// A simulator that listens. Dropped, it stops at once and its connections break.
pub struct Simulator {
    addr: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Simulator {
    /// A simulator with defaults: a free port of 127.0.0.1, no key, five models listed.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL that an SDK takes: `http://127.0.0.1:1234/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// `http://127.0.0.1:1234`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!(
            "{}://{}",
            if self.tls { "https" } else { "http" },
            self.addr
        )
    }

    /// What it received, oldest first, at most [`crate::KEPT`].
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.recorder.requests()
    }

    /// Waits until what it received is as wanted, however long that takes, and gives it.
    pub async fn wait_until(&self, wanted: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut changes = self.shared.recorder.changes();
        loop {
            changes.mark_unchanged();
            let requests = self.requests();
            if wanted(&requests) || changes.changed().await.is_err() {
                return requests;
            }
        }
    }

    /// Totals since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.recorder.stats()
    }

    /// Forgets what it received, and how often models with `times-N` were called.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// Lists these models from now on: names, or whole entries.
    pub fn set_models<M: Into<Value>>(&self, models: impl IntoIterator<Item = M>) {
        let entries = models
            .into_iter()
            .map(|model| control::listed(&model.into()));
        *self.shared.models.write() = entries.collect();
    }

    /// Accepts these keys from now on; none: everyone may call.
    pub fn set_api_keys<K: Into<String>>(&self, keys: impl IntoIterator<Item = K>) {
        *self.shared.api_keys.write() = keys.into_iter().map(Into::into).collect();
    }

    /// What `/health` and `/v1/models` answer from now on; not 200: ill.
    pub fn set_health(&self, status: StatusCode) {
        *self.shared.health.write() = status;
    }

    /// Stops listening and breaks all connections; when this returns the port is free.
    pub async fn shutdown(mut self) {
        self.task.abort();
        // Its only error is that it was aborted.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
