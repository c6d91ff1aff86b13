//! From its start to its graceful end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dragoman_logbook::fault::Fault;
use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::store::{Options, Store};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::answer::Logbook;
use super::args::LogbookArgs;
use super::pages::pages;
use super::serve::serve;
use super::settings::{BadFile, Follower, Settings};
use super::tls::Shown;
use crate::control::admin::ADMIN_TOKEN;
use crate::control::logging::{self, LogFault};
use crate::control::stop::Signals;
use crate::log::lock;

/// How often room is made for what comes.
const HOUSEKEEPING: Duration = Duration::from_mins(10);
/// How long a database that does not answer at the start is left alone.
const RETRY: Duration = Duration::from_secs(1);
/// The longest that a connection of the admin port is waited for at the end.
const ADMIN: Duration = Duration::from_secs(1);

/// Why a logbook cannot run.
#[derive(Debug, thiserror::Error)]
pub enum LogbookFault {
    /// The log cannot start.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The directory of the database cannot be had.
    #[error("--data {}: {source}", path.display())]
    Data {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database's address is none.
    #[error("DRAGOMAN_DATABASE_URL or --database-url-file: {0}")]
    Database(#[source] Fault),
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
    /// TLS cannot be set up. Ours.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The machine refuses something else.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

/// Takes batches until told to stop.
///
/// # Errors
/// [`LogbookFault`] when it cannot begin.
pub fn logbook(args: LogbookArgs) -> Result<(), LogbookFault> {
    let _level = logging::start(&args.log.options())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(process(Arc::new(args)));
    // Nothing is left that must be waited for.
    runtime.shutdown_background();
    done
}

async fn process(args: Arc<LogbookArgs>) -> Result<(), LogbookFault> {
    let mut signals = Signals::listen()?;
    let settings = Settings::read(&args)?;
    let shown = Shown::new(settings.pair()?);
    let tickets = settings.tickets()?;
    let (store, _locked) = open(&args, &settings)?;
    let receiver = Arc::new(Receiver::new(store.clone(), tickets));
    let secure = listen(args.listen, "--listen").await?;
    let admin = listen(args.admin, "--admin").await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %secure.local_addr()?,
        admin = %admin.local_addr()?,
        "the logbook listens"
    );

    let reload = Arc::new(Notify::new());
    let follower = Follower {
        shown: Arc::clone(&shown),
        receiver: Arc::clone(&receiver),
        store: store.clone(),
    };
    tokio::spawn(follower.follow(Arc::clone(&args), settings, Arc::clone(&reload)));
    // From the environment alone: a command line is for everybody's eyes.
    let token = std::env::var(ADMIN_TOKEN).ok();
    let logbook = Arc::new(Logbook {
        receiver,
        store: store.clone(),
        web: pages(store.clone(), token.as_deref(), &args),
        ready: AtomicBool::new(false),
    });
    tokio::spawn(begin(store, Arc::clone(&logbook)));

    let stop = CancellationToken::new();
    let tls = TlsAcceptor::from(shown.server()?);
    let answering = Arc::clone(&logbook);
    let answer = move |request| Arc::clone(&answering).secure(request);
    let secure = serve(secure, Some(tls), answer, stop.clone(), args.drain_timeout);
    let secure = tokio::spawn(secure);
    // The admin port answers until all else has ended.
    let over = CancellationToken::new();
    let answering = Arc::clone(&logbook);
    let answer = move |request| Arc::clone(&answering).admin(request);
    let admin = tokio::spawn(serve(admin, None, answer, over.clone(), ADMIN));

    signals.stop(&reload).await;
    tracing::info!("stopping; batches that are under way may end");
    logbook.ready.store(false, Ordering::Relaxed);
    stop.cancel();
    let again = Notify::new();
    tokio::select! {
        _ = secure => {}
        () = signals.stop(&again) => tracing::warn!("told to stop again; batches are cut off, and will be sent once more"),
    }
    over.cancel();
    let _ = admin.await;
    tracing::info!("stopped");
    Ok(())
}

/// The store, and what keeps others from its directory.
fn open(
    args: &LogbookArgs,
    settings: &Settings,
) -> Result<(Store, Option<std::fs::File>), LogbookFault> {
    let options = Options {
        retention: args.retention,
        max_bytes: args.max_size,
        ..Options::default()
    };
    if let Some(url) = settings.database() {
        let store = Store::open(&url, &options).map_err(LogbookFault::Database)?;
        return Ok((store, None));
    }
    let locked = lock(&args.data).map_err(|source| LogbookFault::Data {
        path: args.data.clone(),
        source,
    })?;
    let address = format!("sqlite:{}", args.data.join("requests.db").display());
    let store = Store::open(&address, &options).map_err(LogbookFault::Database)?;
    Ok((store, Some(locked)))
}

async fn listen(address: SocketAddr, option: &'static str) -> Result<TcpListener, LogbookFault> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| LogbookFault::Listen {
        address,
        option,
        source,
    })
}

/// Brings the schema up to date, says that the logbook is ready, and makes room now and then, for ever.
async fn begin(store: Store, logbook: Arc<Logbook>) {
    let mut told = None;
    while let Err(fault) = store.ready().await {
        if told.as_ref() != Some(&fault) {
            tracing::warn!(%fault, "not ready yet; it is tried again");
            told = Some(fault);
        }
        tokio::time::sleep(RETRY).await;
    }
    logbook.ready.store(true, Ordering::Relaxed);
    tracing::info!("ready");
    store.keep(HOUSEKEEPING).await;
}
