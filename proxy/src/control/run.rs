//! `run`: everything that serves, from its start to its graceful end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::admin::{ADMIN_TOKEN, Admin};
use super::cli::{ConfigSource, RunArgs};
use super::logging::{self, LogFault};
use super::publish::Publisher;
use super::push::Client;
use super::readiness::Readiness;
use super::standalone::{Compiler, Standalone, StartFault};
use super::stop::{Patience, Signals, drain};
use crate::log::keeper::{Keeper, KeeperFault};
use crate::serve;
use crate::state::Shared;
use crate::trace::settings::{BadSetting, Settings};

/// How long requests whose time is up may take to end.
const ENDS: Duration = Duration::from_secs(2);

/// Why a process cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The log cannot start.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The files cannot be served.
    #[error(transparent)]
    Config(#[from] StartFault),
    /// An address cannot be had.
    #[error("cannot listen on {address} ({option}): {source}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What sets it.
        option: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The command line names no source of config.
    #[error("name a source of config: --config or --operator")]
    Source,
    /// The request log cannot be kept.
    #[error("the request log cannot be kept: {0}")]
    RequestLog(#[from] KeeperFault),
    /// The environment says of traces what cannot be done.
    #[error("no traces can be made: {0}")]
    Traces(#[from] BadSetting),
    /// The machine refuses something else.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

/// Serves until told to stop.
///
/// # Errors
/// [`RunFault`] when it cannot begin.
pub fn run(args: &RunArgs) -> Result<(), RunFault> {
    let level = logging::start(&args.log.options())?;
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let threads = args.threads().get();
    let done = control.block_on(async {
        let shared = Shared::new(threads);
        let publisher = Publisher::new(Arc::clone(&shared), Some(level));
        process(args, threads, &shared, publisher).await
    });
    // Nothing is left that must be waited for.
    control.shutdown_background();
    done
}

async fn process(
    args: &RunArgs,
    threads: usize,
    shared: &Arc<Shared>,
    publisher: Publisher,
) -> Result<(), RunFault> {
    let mut signals = Signals::listen()?;
    let reload = Arc::new(Notify::new());
    let source = args.source().ok_or(RunFault::Source)?;
    let missing = match &source {
        ConfigSource::Files(_) => "config from the files",
        ConfigSource::Operator(_) => "config from the operator",
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        threads,
        "dragoman-proxy starts"
    );
    let traces = Settings::read(|name| std::env::var(name).ok())?;
    if traces.is_some() && args.no_request_log {
        tracing::warn!(
            "no traces are made: spans are made of the request log's rows; leave --no-request-log out"
        );
    }
    let readiness = Arc::new(Readiness::new(Arc::clone(shared), missing));
    let (mut log, mut shown) = (None, None);
    match source {
        ConfigSource::Files(source) => {
            let standalone = tokio::select! {
                standalone = Standalone::start(source, Compiler::child(), publisher) => standalone?,
                () = signals.stop(&reload) => return Ok(()),
            };
            tokio::spawn(standalone.run(Arc::clone(&reload)));
            if !args.no_request_log {
                let (keeper, store) = Keeper::local(&args.own_log(), traces, shared).await?;
                (log, shown) = (Some(keeper), Some(store));
            }
        }
        ConfigSource::Operator(source) => {
            let client = Client::new(*source, publisher);
            if !args.no_request_log {
                let keeper = Keeper::shipping(client.sink(), args.data.as_deref(), traces, shared);
                log = Some(keeper.await?);
            }
            tokio::spawn(client.run());
        }
    }
    if let Some(log) = &log {
        shared.keep_log(log.intake());
    }
    let address = args.admin();
    // From the environment alone: a command line is for everybody's eyes.
    let token = std::env::var(ADMIN_TOKEN).ok();
    let admin = Admin::bind(
        address,
        Arc::clone(shared),
        Arc::clone(&readiness),
        token.as_deref(),
    )
    .await;
    let admin = admin.map_err(|source| RunFault::Listen {
        address,
        option: "--admin",
        source,
    })?;
    let admin = match shown {
        Some(store) => admin.showing(store, token.as_deref())?,
        None => admin,
    };
    let admin_address = admin.local_addr()?;
    tokio::spawn(admin.run());
    let address = args.listen;
    let running = serve::start(shared, address, threads).map_err(|source| RunFault::Listen {
        address,
        option: "--listen",
        source,
    })?;
    let address = args.listen_tls();
    let mut https = running.https(address);
    if *shared.https().borrow() {
        https.open().map_err(|source| RunFault::Listen {
            address,
            option: "--listen-tls",
            source,
        })?;
    }
    tokio::spawn(https.follow(Arc::clone(shared)));
    tracing::info!(listen = %running.local_addr(), admin = %admin_address, "listening");

    signals.stop(&reload).await;
    let patience = Patience {
        delay: args.drain_delay(),
        timeout: args.drain_timeout,
    };
    let again = Notify::new();
    drain(
        shared,
        &readiness,
        patience,
        running.drained(),
        signals.stop(&again),
    )
    .await;
    if let Some(log) = log {
        // What still runs is on record too.
        shared.threads_that_serve().end_all().await;
        let _ = tokio::time::timeout(ENDS, running.drained()).await;
        // The threads that serve are gone, and have handed over what they had.
        let _ = tokio::task::spawn_blocking(|| Keeper::finish(log)).await;
    }
    tracing::info!("stopped");
    Ok(())
}
