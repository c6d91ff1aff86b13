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
    /// A variable of the proxies' environment that says where their traces go, as OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability.svc:4318; given once for each.
    #[arg(long = "proxy-env", value_name = "NAME=VALUE", value_parser = traces_variable)]
    pub proxy_env: Vec<(String, String)>,
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
    /// Where proxies send the rows of the request log, as https://HOST:PORT; none is kept without it.
    #[arg(long, env = "DRAGOMAN_LOGBOOK_URL", value_parser = logbook_url)]
    pub logbook_url: Option<LogbookUrl>,
    /// The least severe level that is logged, or directives such as `info,dragoman_operator=debug`.
    #[arg(long, env = "DRAGOMAN_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// The log's format.
    #[arg(long, env = "DRAGOMAN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The URL of a logbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogbookUrl {
    /// The URL, as proxies are told it.
    pub url: String,
    /// The host in it, which its certificate bears.
    pub host: String,
}

fn logbook_url(text: &str) -> Result<LogbookUrl, String> {
    let url: Option<http::Uri> = text.parse().ok();
    let host = url.filter(|url| {
        url.scheme_str() == Some("https") && url.path() == "/" && url.query().is_none()
    });
    let host = host.and_then(|url| url.host().map(str::to_owned));
    // Its certificate bears a name.
    let named = |host: &String| host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[');
    let host = host.filter(named).filter(|_| !text.ends_with('/'));
    host.map(|host| LogbookUrl {
        url: text.to_owned(),
        host,
    })
    .ok_or_else(|| "write it as https://HOST:PORT".into())
}

/// Of OpenTelemetry's alone. Its headers are often a key, which has no place in a Deployment.
fn traces_variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let known = |name: &str| name.starts_with("OTEL_") && !name.ends_with("_HEADERS");
    pair.filter(|(name, _)| known(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| {
            "write it as OTEL_…=VALUE; headers are read from the Secret dragoman-traces".into()
        })
}

/// A log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logbook_has_a_name_and_tls() {
        let url = "https://dragoman-logbook.dragoman-system.svc:8443";
        let logbook = logbook_url(url).unwrap();
        assert_eq!(logbook.url, url);
        assert_eq!(logbook.host, "dragoman-logbook.dragoman-system.svc");
        for wrong in [
            "http://a:1",
            "https://a/",
            "https://a/b",
            "a:1",
            "https://10.0.0.1:1",
            "https://[::1]:1",
        ] {
            assert!(logbook_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_variables_of_traces_are_handed_on_and_none_that_is_a_key() {
        let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318";
        assert_eq!(traces_variable(endpoint).unwrap().1, "http://c:4318");
        for wrong in [
            "PATH=/",
            "OTEL_SERVICE_NAME",
            "OTEL_EXPORTER_OTLP_HEADERS=a=b",
        ] {
            assert!(traces_variable(wrong).is_err(), "{wrong}");
        }
    }
}
