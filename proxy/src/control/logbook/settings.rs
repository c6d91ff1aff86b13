//! The files that a logbook reads, at the start and whenever they change: Secrets are mounted, and rotate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dragoman_logbook::ship::receive::Receiver;
use dragoman_logbook::ship::ticket::Keys;
use dragoman_logbook::store::Store;
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use super::args::LogbookArgs;
use super::tls::{self, Shown};

/// How often the files are looked at. A mounted Secret takes longer to change.
const INTERVAL: Duration = Duration::from_secs(5);
/// The environment variable with the URL of Postgres.
const DATABASE_URL: &str = "DRAGOMAN_DATABASE_URL";

/// A file that cannot be used. Of whoever wrote it; it is looked at again.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} {}: {why}", path.display())]
pub struct BadFile {
    /// The option that names it.
    pub(super) option: &'static str,
    /// Its path.
    pub(super) path: PathBuf,
    /// What is wrong. Holds nothing of a secret.
    pub(super) why: String,
}

/// Files as they were read last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    certificate: (PathBuf, Vec<u8>),
    key: (PathBuf, Vec<u8>),
    tickets: (PathBuf, Vec<u8>),
    database: Option<(PathBuf, Vec<u8>)>,
}

impl Settings {
    /// Reads them all.
    pub(super) fn read(args: &LogbookArgs) -> Result<Self, BadFile> {
        let file = |option, path: &Path| read(option, path).map(|bytes| (path.to_owned(), bytes));
        let database = args.database_url_file.as_deref();
        Ok(Self {
            certificate: file("--tls-cert", &args.tls_cert)?,
            key: file("--tls-key", &args.tls_key)?,
            tickets: file("--ticket-keys", &args.ticket_keys)?,
            database: database
                .map(|path| file("--database-url-file", path))
                .transpose()?,
        })
    }

    pub(super) fn pair(&self) -> Result<CertifiedKey, BadFile> {
        tls::pair(&self.certificate.1, &self.key.1).map_err(|why| BadFile {
            option: "--tls-cert",
            path: self.certificate.0.clone(),
            why,
        })
    }

    pub(super) fn tickets(&self) -> Result<Keys, BadFile> {
        Keys::read(&self.tickets.1).map_err(|fault| BadFile {
            option: "--ticket-keys",
            path: self.tickets.0.clone(),
            why: fault.to_string(),
        })
    }

    /// The address of Postgres, from the file or else from the environment; none, where SQLite is meant.
    pub(super) fn database(&self) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let file = self.database.as_ref().map(|(_, bytes)| text(bytes));
        let set = || std::env::var(DATABASE_URL).ok();
        file.or_else(set).filter(|url| !url.is_empty())
    }
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, BadFile> {
    std::fs::read(path).map_err(|fault| BadFile {
        option,
        path: path.to_owned(),
        why: fault.to_string(),
    })
}

/// Whom changes are told.
pub(super) struct Follower {
    pub(super) shown: Arc<Shown>,
    pub(super) receiver: Arc<Receiver>,
    pub(super) store: Store,
}

impl Follower {
    /// Looks at the files for ever, now and then and whenever `reload` says so. What cannot be used is told once, and what was there before stays.
    pub(super) async fn follow(
        self,
        args: Arc<LogbookArgs>,
        mut known: Settings,
        reload: Arc<Notify>,
    ) {
        let mut told = None;
        loop {
            let _ = tokio::time::timeout(INTERVAL, reload.notified()).await;
            match self.look(&args, &mut known) {
                Ok(()) => told = None,
                Err(fault) if told.as_ref() != Some(&fault) => {
                    tracing::warn!(%fault, "what was read before stays in use");
                    told = Some(fault);
                }
                Err(_) => {}
            }
        }
    }

    fn look(&self, args: &LogbookArgs, known: &mut Settings) -> Result<(), BadFile> {
        let read = Settings::read(args)?;
        if read == *known {
            return Ok(());
        }
        // A mounted Secret changes as a whole, other files one by one: a pair that does not fit yet keeps nothing else from being taken.
        let mut bad = None;
        if (&read.certificate, &read.key) != (&known.certificate, &known.key) {
            match read.pair() {
                Ok(pair) => {
                    self.shown.show(pair);
                    tracing::info!("the certificate was replaced");
                    (known.certificate, known.key) = (read.certificate.clone(), read.key.clone());
                }
                Err(fault) => bad = Some(fault),
            }
        }
        if read.tickets != known.tickets {
            match read.tickets() {
                Ok(keys) => {
                    self.receiver.trust(keys);
                    tracing::info!("the keys of tickets were replaced");
                    known.tickets.clone_from(&read.tickets);
                }
                Err(fault) => bad = Some(fault),
            }
        }
        if read.database != known.database
            && let Some((path, _)) = &read.database
        {
            match self.store.readdress(&read.database().unwrap_or_default()) {
                Ok(()) => {
                    tracing::info!("the database's address was replaced");
                    known.database.clone_from(&read.database);
                }
                Err(fault) => {
                    bad = Some(BadFile {
                        option: "--database-url-file",
                        path: path.clone(),
                        why: fault.to_string(),
                    });
                }
            }
        }
        bad.map_or(Ok(()), Err)
    }
}
