//! Keeps the Secret of authorities: makes it, reads it, and, on the leader, turns it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Notify;

use super::logbook;
use super::{Authorities, BadAuthority, BadStore, Identity};
use crate::children::labels::FIELD_MANAGER;
use crate::patience::bounded;

/// The Secret's name, in the operator's namespace.
pub const SECRET: &str = "dragoman-operator-ca";
/// The Secret with the logbook's certificate, and the keys that it verifies tickets with.
pub const LOGBOOK_SECRET: &str = "dragoman-logbook";
/// How often the Secret is looked at, whatever happens.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How soon after a failure.
const RETRY: Duration = Duration::from_secs(10);

/// Why there is no identity. A retry helps with the API server's faults alone.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The API server refused or did not answer.
    #[error("the Secret {SECRET} or {LOGBOOK_SECRET} cannot be read or written: {0}")]
    Api(#[from] kube::Error),
    /// The Secret was edited.
    #[error("{SECRET}: {0}")]
    Store(#[from] BadStore),
    /// A certificate cannot be made.
    #[error(transparent)]
    Authority(#[from] BadAuthority),
}

/// Keeps one identity current.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    names: Vec<String>,
    identity: Arc<Identity>,
    authorities: Authorities,
    renewal: Timestamp,
    /// The names of the logbook, if there is one.
    logbook: Option<Vec<String>>,
}

impl Keeper {
    /// Reads the Secret, or makes it as `owner`'s. `names` are what the leaf certifies: host names and addresses.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn load(
        client: Client,
        namespace: &str,
        owner: Option<OwnerReference>,
        names: Vec<String>,
    ) -> Result<Self, Fault> {
        let store = Store {
            secrets: Api::namespaced(client, namespace),
            owner,
        };
        let authorities = store.read_or_make(None).await?;
        let (leaf, renewal) = authorities.current.leaf(&names, Timestamp::now())?;
        let identity = Identity::new(leaf, &authorities.bundle(), authorities.hash_key);
        identity.sign_with(authorities.current.signer()?);
        Ok(Self {
            store,
            names,
            identity,
            authorities,
            renewal,
            logbook: None,
        })
    }

    /// Keeps the Secret of a logbook that has these names, too.
    #[must_use]
    pub fn with_logbook(mut self, names: Option<Vec<String>>) -> Self {
        self.logbook = names;
        self
    }

    /// What the keeper keeps.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }

    /// Keeps the identity current for ever: looks when `changed` says so, and from time to time. It turns
    /// authorities while `leads` says that this process leads.
    pub async fn keep(mut self, changed: Arc<Notify>, leads: impl Fn() -> bool) {
        let mut longest = INTERVAL;
        loop {
            let renewal = Duration::try_from(self.renewal - Timestamp::now()).unwrap_or_default();
            let _ = tokio::time::timeout(longest.min(renewal), changed.notified()).await;
            longest = INTERVAL;
            if let Err(fault) = bounded(self.look(leads())).await {
                tracing::error!(%fault, "certificates could not be renewed; it is tried again");
                tokio::time::sleep(RETRY).await;
                longest = Duration::ZERO;
            }
        }
    }

    async fn look(&mut self, leads: bool) -> Result<(), Fault> {
        let now = Timestamp::now();
        // A Secret that somebody deleted is written as it was: proxies trust what they trust.
        let mut authorities = self.store.read_or_make(Some(&self.authorities)).await?;
        if leads && let Some(turned) = authorities.turn(now)? {
            authorities = self.store.write(turned).await?;
            tracing::info!(current = ?authorities.current, next = ?authorities.next, "authorities turned");
        }
        self.identity.announce(&authorities.bundle());
        if authorities.current != self.authorities.current || self.renewal <= now {
            let (leaf, renewal) = authorities.current.leaf(&self.names, now)?;
            self.identity.show(leaf);
            self.identity.sign_with(authorities.current.signer()?);
            self.renewal = renewal;
        }
        self.authorities = authorities;
        if leads && let Some(names) = &self.logbook {
            self.store
                .keep_logbook(&self.authorities, names, now)
                .await?;
        }
        Ok(())
    }
}

/// The Secret.
#[derive(Debug)]
struct Store {
    secrets: Api<Secret>,
    owner: Option<OwnerReference>,
}

