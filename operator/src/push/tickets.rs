//! What a proxy writes its rows into the request log with: signed for its stream, and again before it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::wire::{Down, Logbook};
use dragoman_config::{ObjectKey, Secret};
use dragoman_ticket::{AUDIENCE, Claims};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::line_of;
use super::shelf::Shelf;
use crate::pki::Identity;

/// How long a ticket holds, in seconds.
const LIFETIME: i64 = 3600;
/// When its successor comes: early enough that an operator may be away for a while.
const RENEWAL: Duration = Duration::from_mins(20);

/// The tickets of one stream; none where there is no logbook.
pub(super) struct Tickets<'a> {
    url: Option<&'a str>,
    proxy: &'a ObjectKey,
    pod: &'a str,
    identity: &'a Identity,
    namespaces: watch::Receiver<Arc<BTreeSet<String>>>,
    renewal: Instant,
}

impl<'a> Tickets<'a> {
    /// Those of a proxy's pod, for the logbook at `url`.
    pub(super) fn new(
        url: Option<&'a str>,
        proxy: &'a ObjectKey,
        pod: &'a str,
        shelf: &Shelf,
        identity: &'a Identity,
    ) -> Self {
        Self {
            url,
            proxy,
            pod,
            identity,
            namespaces: shelf.namespaces(),
            renewal: Instant::now(),
        }
    }

    /// The line with a ticket, and with the authorities that the logbook's certificate is verified by.
    pub(super) fn line(&mut self, ca_pem: &str) -> Option<Bytes> {
        let url = self.url?;
        let signer = self.identity.signer()?;
        self.renewal = Instant::now() + RENEWAL;
        let now = Timestamp::now().as_second();
        let mut namespaces = BTreeSet::clone(&self.namespaces.borrow_and_update());
        // Of requests that no route was found for.
        namespaces.insert(self.proxy.namespace.clone());
        let ticket = signer.sign(&Claims {
            aud: AUDIENCE.into(),
            sub: self.proxy.to_string(),
            pod: self.pod.to_owned(),
            namespaces,
            nbf: now,
            exp: now + LIFETIME,
        });
        if ticket.len() > dragoman_ticket::LONGEST {
            tracing::error!(proxy = %self.proxy, "an LLMProxy serves routes of more namespaces than a ticket for the logbook holds; split it");
        }
        Some(line_of(&Down::Logbook(Logbook {
            url: url.to_owned(),
            ca_pem: ca_pem.to_owned(),
            ticket: Secret::new(ticket),
        })))
    }

    /// Whether there are namespaces that the last ticket does not name.
    pub(super) fn lacks(&self) -> bool {
        self.url.is_some() && self.namespaces.has_changed().unwrap_or_default()
    }

    /// Waits until a successor is due.
    pub(super) async fn due(&self) {
        match self.url {
            Some(_) => tokio::time::sleep_until(self.renewal).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authorities;

    #[tokio::test(start_paused = true)]
    async fn a_successor_comes_long_before_the_ticket_ends_and_never_without_a_logbook() {
        let now = Timestamp::now();
        let authorities = Authorities::generate(now).unwrap();
        let (leaf, _) = authorities.current.leaf(&["a".to_owned()], now).unwrap();
        let identity = Identity::new(leaf, &authorities.bundle(), [7; 32]);
        let proxy = ObjectKey::new("ns", "edge");
        let shelf = Shelf::new([7; 32]);
        let new = |url| Tickets::new(url, &proxy, "edge-1", &shelf, &identity);
        let mut tickets = new(Some("https://logbook:1"));
        assert!(tickets.line("CA").is_none(), "nothing signs yet");
        identity.sign_with(authorities.current.signer().unwrap());
        assert!(tickets.line("CA").is_some());
        let begun = Instant::now();
        tickets.due().await;
        assert_eq!(begun.elapsed(), RENEWAL);
        assert!(RENEWAL.as_secs() * 2 <= u64::try_from(LIFETIME).unwrap());
        let mut none = new(None);
        assert!(none.line("CA").is_none() && !none.lacks());
        let hours = Duration::from_secs(36_000);
        assert!(tokio::time::timeout(hours, none.due()).await.is_err());
    }
}
