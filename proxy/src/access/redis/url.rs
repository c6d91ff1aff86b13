//! Where Redis is.
//!
//! - `redis://[user:password@]host[:port][/database]`, `rediss://` over TLS, `redis+unix:///path`
//! - `redis+sentinel://[user:password@]host[:port],host…/master[/database]`, `rediss+sentinel://`: the primary that Sentinels name
//! - `redis-cluster://[user:password@]host[:port],host…`, `rediss-cluster://`: a cluster
//!
//! The user and password are Redis' own, of its ACL. Sentinels that ask for one are not served, and certificates are verified by the system's roots
//! (`SSL_CERT_FILE`).

use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{ConnectionAddr, IntoConnectionInfo, TlsMode};

use crate::serve::path::percent_decode;

/// A URL that is none of Redis'. It may hold a password, so it is not quoted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the URL of Redis {0}")]
pub(super) struct BadUrl(&'static str);

/// How to reach Redis.
pub(super) enum Target {
    /// One server.
    One(Box<redis::Client>),
    /// Whichever server Sentinels name.
    Sentinel(Box<SentinelClient>),
    /// Many servers.
    Cluster(Box<redis::cluster::ClusterClient>),
}

/// A user and a password.
type Login = (Option<String>, Option<String>);

/// Reads a URL.
pub(super) fn read(url: &str) -> Result<Target, BadUrl> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://").ok_or(BadUrl("has no scheme"))?;
    let bad = |_| BadUrl("cannot be read");
    match scheme {
        "redis" | "rediss" | "unix" | "redis+unix" => redis::Client::open(url)
            .map(|client| Target::One(Box::new(client)))
            .map_err(bad),
        "redis+sentinel" | "rediss+sentinel" => sentinel(rest, scheme.starts_with("rediss")),
        "redis-cluster" | "rediss-cluster" => cluster(rest, scheme.starts_with("rediss")),
        _ => Err(BadUrl(
            "has a scheme that is not known; there are redis, rediss, redis+unix, redis+sentinel, rediss+sentinel, redis-cluster and rediss-cluster",
        )),
    }
}

fn sentinel(rest: &str, tls: bool) -> Result<Target, BadUrl> {
    let (login, hosts, path) = parts(rest)?;
    let mut path = path.split('/');
    let master = path.next().filter(|master| !master.is_empty());
    let master = master.ok_or(BadUrl("names no master after its hosts"))?;
    let database = path.next().filter(|database| !database.is_empty());
    let nodes: Result<Vec<_>, _> = hosts
        .split(',')
        .map(|host| address(host, 26379, tls))
        .collect();
    let bad = |_| BadUrl("cannot be read");
    let mut builder =
        SentinelClientBuilder::new(nodes?, decoded(master), SentinelServerType::Master)
            .map_err(bad)?;
    if tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(database) = database {
        let number = database
            .parse()
            .map_err(|_| BadUrl("has a database that is no number"))?;
        builder = builder.set_client_to_redis_db(number);
    }
    if let Some(user) = login.0 {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = login.1 {
        builder = builder.set_client_to_redis_password(password);
    }
    let client = builder.build().map_err(bad)?;
    Ok(Target::Sentinel(Box::new(client)))
}

fn cluster(rest: &str, tls: bool) -> Result<Target, BadUrl> {
    let (login, hosts, path) = parts(rest)?;
    if !path.is_empty() {
        return Err(BadUrl("names a database, which clusters do not have"));
    }
    let nodes: Result<Vec<_>, _> = hosts
        .split(',')
        .map(|host| address(host, 6379, tls))
        .collect();
    let nodes = nodes?
        .into_iter()
        .map(IntoConnectionInfo::into_connection_info);
    let bad = |_| BadUrl("cannot be read");
    let nodes: Vec<_> = nodes.collect::<Result<_, _>>().map_err(bad)?;
    let mut builder = ClusterClientBuilder::new(nodes)
        .retries(0)
        .connection_timeout(super::service::PATIENCE)
        .response_timeout(super::service::PATIENCE);
    if tls {
        builder = builder.tls(TlsMode::Secure);
    }
    if let Some(user) = login.0 {
        builder = builder.username(user);
    }
    if let Some(password) = login.1 {
        builder = builder.password(password);
    }
    let client = builder.build().map_err(bad)?;
    Ok(Target::Cluster(Box::new(client)))
}

/// The login, the hosts and what follows the next slash.
fn parts(rest: &str) -> Result<(Login, &str, &str), BadUrl> {
    let (login, rest) = match rest.rsplit_once('@') {
        None => ((None, None), rest),
        Some((login, rest)) => {
            let (user, password) = match login.split_once(':') {
                Some((user, password)) => (user, Some(decoded(password))),
                None => (login, None),
            };
            let user = Some(decoded(user)).filter(|user| !user.is_empty());
            ((user, password), rest)
        }
    };
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((login, hosts, path))
}

fn address(host: &str, port: u16, tls: bool) -> Result<ConnectionAddr, BadUrl> {
    let authority: http::uri::Authority = host
        .trim()
        .parse()
        .map_err(|_| BadUrl("has a host that is none"))?;
    let port = authority.port_u16().unwrap_or(port);
    let host = authority.host();
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    if host.is_empty() {
        return Err(BadUrl("has an empty host"));
    }
    Ok(if tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    })
}

fn decoded(text: &str) -> String {
    percent_decode(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_redis_is_reached_by_its_own_scheme() {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        for url in [
            "redis://localhost",
            "redis://user:p%40ss@redis.svc:6380/3",
            "rediss://:secret@redis.svc",
            "unix:///run/redis.sock",
        ] {
            assert!(matches!(read(url), Ok(Target::One(_))), "{url}");
        }
        for url in [
            "redis+sentinel://a,b:26380,[::1]:1/mymaster",
            "rediss+sentinel://user:secret@a/mymaster/2",
        ] {
            assert!(matches!(read(url), Ok(Target::Sentinel(_))), "{url}");
        }
        for url in ["redis-cluster://a:1,b", "rediss-cluster://user:secret@a"] {
            assert!(matches!(read(url), Ok(Target::Cluster(_))), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_password() {
        for url in [
            "localhost:6379",
            "http://user:secret@a",
            "redis://user:secret@a:port",
            "redis+sentinel://user:secret@a",
            "redis+sentinel://user:secret@/m",
            "redis+sentinel://user:secret@a/m/x",
            "redis-cluster://user:secret@a/3",
            "redis-cluster://user:secret@",
        ] {
            let Err(fault) = read(url) else {
                unreachable!("{url}")
            };
            assert!(!fault.to_string().contains("secret"), "{fault}");
        }
    }

    #[test]
    fn a_login_is_decoded() {
        let (login, hosts, path) = parts("us%65r:p%40ss:x@a,b/m/1").unwrap();
        assert_eq!(login, (Some("user".into()), Some("p@ss:x".into())));
        assert_eq!((hosts, path), ("a,b", "m/1"));
        let (login, ..) = parts(":only@a").unwrap();
        assert_eq!(login, (None, Some("only".into())));
    }
}
