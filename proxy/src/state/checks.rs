//! Active health checks: a GET at an interval, made by a thread of their own so that no request waits for one.
//!
//! The thread exists once the first backend asks for checks, and ends with the [`Shared`](super::Shared).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dragoman_config::HealthItem;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::backend::{Backend, Credential};
use super::key_verdict::{self, Purpose, Refused};
use crate::upstream::{Cluster, Request, RequestBody};

/// The longest that one check may take, whatever its interval.
const PATIENCE: Duration = Duration::from_secs(5);

/// The backends that are checked.
#[derive(Debug, Default)]
pub(super) struct Checks(Option<watch::Sender<Vec<Arc<Backend>>>>);

impl Checks {
    /// Checks those of `backends` that ask for it, and no others.
    pub(super) fn follow<'a>(&mut self, backends: impl Iterator<Item = &'a Arc<Backend>>) {
        let mut wanted = Vec::new();
        for backend in backends {
            match backend.checks {
                Some(_) => wanted.push(Arc::clone(backend)),
                None => backend.lasting.health.unchecked(),
            }
        }
        match &self.0 {
            Some(sender) => {
                sender.send_replace(wanted);
            }
            None if wanted.is_empty() => {}
            None => {
                let (sender, receiver) = watch::channel(wanted);
                let thread = std::thread::Builder::new().name("checks".into());
                match thread.spawn(move || run(receiver)) {
                    Ok(_) => self.0 = Some(sender),
                    Err(fault) => tracing::error!(%fault, "no thread for health checks"),
                }
            }
        }
    }
}

fn run(backends: watch::Receiver<Vec<Arc<Backend>>>) {
    match Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
    {
        Ok(runtime) => runtime.block_on(follow(backends)),
        Err(fault) => tracing::error!(%fault, "no runtime for health checks"),
    }
}

async fn follow(mut backends: watch::Receiver<Vec<Arc<Backend>>>) {
    let mut running: HashMap<u64, JoinHandle<()>> = HashMap::new();
    loop {
        let wanted = backends.borrow_and_update().clone();
        running.retain(|id, task| {
            let stays = wanted.iter().any(|backend| backend.id == *id);
            if !stays {
                task.abort();
            }
            stays
        });
        for backend in wanted {
            if let Some(checks) = backend.checks.clone() {
                running.entry(backend.id).or_insert_with(|| {
                    tokio::task::spawn_local(check_again_and_again(backend, checks))
                });
            }
        }
        if backends.changed().await.is_err() {
            return;
        }
    }
}

async fn check_again_and_again(backend: Arc<Backend>, checks: HealthItem) {
    let every = Duration::from_millis(checks.interval_ms.max(1));
    let mut settings = backend.settings.clone();
    settings.max_concurrency = None;
    let cluster = match Cluster::new(settings) {
        Ok(cluster) => cluster,
        Err(fault) => {
            let health = &backend.lasting.health;
            return health.checked(backend.id, Err(fault.to_string()), 1);
        }
    };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = check(&cluster, &backend, &checks.path, every.min(PATIENCE)).await;
        backend
            .lasting
            .health
            .checked(backend.id, outcome, checks.unhealthy_after);
    }
}

async fn check(
    cluster: &Cluster,
    backend: &Backend,
    path: &str,
    patience: Duration,
) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    if let Credential::Key(name, value) = &backend.credential {
        headers.insert(name.clone(), value.clone());
    }
    for (name, value) in &backend.headers {
        headers.insert(name.clone(), value.clone());
    }
    let path: PathAndQuery = path.parse().map_err(|_| format!("{path:?} is no path"))?;
    let request = Request {
        method: Method::GET,
        path,
        headers,
        body: RequestBody::Empty,
    };
    let reply = cluster.send(request, Some(Instant::now() + patience)).await;
    let reply = reply.map_err(|fault| fault.to_string())?;
    if reply.status == StatusCode::UNAUTHORIZED && backend.sends_own_key_only() {
        let why = key_verdict::words(&backend.name);
        let health = &backend.lasting.health;
        let refused = health.key_refused(backend.id, Purpose::Check, &why);
        if refused == Refused::Turned {
            tracing::warn!(backend = %backend.name, kind = "key_refused", "{why}");
        }
    }
    if !reply.status.is_success() {
        return Err(format!("the health check got {}", reply.status));
    }
    // Read to its end, so that the connection serves the next check; a page longer than this is not worth it.
    let _ = reply.body.collect(64 << 10).await;
    Ok(())
}
