//! A core on stage: a clock that stands still, an API server that says yes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman_config::wire::{Down, Hello, Report, Transaction};
use dragoman_config::{
    ClusterKeys, ClusterKeysItem, InputData, InputKey, Key, Kind, ObjectKey, hash,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::children::apply::Settled;
use crate::children::{Installation, labels};
use crate::core::{Core, Done, Job};
use crate::lease::Term;
use crate::pki::{Authorities, Identity};
use crate::push::shelf::Next;
use crate::push::{Admitted, Claims, FromStream, Refused};
use crate::status::Written;
use crate::watch::{Change, Seen, Source, Thing, read};

/// An object that cannot be written, and why.
pub(super) type Unwritten = (&'static str, fn() -> kube::Error);

pub(super) struct Stage {
    pub(super) core: Core,
    pub(super) now: Instant,
    clock: Timestamp,
    version: u64,
    /// What a read of a Secret or a ConfigMap gives.
    pub(super) inputs: BTreeMap<InputKey, InputData>,
    /// Whether reads of Secrets fail.
    pub(super) unreadable: bool,
    /// Whether the operator may not read Secrets.
    pub(super) forbidden: bool,
    /// How often Secrets were read.
    pub(super) reads: usize,
    /// Every status as it was last written.
    pub(super) statuses: BTreeMap<Key, Value>,
    /// Events: of what, and their reasons.
    pub(super) told: Vec<(Key, String)>,
    /// Keys of statuses in the order of their writes.
    pub(super) writes: Vec<Key>,
    /// Whether statuses are written and nobody hears of it.
    pub(super) unanswered: bool,
    /// What the API server answers to writes of statuses, instead of doing them.
    pub(super) refuses: Option<fn() -> kube::Error>,
    /// What happens while the next status of a route is written.
    pub(super) meanwhile: Option<fn(&mut Stage)>,
    /// What keeps objects that resources own from being written: which object, and why.
    pub(super) unapplied: Option<Unwritten>,
    /// Whether Services are refused because their namespace goes.
    pub(super) too_late: bool,
    /// Whether Services of routes are in somebody's way.
    pub(super) conflict: bool,
    /// How often Services were looked after.
    pub(super) services: usize,
}

/// What verifies the ServiceAccounts of the cluster with this issuer.
pub(super) fn cluster_keys(issuer: &str) -> ClusterKeys {
    ClusterKeys::Known(ClusterKeysItem {
        issuer: issuer.to_owned(),
        jwks: "{}".to_owned(),
    })
}

impl Stage {
    pub(super) fn new() -> Self {
        let clock: Timestamp = "2027-01-10T12:00:00Z".parse().unwrap();
        let authorities = Authorities::generate(clock).unwrap();
        let (leaf, _) = authorities
            .current
            .leaf(&["operator".to_owned()], clock)
            .unwrap();
        let identity = Identity::new(leaf, &authorities.bundle(), [7; 32]);
        Self {
            core: Core::new(Installation::example(), identity, Arc::default()),
            now: Instant::now(),
            clock,
            version: 10,
            inputs: BTreeMap::new(),
            unreadable: false,
            forbidden: false,
            reads: 0,
            statuses: BTreeMap::new(),
            told: Vec::new(),
            writes: Vec::new(),
            unanswered: false,
            refuses: None,
            meanwhile: None,
            unapplied: None,
            too_late: false,
            conflict: false,
            services: 0,
        }
    }

    /// A stage on which this replica leads and everything is listed.
    pub(super) fn leading() -> Self {
        let mut stage = Self::new();
        stage.list();
        stage.lead();
        stage
    }

    pub(super) fn list(&mut self) {
        for source in Source::ALL {
            self.core.seen(
                Seen {
                    source,
                    change: Change::Listed,
                },
                self.now,
            );
        }
        self.core
            .cluster_keys(cluster_keys("https://cluster.example"), self.now);
    }

    pub(super) fn lead(&mut self) {
        self.core.lead(
            Term::new(self.now, self.now + Duration::from_secs(3600)),
            self.now,
        );
    }

    pub(super) fn apply(&mut self, kind: Kind, name: &str, generation: i64, spec: Value) -> Key {
        let (namespace, name) = name.split_once('/').unwrap();
        let key = Key::new(kind, namespace, name);
        self.version += 1;
        let object = json!({
            "metadata": {
                "name": name, "namespace": namespace, "uid": format!("uid-{name}"),
                "generation": generation, "resourceVersion": self.version.to_string(),
            },
            "spec": spec,
            "status": self.statuses.get(&key),
        });
        let resource = read::resource(kind, serde_json::from_value(object).unwrap());
        let change = Change::Applied(Thing::Resource(Box::new(resource)));
        self.core.seen(
            Seen {
                source: Source::Resources(kind),
                change,
            },
            self.now,
        );
        key
    }

    /// The LLMProxy that serves everybody, and a route `team-a/chat` with one backend that has a key.
    pub(super) fn chat(&mut self) -> Key {
        self.apply(
            Kind::Proxy,
            "dragoman-system/default",
            1,
            json!({
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }),
        );
        self.secret("team-a/key", "sk-1");
        self.apply(Kind::Backend, "team-a/vllm", 1, json!({
            "url": "http://vllm:8000/v1", "credential": {"secretRef": {"name": "key", "key": "key"}},
        }));
        self.route(1, json!({}))
    }

    pub(super) fn route(&mut self, generation: i64, more: Value) -> Key {
        let mut spec = json!({"backends": [{"name": "main", "backendRef": {"name": "vllm"}}]});
        for (name, value) in more.as_object().unwrap() {
            spec[name] = value.clone();
        }
        self.apply(Kind::Route, "team-a/chat", generation, spec)
    }

    pub(super) fn secret(&mut self, name: &str, value: &str) {
        let (namespace, name) = name.split_once('/').unwrap();
        let name = ObjectKey::new(namespace, name);
        let data = BTreeMap::from([("key".to_owned(), value.as_bytes().to_vec())]);
        let secret = InputKey::secret(name.clone());
        self.inputs.insert(secret, InputData::Data(data.into()));
        let change = Change::Applied(Thing::Secret(name, BTreeMap::new()));
        self.core.seen(
            Seen {
                source: Source::Secrets,
                change,
            },
            self.now,
        );
    }

    pub(super) fn config_map(&mut self, name: &str, key: &str, value: &str) {
        let (namespace, name) = name.split_once('/').unwrap();
        let name = ObjectKey::new(namespace, name);
        let data = BTreeMap::from([(key.to_owned(), value.as_bytes().to_vec())]);
        let map = InputKey::config_map(name.clone());
        self.inputs.insert(map, InputData::Data(data.into()));
        let change = Change::Applied(Thing::ConfigMap(name));
        let source = Source::ConfigMaps;
        self.core.seen(Seen { source, change }, self.now);
    }

    pub(super) fn delete(&mut self, key: &Key) {
        let change = Change::Deleted(key.object.clone());
        self.core.seen(
            Seen {
                source: Source::Resources(key.kind),
                change,
            },
            self.now,
        );
        self.statuses.remove(key);
    }

    /// The namespace `team-a` is being deleted.
    pub(super) fn terminate(&mut self) {
        let change = Change::Applied(Thing::Namespace {
            name: "team-a".into(),
            labels: BTreeMap::new(),
            terminating: true,
        });
        self.core.seen(
            Seen {
                source: Source::Namespaces,
                change,
            },
            self.now,
        );
    }

    pub(super) fn pod(&mut self, name: &str, uid: &str) {
        let metadata = ObjectMeta {
            uid: Some(uid.into()),
            labels: Some([(labels::PROXY.to_owned(), "default".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let name = ObjectKey::new("dragoman-system", name);
        let change = Change::Applied(Thing::Pod(name, Box::new(metadata)));
        self.core.seen(
            Seen {
                source: Source::Pods,
                change,
            },
            self.now,
        );
    }

    /// Does what is due now, and what follows from it, without letting time pass.
    pub(super) fn settle(&mut self) {
        loop {
            let jobs = self.core.jobs(self.now, self.clock);
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                let done = self.perform(job);
                self.core.done(done, self.now);
            }
        }
    }

    /// Lets time pass, doing what becomes due.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(due) = self.core.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
        self.clock += jiff::SignedDuration::try_from(time).unwrap();
    }

    pub(super) fn soon(&mut self) {
        self.pass(Duration::from_millis(100));
    }

    fn perform(&mut self, job: Job) -> Done {
        self.reads += usize::from(matches!(job, Job::ReadInput(_)));
        match job {
            Job::ReadInput(name) if self.forbidden => {
                Done::ReadInput(name, Err(refusal(403, "secrets is forbidden")))
            }
            Job::ReadInput(name) if self.unreadable => {
                Done::ReadInput(name, Err(kube::Error::LinesCodecMaxLineLengthExceeded))
            }
            Job::ReadInput(name) => {
                let data = self
                    .inputs
                    .get(&name)
                    .cloned()
                    .unwrap_or(InputData::Missing);
                Done::ReadInput(name, Ok(data))
            }
            Job::ApplyProxy { proxy, .. } => Done::ApplyProxy {
                proxy,
                written: Vec::new(),
                fault: self
                    .unapplied
                    .map(|(object, why)| (object.to_owned(), why().into())),
            },
            Job::SettleService { route, .. } => {
                self.services += 1;
                if self.too_late {
                    return Done::SettleService(route, Err(too_late()));
                }
                if let Some((_, why)) = self.unapplied {
                    return Done::SettleService(route, Err(why()));
                }
                let settled = if self.conflict {
                    Settled::Conflict("rename the route".into())
                } else {
                    Settled::Done(None)
                };
                Done::SettleService(route, Ok(settled))
            }
            Job::WriteStatus { key, after } if self.refuses.is_some() => {
                self.writes.push(key.clone());
                let refuses = self.refuses.map(|refuses| Err(refuses()));
                Done::WriteStatus(key, after, refuses.unwrap())
            }
            Job::WriteStatus { key, after, .. } => {
                self.statuses.insert(key.clone(), after.clone());
                self.writes.push(key.clone());
                self.version += 1;
                let written = Written::Done(self.version);
                if key.kind == Kind::Route
                    && let Some(meanwhile) = self.meanwhile.take()
                {
                    meanwhile(self);
                }
                if self.unanswered {
                    let fault = kube::Error::LinesCodecMaxLineLengthExceeded;
                    return Done::WriteStatus(key, after, Err(fault));
                }
                Done::WriteStatus(key, after, Ok(written))
            }
            Job::Tell { key, news, .. } => {
                self.told.push((key.clone(), news.reason));
                Done::Told(key)
            }
        }
    }

    /// A condition as it was written last: status and reason.
    pub(super) fn condition(&self, key: &Key, type_: &str) -> (String, String) {
        let conditions = self.statuses[key]["conditions"].as_array().unwrap();
        let condition = conditions
            .iter()
            .find(|condition| condition["type"] == type_)
            .unwrap();
        let text = |name: &str| condition[name].as_str().unwrap().to_owned();
        (text("status"), text("reason"))
    }

    pub(super) fn connect(&mut self, pod: &str, uid: &str) -> Result<Proxy, Refused> {
        self.connect_having(pod, uid, BTreeMap::new())
    }

    /// Connects a proxy that brings what it ran under another operator.
    pub(super) fn connect_having(
        &mut self,
        pod: &str,
        uid: &str,
        have: BTreeMap<Key, String>,
    ) -> Result<Proxy, Refused> {
        let claims = Claims {
            namespace: "dragoman-system".into(),
            pod: pod.into(),
            pod_uid: uid.into(),
            service_account: "dragoman-default".into(),
        };
        self.connect_with(claims, "dragoman-system/default", have)
    }

    pub(super) fn connect_as(&mut self, claims: Claims, proxy: &str) -> Result<Proxy, Refused> {
        self.connect_with(claims, proxy, BTreeMap::new())
    }

    fn connect_with(
        &mut self,
        claims: Claims,
        proxy: &str,
        have: BTreeMap<Key, String>,
    ) -> Result<Proxy, Refused> {
        let hello = Box::new(Hello {
            proxy: proxy.into(),
            pod: claims.pod.clone(),
            version: "1".into(),
            items: have.clone(),
        });
        let (answer, mut answered) = oneshot::channel();
        self.core.from_stream(
            FromStream::Connect {
                claims,
                hello,
                answer,
            },
            self.now,
        );
        let admitted = answered.try_recv().unwrap()?;
        let mut proxy = Proxy {
            admitted,
            digest: String::new(),
            have: have.clone(),
        };
        let lines = proxy
            .admitted
            .shelf
            .begin(proxy.admitted.stream, have, None);
        lines.iter().for_each(|line| {
            proxy.read(line);
        });
        Ok(proxy)
    }

    pub(super) fn report(&mut self, proxy: &Proxy, report: Report) {
        let report = Box::new(Report {
            digest: proxy.digest.clone(),
            ..report
        });
        let message = FromStream::Report {
            stream: proxy.admitted.stream,
            report,
        };
        self.core.from_stream(message, self.now);
    }

    /// A stage with the route `chat` and one proxy that runs it.
    pub(super) fn served() -> (Self, Key, Proxy) {
        let mut stage = Self::leading();
        let route = stage.chat();
        stage.settle();
        stage.pod("p1", "u1");
        let proxy = stage.connect("p1", "u1").unwrap();
        stage.report(&proxy, Report::default());
        stage.soon();
        (stage, route, proxy)
    }
}

/// What the API server says of an object for a namespace that is being deleted.
fn too_late() -> kube::Error {
    let status = json!({
        "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "unable to create new content in namespace team-a because it is being terminated",
        "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]},
    });
    kube::Error::Api(serde_json::from_value(status).unwrap())
}

/// What the API server says when it refuses.
pub(super) fn refusal(code: u16, message: &str) -> kube::Error {
    let status = json!({"status": "Failure", "code": code, "message": message});
    kube::Error::Api(serde_json::from_value(status).unwrap())
}

/// A connected proxy.
pub(super) struct Proxy {
    pub(super) admitted: Admitted,
    /// What it was sent, by its hashes.
    pub(super) have: BTreeMap<Key, String>,
    digest: String,
}

impl Proxy {
    fn read(&mut self, line: &[u8]) -> Transaction {
        let Down::Transaction(transaction) = serde_json::from_slice(line).unwrap() else {
            panic!("no transaction")
        };
        for put in &transaction.put {
            self.have.insert(put.name.clone(), put.hash.clone());
        }
        for name in &transaction.delete {
            self.have.remove(name);
        }
        let have = self.have.iter().map(|(name, hash)| (name, hash.as_str()));
        assert_eq!(transaction.digest, hash::digest(have));
        self.digest.clone_from(&transaction.digest);
        transaction
    }

    /// What it is sent now.
    pub(super) fn receive(&mut self) -> Option<Transaction> {
        match self.admitted.shelf.next(self.admitted.stream, None) {
            Next::Line(line) => Some(self.read(&line.bytes)),
            _ => None,
        }
    }
}
