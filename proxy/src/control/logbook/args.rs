//! The options of `logbook`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dragoman_crds::ByteSize;

use crate::control::cli::{LogArgs, duration};

/// The options of `logbook`.
#[derive(Debug, Args)]
pub struct LogbookArgs {
    /// Address for the proxies' batches, over TLS.
    #[arg(
        long,
        value_name = "ADDR",
        env = "DRAGOMAN_LISTEN",
        default_value = "0.0.0.0:8443"
    )]
    pub listen: SocketAddr,
    /// File with the certificate and its chain (PEM) that --listen is served with. Read again when it changes, as all files here are.
    #[arg(long, value_name = "FILE", env = "DRAGOMAN_TLS_CERT")]
    pub tls_cert: PathBuf,
    /// File with the certificate's key (PEM).
    #[arg(long, value_name = "FILE", env = "DRAGOMAN_TLS_KEY")]
    pub tls_key: PathBuf,
    /// File with the public keys (a JSON Web Key Set) of the operator that signs tickets.
    #[arg(long, value_name = "FILE", env = "DRAGOMAN_TICKET_KEYS")]
    pub ticket_keys: PathBuf,
    /// Address for the dashboard, the APIs, /healthz, /readyz and /metrics.
    #[arg(
        long,
        value_name = "ADDR",
        env = "DRAGOMAN_ADMIN",
        default_value = "0.0.0.0:9090"
    )]
    pub admin: SocketAddr,
    /// Directory of the SQLite database; one process may use it. Not used with Postgres, whose URL is in --database-url-file, or else in the environment variable
    /// DRAGOMAN_DATABASE_URL: a command line is for everybody's eyes.
    #[arg(
        long,
        value_name = "DIR",
        env = "DRAGOMAN_DATA",
        default_value = "./dragoman-data"
    )]
    pub data: PathBuf,
    /// File with the URL of a Postgres database, such as postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full. Another password or host in it is used from the next
    /// connection on.
    #[arg(long, value_name = "FILE", env = "DRAGOMAN_DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Directory with the files `token` and `ca.crt` of a ServiceAccount that may create tokenreviews and subjectaccessreviews. With it, Kubernetes tokens open what their bearers may see; without it, the
    /// admin token alone does.
    #[arg(long, value_name = "DIR", env = "DRAGOMAN_SERVICE_ACCOUNT")]
    pub service_account: Option<PathBuf>,
    /// The API server that is asked about Kubernetes tokens.
    #[arg(
        long,
        value_name = "URL",
        env = "DRAGOMAN_API_SERVER",
        default_value = "https://kubernetes.default.svc"
    )]
    pub api_server: String,
    /// How long a request is kept. On Postgres the whole day (UTC) of it must be over that.
    #[arg(long, value_name = "DURATION", env = "DRAGOMAN_RETENTION", default_value = "168h", value_parser = duration)]
    pub retention: Duration,
    /// What SQLite may hold; the oldest requests go first. Such as 4Gi.
    #[arg(long, value_name = "SIZE", env = "DRAGOMAN_MAX_SIZE", default_value = "4Gi", value_parser = size)]
    pub max_size: u64,
    /// How long batches that are under way may take to end after SIGTERM.
    #[arg(long, value_name = "DURATION", env = "DRAGOMAN_DRAIN_TIMEOUT", default_value = "45s", value_parser = duration)]
    pub drain_timeout: Duration,
    /// What the process writes about itself.
    #[command(flatten)]
    pub log: LogArgs,
}

fn size(text: &str) -> Result<u64, String> {
    ByteSize::from(text)
        .bytes()
        .map_err(|fault| fault.to_string())
}