impl Store {
    /// What the Secret holds. Where it is missing or empty, `known` is written, or a first set; whoever is slower
    /// reads what the faster one wrote.
    async fn read_or_make(&self, known: Option<&Authorities>) -> Result<Authorities, Fault> {
        for _ in 0..5 {
            let existing = self.secrets.get_opt(SECRET).await?;
            let data = existing.as_ref().and_then(|secret| secret.data.as_ref());
            if let Some(authorities) = data.map(Authorities::read).transpose()?.flatten() {
                return Ok(authorities);
            }
            let made = match known {
                Some(known) => known.clone(),
                None => Authorities::generate(Timestamp::now())?,
            };
            let written = match existing {
                Some(mut empty) => {
                    empty.data = Some(made.write());
                    self.secrets.replace(SECRET, &parameters(), &empty).await
                }
                None => {
                    self.secrets
                        .create(&parameters(), &self.new_secret(SECRET, made.write()))
                        .await
                }
            };
            match written {
                Ok(_) => return Ok(made),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(BadStore::Key("ca.crt").into())
    }

    /// Writes a turned set; whoever was faster wins.
    async fn write(&self, turned: Authorities) -> Result<Authorities, Fault> {
        let mut secret = self.secrets.get(SECRET).await?;
        secret.data = Some(turned.write());
        match self.secrets.replace(SECRET, &parameters(), &secret).await {
            Ok(_) => Ok(turned),
            Err(kube::Error::Api(status)) if status.code == 409 => self.read_or_make(None).await,
            Err(fault) => Err(fault.into()),
        }
    }

    /// Writes what the logbook needs, unless it is there and good for a while.
    async fn keep_logbook(
        &self,
        authorities: &Authorities,
        names: &[String],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let existing = self.secrets.get_opt(LOGBOOK_SECRET).await?;
        let data = existing.as_ref().and_then(|secret| secret.data.as_ref());
        if data.is_some_and(|data| logbook::is_current(data, authorities, names, now)) {
            return Ok(());
        }
        let data = logbook::data(authorities, names, now)?;
        let written = match existing {
            Some(mut secret) => {
                secret.data = Some(data);
                let parameters = parameters();
                let replaced = self.secrets.replace(LOGBOOK_SECRET, &parameters, &secret);
                replaced.await
            }
            None => {
                let secret = self.new_secret(LOGBOOK_SECRET, data);
                self.secrets.create(&parameters(), &secret).await
            }
        };
        match written {
            Ok(_) => {
                tracing::info!("the logbook's certificate and keys were written");
                Ok(())
            }
            // Whoever was faster led before, or leads now; it is looked at again.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    fn new_secret(&self, name: &str, data: BTreeMap<String, ByteString>) -> Secret {
        let label = (
            "app.kubernetes.io/managed-by".to_owned(),
            "dragoman".to_owned(),
        );
        Secret {
            metadata: ObjectMeta {
                name: Some(name.into()),
                labels: Some([label].into()),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".into()),
            data: Some(data),
            ..Secret::default()
        }
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PostParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::authority::tests::trusts;
    use super::*;
    use crate::fake_api;
    use crate::pki::Authority;
    use http::Method;
    use jiff::ToSpan;
    use parking_lot::Mutex;
    use serde_json::{Value, json};

    const NAME: &str = "operator.ns.svc";

    /// An API server that keeps one Secret.
    #[derive(Clone, Default)]
    struct Stored(Arc<Mutex<Option<Value>>>);

    impl Stored {
        fn client(&self) -> Client {
            let stored = self.clone();
            fake_api::client(move |request| stored.answer(request))
        }

        fn answer(&self, request: http::Request<Value>) -> fake_api::Answer {
            let mut secret = self.0.lock();
            let known = secret.clone();
            let mut put = |mut new: Value| {
                let before = known
                    .as_ref()
                    .and_then(|secret| secret["metadata"]["resourceVersion"].as_str());
                let version: u64 = before.map_or(1, |before| before.parse::<u64>().unwrap() + 1);
                new["metadata"]["resourceVersion"] = json!(version.to_string());
                *secret = Some(new.clone());
                fake_api::object(&new)
            };
            match (request.method(), &known) {
                (&Method::GET, Some(secret)) => fake_api::object(secret),
                (&Method::GET, None) => fake_api::refusal(404, "NotFound"),
                (&Method::POST, None) => put(request.into_body()),
                (&Method::PUT, Some(current)) => {
                    let version = |secret: &Value| secret["metadata"]["resourceVersion"].clone();
                    if version(request.body()) == version(current) {
                        put(request.into_body())
                    } else {
                        fake_api::refusal(409, "Conflict")
                    }
                }
                _ => fake_api::refusal(409, "AlreadyExists"),
            }
        }

        fn authorities(&self) -> Authorities {
            let secret: Secret = serde_json::from_value(self.0.lock().clone().unwrap()).unwrap();
            Authorities::read(&secret.data.unwrap()).unwrap().unwrap()
        }

        /// Somebody writes the Secret; every replica hears of it.
        fn becomes(&self, authorities: &Authorities, hear: &[Arc<Notify>]) {
            let mut secret = self.0.lock();
            let secret = secret.as_mut().unwrap();
            secret["data"] = serde_json::to_value(authorities.write()).unwrap();
            let version = secret["metadata"]["resourceVersion"].as_str().unwrap();
            let version = version.parse::<u64>().unwrap() + 1;
            secret["metadata"]["resourceVersion"] = json!(version.to_string());
            hear.iter().for_each(|changed| changed.notify_one());
        }
    }

    async fn load(stored: &Stored) -> Keeper {
        Keeper::load(stored.client(), "ns", None, vec![NAME.to_owned()])
            .await
            .unwrap()
    }

    fn days_ago(days: i64) -> Timestamp {
        Timestamp::now() - (24 * days).hours()
    }

    /// Waits until `identity` makes `wanted` known.
    async fn announces(identity: &Identity, wanted: &str) {
        identity
            .bundle()
            .wait_for(|bundle| **bundle == *wanted)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn the_first_replica_makes_the_secret_and_the_next_one_reads_it() {
        let stored = Stored::default();
        let (one, two) = (load(&stored).await, load(&stored).await);
        let (one, two) = (one.identity(), two.identity());
        assert_eq!(*one.bundle().borrow(), *two.bundle().borrow());
        let bundle = one.bundle().borrow().to_string();
        assert!(trusts(&bundle, &two.shown(), NAME, Timestamp::now()));
    }

    #[tokio::test]
    async fn the_leader_turns_authorities_and_whoever_trusted_the_announced_ones_trusts_what_is_shown()
     {
        let stored = Stored::default();
        let (leader, follower) = (load(&stored).await, load(&stored).await);
        let identities = [leader.identity(), follower.identity()];
        let hear = [Arc::default(), Arc::default()];
        let keeping = [
            tokio::spawn(leader.keep(Arc::clone(&hear[0]), || true)),
            tokio::spawn(follower.keep(Arc::clone(&hear[1]), || false)),
        ];

        // An old authority gets a successor, which is announced and does not sign yet.
        let old = Authorities {
            current: Authority::generate(days_ago(250)).unwrap(),
            ..stored.authorities()
        };
        stored.becomes(&old, &hear[..1]);
        let mut bundle = identities[0].bundle();
        bundle
            .wait_for(|bundle| bundle.matches("BEGIN CERTIFICATE").count() == 2)
            .await
            .unwrap();
        let announced = stored.authorities();
        assert_eq!(announced.current, old.current);
        hear[1].notify_one();
        announces(&identities[1], &announced.bundle()).await;

        // The notice is over: the successor signs, on the leader and where the turned Secret is only read.
        let due = Authorities {
            next: Some(Authority::generate(days_ago(4)).unwrap()),
            ..announced
        };
        stored.becomes(&due, &hear[..1]);
        bundle
            .wait_for(|bundle| bundle.starts_with(&due.next.as_ref().unwrap().certificate_pem))
            .await
            .unwrap();
        let turned = stored.authorities();
        assert_eq!(Some(&turned.current), due.next.as_ref());
        assert_eq!(turned.previous.as_ref(), Some(&old.current));
        hear[1].notify_one();
        announces(&identities[1], &turned.bundle()).await;
        // What is announced is shown in the same breath, without a point at which to wait.
        for identity in &identities {
            let now = Timestamp::now();
            let shown = identity.shown();
            assert!(trusts(&turned.current.certificate_pem, &shown, NAME, now));
            assert!(trusts(&due.bundle(), &shown, NAME, now));
        }
        keeping.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn the_leader_writes_what_the_logbook_needs_and_again_when_it_is_gone() {
        let (authorities, logbook) = (Stored::default(), Stored::default());
        let stored = [authorities.clone(), logbook.clone()];
        let client = fake_api::client(move |request| {
            let body = &request.body()["metadata"]["name"];
            let about = request.uri().path().ends_with(LOGBOOK_SECRET) || body == LOGBOOK_SECRET;
            stored[usize::from(about)].answer(request)
        });
        let keeper = Keeper::load(client, "ns", None, vec![NAME.to_owned()]).await;
        let names = vec!["logbook.ns.svc".to_owned()];
        let mut keeper = keeper.unwrap().with_logbook(Some(names));
        keeper.look(false).await.unwrap();
        assert!(logbook.0.lock().is_none(), "who follows writes nothing");
        keeper.look(true).await.unwrap();
        let written = logbook.0.lock().clone().unwrap();
        keeper.look(true).await.unwrap();
        assert_eq!(*logbook.0.lock(), Some(written.clone()), "once is enough");
        let secret: Secret = serde_json::from_value(written).unwrap();
        let data = secret.data.unwrap();
        let keys = dragoman_ticket::Keys::read(&data["ticket-keys.json"].0).unwrap();
        let known = keeper.authorities.ticket_keys().unwrap();
        assert_eq!(keys, dragoman_ticket::Keys::read(known.as_bytes()).unwrap());
        *logbook.0.lock() = None;
        keeper.look(true).await.unwrap();
        assert!(logbook.0.lock().is_some());
    }

    #[tokio::test]
    async fn a_secret_that_somebody_deleted_is_written_as_it_was() {
        let stored = Stored::default();
        let keeper = load(&stored).await;
        let before = stored.authorities();
        *stored.0.lock() = None;
        let mut keeper = keeper;
        keeper.look(true).await.unwrap();
        assert_eq!(stored.authorities(), before);
    }
}
