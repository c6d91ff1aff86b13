//! The command line of `dragoman-proxy`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use dragoman_config::ObjectKey;

use super::logbook::LogbookArgs;
use super::logging::{LogFormat, LogOptions, StartLevel};
use super::push::{OperatorUrl, Source as OperatorSource};
use super::standalone::child;
use crate::log::keeper;

/// Exit code of a command that worked.
pub const OK: u8 = 0;
/// Exit code when the config or the machine is at fault.
pub const FAULT: u8 = 1;

/// The LLM proxy of Dragoman.
///
/// It answers the APIs that applications already speak, and leads each request to the upstream that the config
/// names. Exit codes: 0 for success, 1 for a fault in config or machine, 2 for a wrong command line.
#[derive(Debug, Parser)]
#[command(
    name = "dragoman-proxy",
    version,
    about,
    long_about,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve requests, with config from manifests or from the operator of a cluster.
    Run(Box<RunArgs>),
    /// Validate manifests as `run` would, print every fault, and exit 1 if there is one or no manifest at all.
    ///
    /// Fields that are unknown, missing or of the wrong type come first: while an object has one, others of the same object may not show.
    Check(CheckArgs),
    /// Keep the request log of a cluster's proxies: take their rows over TLS, and store them in SQLite or Postgres.
    Logbook(Box<LogbookArgs>),
    /// Compile the files on standard input for a `run` that waits for them. No part of the interface.
    #[command(name = child::COMMAND, hide = true)]
    Compile,
}

/// The options of `run`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true).args(["config", "operator"])))]
pub struct RunArgs {
    /// Directory of manifests (YAML or JSON, read recursively), or one such file. Reloaded on change and on SIGHUP.
    #[arg(long, value_name = "PATH", env = "DRAGOMAN_CONFIG")]
    pub config: Option<PathBuf>,
    /// The operator's URL, such as https://dragoman-operator.dragoman-system.svc:9443.
    #[arg(long, value_name = "URL", env = "DRAGOMAN_OPERATOR", requires_all = ["proxy", "token_file", "ca_file", "pod_name"])]
    pub operator: Option<OperatorUrl>,
    /// The LLMProxy whose config the operator shall send.
    #[arg(long, value_name = "NS/NAME", env = "DRAGOMAN_PROXY", requires = "operator", value_parser = object_key)]
    pub proxy: Option<ObjectKey>,
    /// File with the ServiceAccount token for the operator; read again for each connection.
    #[arg(
        long,
        value_name = "FILE",
        env = "DRAGOMAN_TOKEN_FILE",
        requires = "operator"
    )]
    pub token_file: Option<PathBuf>,
    /// File with the authorities (PEM) that sign the operator's certificate; read again for each connection.
    #[arg(
        long,
        value_name = "FILE",
        env = "DRAGOMAN_CA_FILE",
        requires = "operator"
    )]
    pub ca_file: Option<PathBuf>,
    /// Directory on a memory-backed volume for the last config, from which a restarted container serves while the operator is away. It holds keys: never a disk.
    #[arg(
        long,
        value_name = "DIR",
        env = "DRAGOMAN_SNAPSHOT",
        requires = "operator"
    )]
    pub snapshot: Option<PathBuf>,
    /// This pod's name, which the token must bear out.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Address for requests.
    #[arg(
        long,
        value_name = "ADDR",
        env = "DRAGOMAN_LISTEN",
        default_value = "0.0.0.0:8080"
    )]
    pub listen: SocketAddr,
    /// Address for requests over TLS, listened on while the LLMProxy has certificates (spec.tls) [default: port 8443 beside --listen].
    #[arg(long, value_name = "ADDR", env = "DRAGOMAN_LISTEN_TLS")]
    pub listen_tls: Option<SocketAddr>,
    /// Address for /healthz, /readyz, /metrics and /api/bans [default: 127.0.0.1:9090, with --operator 0.0.0.0:9090]. Unless it is a loopback address, /api/
    /// needs the token that the environment variable DRAGOMAN_ADMIN_TOKEN holds, as `Authorization: Bearer`.
    #[arg(long, value_name = "ADDR", env = "DRAGOMAN_ADMIN")]
    pub admin: Option<SocketAddr>,
    /// Folder of the request log: with --config a database (SQLite) of every request, with --operator rows on their way to the logbook
    /// [default: dragoman-data; with --operator none]. No two processes share one.
    #[arg(long, value_name = "DIR", env = "DRAGOMAN_DATA")]
    pub data: Option<PathBuf>,
    /// How long a request log of one's own keeps a request.
    #[arg(long, value_name = "DURATION", env = "DRAGOMAN_RETENTION", default_value = "168h", value_parser = duration, conflicts_with = "operator")]
    pub retention: Duration,
    /// Keep no request log.
    #[arg(long, env = "DRAGOMAN_NO_REQUEST_LOG")]
    pub no_request_log: bool,
    /// Threads that serve requests [default: the CPUs that the process may use].
    #[arg(long, value_name = "N", env = "DRAGOMAN_THREADS")]
    pub threads: Option<NonZeroUsize>,
    /// How long requests are still accepted after SIGTERM, until nobody sends any [default: 0s, with --operator 5s].
    #[arg(long, value_name = "DURATION", env = "DRAGOMAN_DRAIN_DELAY", value_parser = duration)]
    pub drain_delay: Option<Duration>,
    /// How long running requests may take to finish after that.
    #[arg(long, value_name = "DURATION", env = "DRAGOMAN_DRAIN_TIMEOUT", default_value = "45s", value_parser = duration)]
    pub drain_timeout: Duration,
    /// What the process writes about itself.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The process log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Least severe level that is logged; an LLMProxy's `logging.level` overrides it live.
    #[arg(
        long,
        value_name = "LEVEL",
        env = "DRAGOMAN_LOG_LEVEL",
        default_value = "info"
    )]
    pub log_level: StartLevel,
    /// How log lines are written.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "DRAGOMAN_LOG_FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
    /// File that log lines are appended to [default: standard error].
    #[arg(long, value_name = "FILE", env = "DRAGOMAN_LOG_FILE")]
    pub log_file: Option<PathBuf>,
}

