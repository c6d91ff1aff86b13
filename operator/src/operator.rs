//! Everything put together: watches, core, election, certificates, push server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::args::Args;
use crate::children::Installation;
use crate::core::{Core, Inputs};
use crate::installation_owner::installation_owner;
use crate::lease::{Candidate, Role};
use crate::metrics::Metrics;
use crate::patience::bounded;
use crate::pki::Keeper;
use crate::push::{Keyring, Server};
use crate::watch::backoff::Backoff;
use crate::{core, push, watch};

/// Why the operator could not start. Its installation's fault; a restart helps when that is cured.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No kubeconfig, and no ServiceAccount.
    #[error("the API server cannot be reached: {0}")]
    Client(#[from] kube::Error),
    /// A port is taken.
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Runs the operator until `stop`, then hands over.
///
/// # Errors
/// [`Fault`] when it cannot start.
pub async fn operate(args: Args, stop: CancellationToken) -> Result<(), Fault> {
    let metrics = Arc::new(Metrics::new());
    let ready = Arc::new(AtomicBool::new(false));
    let bind = async |address: SocketAddr| {
        TcpListener::bind(address)
            .await
            .map_err(|fault| Fault::Listen(address, fault))
    };
    let admin = Admin {
        ready: Arc::clone(&ready),
        metrics: Arc::clone(&metrics),
    };
    tokio::spawn(admin::serve(bind(args.admin).await?, admin));
    let listener = bind(args.listen).await?;
    let push_port = listener
        .local_addr()
        .map_or(args.listen.port(), |address| address.port());

    let client = Client::try_default().await?;
    let Some((keeper, owner)) = load_keeper(&client, &args, &stop).await else {
        return Ok(());
    };
    let logbook = args.logbook_url.as_ref();
    let keeper = keeper.with_logbook(logbook.map(|logbook| {
        let host = logbook.host.clone();
        let whole = host
            .ends_with(".svc")
            .then(|| format!("{host}.{}", args.cluster_domain));
        whole.into_iter().chain([host]).collect()
    }));
    let logbook = logbook.map(|logbook| logbook.url.as_str().into());
    let identity = keeper.identity();
    let authorities_changed = Arc::new(Notify::new());

    let (seen, seen_by_core) = mpsc::channel(1024);
    let watches = watch::begin(&client, &seen);
    drop(seen);

    let address = args
        .pod_ip
        .map(|ip| SocketAddr::new(ip, push_port).to_string());
    let candidate = Candidate::new(
        client.clone(),
        &args.namespace,
        owner,
        args.pod_name.clone(),
        address,
    );
    let role = candidate.role();

    let leads = role.clone();
    let leads = move || matches!(&*leads.borrow(), Role::Leading(term) if term.holds());
    tokio::spawn(keeper.keep(Arc::clone(&authorities_changed), leads));
    // Whoever begins to lead looks at once.
    let (mut leading, looks) = (role.clone(), Arc::clone(&authorities_changed));
    tokio::spawn(async move {
        while leading.changed().await.is_ok() {
            looks.notify_one();
        }
    });

    let installation = Installation {
        namespace: args.namespace,
        service_name: args.service_name,
        push_port,
        cluster_domain: args.cluster_domain,
        proxy_image: args.proxy_image,
        proxy_image_pull_policy: args.proxy_image_pull_policy,
        proxy_env: args.proxy_env,
    };
    let keyring = Keyring::of_cluster(client.clone());
    let (to_core, streams) = mpsc::channel(4096);
    let inputs = Inputs {
        seen: seen_by_core,
        streams,
        role: role.clone(),
        bundle: identity.bundle(),
        cluster_keys: keyring.told(),
        ready,
        metrics: Arc::clone(&metrics),
    };
    let reporter = Reporter {
        controller: "dragoman-operator".into(),
        instance: Some(args.pod_name),
    };
    let recorder = Recorder::new(client.clone(), reporter);
    let core = Core::new(installation, Arc::clone(&identity), authorities_changed);
    let stopped = CancellationToken::new();
    let core = tokio::spawn(core::run(core, inputs, client, recorder, stopped.clone()));

    let server = Server {
        role,
        keyring,
        identity,
        core: to_core,
        metrics,
        logbook,
    };
    let server = Arc::new(server);
    let keeping = Arc::clone(&server);
    tokio::spawn(async move { keeping.keyring.keep().await });
    let server = tokio::spawn(push::serve(listener, server));

    // Streams say goodbye and a standby takes over, while the candidate still tells who that is.
    candidate.run(stop).await;
    stopped.cancel();
    let _ = core.await;
    tracing::info!("stopped");
    server.abort();
    drop(watches);
    Ok(())
}

/// Certificates, and who owns what we make for ourselves, as soon as the API server gives them.
async fn load_keeper(
    client: &Client,
    args: &Args,
    stop: &CancellationToken,
) -> Option<(Keeper, Option<OwnerReference>)> {
    let Args {
        namespace,
        service_name,
        cluster_domain,
        ..
    } = args;
    let service = format!("{service_name}.{namespace}.svc");
    let mut names = vec![
        format!("{service}.{cluster_domain}"),
        service,
        service_name.clone(),
    ];
    names.extend(args.pod_ip.map(|ip| ip.to_string()));
    let load = async || {
        let owner = installation_owner(client, namespace, service_name).await?;
        let keeper = Keeper::load(client.clone(), namespace, owner.clone(), names.clone()).await?;
        Ok::<_, crate::pki::Fault>((keeper, owner))
    };
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(20));
    loop {
        let fault = tokio::select! {
            () = stop.cancelled() => return None,
            loaded = bounded(load()) => match loaded {
                Ok(loaded) => return Some(loaded),
                Err(fault) => fault,
            },
        };
        let wait = backoff.wait();
        tracing::error!(%fault, ?wait, "the push server has no certificate yet; it is tried again");
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
