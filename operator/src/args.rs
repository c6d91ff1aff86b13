//! The command line; every flag can be given by the environment too.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};

/// The operator of Dragoman: it compiles LLMRoutes and what they use, and keeps proxies up to date.
#[derive(Clone, Debug, Parser)]
#[command(name = "dragoman-operator", version)]
pub struct Args {
    /// The operator's namespace.
    #[arg(long, env = "POD_NAMESPACE")]
    pub namespace: String,
    /// The operator's Pod, by which it is known in the election.
    #[arg(long, env = "POD_NAME")]
    pub pod_name: String,
    /// The Pod's address, which standbys send proxies to while this replica leads.
    #[arg(long, env = "POD_IP")]
    pub pod_ip: Option<std::net::IpAddr>,
    /// The image of the proxies.
    #[arg(long, env = "DRAGOMAN_PROXY_IMAGE")]
    pub proxy_image: String,
    /// When the proxies' image is pulled.
    #[arg(
        long,
        env = "DRAGOMAN_PROXY_IMAGE_PULL_POLICY",
        default_value = "IfNotPresent"
    )]
    pub proxy_image_pull_policy: String,
    /// The domain of the cluster's Services.
    #[arg(long, env = "DRAGOMAN_CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// Where proxies connect, with TLS.
    #[arg(long, env = "DRAGOMAN_LISTEN", default_value = "0.0.0.0:9443")]
    pub listen: SocketAddr,
    /// Where /healthz, /readyz and /metrics are.
    #[arg(long, env = "DRAGOMAN_ADMIN", default_value = "0.0.0.0:9090")]
    pub admin: SocketAddr,
    /// The Service through which proxies reach the operator; its port is that of --listen.
    #[arg(
        long,
        env = "DRAGOMAN_SERVICE_NAME",
        default_value = "dragoman-operator"
    )]
    pub service_name: String,
    /// The least severe level that is logged, or directives such as `info,dragoman_operator=debug`.
    #[arg(long, env = "DRAGOMAN_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// The log's format.
    #[arg(long, env = "DRAGOMAN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// A log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