impl LogArgs {
    /// The same, for [`super::logging::start`].
    #[must_use]
    pub fn options(&self) -> LogOptions {
        LogOptions {
            level: self.log_level,
            format: self.log_format,
            file: self.log_file.clone(),
        }
    }
}

/// The options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Directory of manifests (YAML or JSON, read recursively), or one such file.
    #[arg(long, value_name = "PATH", env = "DRAGOMAN_CONFIG")]
    pub config: PathBuf,
    /// How faults are printed.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: OutputFormat,
}

/// How faults are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A line a fault.
    Text,
    /// One array of objects.
    Json,
}

/// Where config comes from.
#[derive(Debug)]
pub enum ConfigSource {
    /// A directory of manifests, or one file.
    Files(PathBuf),
    /// The operator of a cluster.
    Operator(Box<OperatorSource>),
}

impl RunArgs {
    /// Where config comes from; `None` when the command line named neither source wholly, which the parser refuses.
    #[must_use]
    pub fn source(&self) -> Option<ConfigSource> {
        if let Some(source) = &self.config {
            return Some(ConfigSource::Files(source.clone()));
        }
        Some(ConfigSource::Operator(Box::new(OperatorSource {
            url: self.operator.clone()?,
            proxy: self.proxy.clone()?,
            pod: self.pod_name.clone()?,
            token_file: self.token_file.clone()?,
            ca_file: self.ca_file.clone()?,
            snapshot: self.snapshot.clone(),
        })))
    }

    /// Where HTTPS is served, while it is.
    #[must_use]
    pub fn listen_tls(&self) -> SocketAddr {
        let beside = SocketAddr::new(self.listen.ip(), 8443);
        self.listen_tls.unwrap_or(beside)
    }

    /// Where the admin server listens. A cluster's kubelet and Prometheus come from outside the pod.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        let host = if self.operator.is_some() {
            [0, 0, 0, 0]
        } else {
            [127, 0, 0, 1]
        };
        self.admin.unwrap_or_else(|| (host, 9090).into())
    }

    /// The request log, where this process keeps one itself.
    #[must_use]
    pub fn own_log(&self) -> keeper::Options {
        let usual = || PathBuf::from("dragoman-data");
        keeper::Options {
            folder: self.data.clone().unwrap_or_else(usual),
            retention: self.retention,
        }
    }

    /// Number of threads that serve. Without the option, what the scheduler and the cgroup's CPU quota leave us.
    #[must_use]
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
            .or_else(|| std::thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
    }

    /// How long requests are accepted after SIGTERM. In a cluster, endpoints take a moment to go.
    #[must_use]
    pub fn drain_delay(&self) -> Duration {
        let usual = if self.operator.is_some() { 5 } else { 0 };
        self.drain_delay.unwrap_or(Duration::from_secs(usual))
    }
}

fn object_key(text: &str) -> Result<ObjectKey, String> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok(ObjectKey::new(namespace, name))
        }
        _ => Err("write it as NAMESPACE/NAME".into()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    dragoman_crds::Duration::from(text)
        .parse()
        .map_err(|fault| fault.to_string())
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
