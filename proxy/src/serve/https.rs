//! The listener for HTTPS: there while the config has certificates, on every request thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::listen::{listener, refuse_taken};
use crate::state::Shared;

/// How long after an address could not be had it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a request thread serves HTTPS on from now on; `None` for nothing.
pub(super) type Change = Option<std::net::TcpListener>;

/// Opens and closes the listeners for HTTPS.
#[derive(Debug)]
pub struct Https {
    address: SocketAddr,
    threads: Vec<mpsc::UnboundedSender<Change>>,
    is_open: bool,
}

impl Https {
    pub(super) fn new(address: SocketAddr, threads: Vec<mpsc::UnboundedSender<Change>>) -> Self {
        Self {
            address,
            threads,
            is_open: false,
        }
    }

    /// Listens from now on. Returns the address, with the port that the system gave for port 0.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn open(&mut self) -> io::Result<SocketAddr> {
        refuse_taken(self.address)?;
        let mut address = self.address;
        let mut listeners = Vec::with_capacity(self.threads.len());
        for _ in &self.threads {
            let listener = listener(address)?;
            address = listener.local_addr()?;
            listeners.push(listener);
        }
        self.tell(listeners.into_iter().map(Some));
        self.is_open = true;
        tracing::info!(listen_tls = %address, "HTTPS is served");
        Ok(address)
    }

    /// Opens and closes as the config says.
    pub async fn follow(mut self, shared: Arc<Shared>) {
        let mut wanted = shared.https();
        let mut told = false;
        loop {
            match (*wanted.borrow_and_update(), self.is_open) {
                (true, false) => {
                    let opened = self.open();
                    let failed = opened.as_ref().err();
                    if let Some(fault) = failed.filter(|_| !told) {
                        tracing::error!(address = %self.address, %fault, "HTTPS cannot be served (--listen-tls); it is tried again each second");
                    }
                    told = failed.is_some();
                }
                (false, true) => {
                    self.tell(std::iter::repeat_with(|| None));
                    self.is_open = false;
                    tracing::info!(
                        "HTTPS is not served any more: the LLMProxy has no certificates"
                    );
                }
                _ => {}
            }
            if *wanted.borrow() == self.is_open {
                told = false;
                if wanted.changed().await.is_err() {
                    return;
                }
            } else {
                sleep(AGAIN).await;
            }
        }
    }

    fn tell(&self, changes: impl Iterator<Item = Change>) {
        for (thread, change) in self.threads.iter().zip(changes) {
            // A thread that has ended serves nothing more.
            let _ = thread.send(change);
        }
    }
}
