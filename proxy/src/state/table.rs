//! Which route a request is for: by its host, or by the path prefix `/routes/<namespace>/<route>/`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use dragoman_config::ObjectKey;

/// The longest `<route>.<namespace>`: two DNS labels and a dot.
const LONGEST_NAME: usize = 63 + 1 + 63;

/// Where routes are found. A route is a number: its place among the routes of the state.
#[derive(Debug, Default)]
pub struct Table {
    /// `<route>.<namespace>`.
    names: HashMap<Arc<str>, usize>,
    /// `<route>`, while only one namespace has it.
    bare: HashMap<Arc<str>, Option<usize>>,
    hostnames: HashMap<String, usize>,
    /// `.svc.<cluster domain>`.
    domain: String,
}

/// What a host names.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// This route, and the path below it.
    Route(usize, &'p str),
    /// A prefix or name that no route has, as asked.
    Nothing(String),
}

impl Table {
    /// A table of no routes in a cluster of this domain.
    pub fn new(cluster_domain: &str) -> Self {
        Self {
            domain: format!(".svc.{}", cluster_domain.to_ascii_lowercase()),
            ..Self::default()
        }
    }

    /// Adds route number `route`.
    pub fn add(&mut self, route: usize, key: &ObjectKey, hostnames: &[String]) {
        self.names
            .insert(format!("{}.{}", key.name, key.namespace).into(), route);
        self.bare
            .entry(key.name.as_str().into())
            .and_modify(|one| *one = None)
            .or_insert(Some(route));
        for hostname in hostnames {
            // The compiler settled who has won a name; a first entry stays, whatever comes.
            self.hostnames
                .entry(hostname.to_ascii_lowercase())
                .or_insert(route);
        }
    }

    /// The route for a request of this `Host` (with or without port) and path.
    pub fn find<'p>(&self, host: &str, path: &'p str) -> Found<'p> {
        if let Some(rest) = path.strip_prefix("/routes/") {
            return self.by_prefix(rest).unwrap_or_else(|| {
                let asked: Vec<_> = rest.splitn(3, '/').take(2).collect();
                Found::Nothing(format!("/routes/{}", asked.join("/")))
            });
        }
        let name = host_name(host);
        match self.by_name(&name) {
            Some(route) => Found::Route(route, path),
            None => Found::Nothing(name.into_owned()),
        }
    }

    fn by_prefix<'p>(&self, rest: &'p str) -> Option<Found<'p>> {
        let (namespace, rest) = rest.split_once('/')?;
        let (name, below) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let mut buffer = [0; LONGEST_NAME];
        let length = name.len() + 1 + namespace.len();
        let joined = buffer.get_mut(..length)?;
        joined[..name.len()].copy_from_slice(name.as_bytes());
        joined[name.len()] = b'.';
        joined[name.len() + 1..].copy_from_slice(namespace.as_bytes());
        // A dot in either part would let `a.b/c` stand for the route of `a/b.c`; labels have none.
        if name.contains('.') || namespace.contains('.') {
            return None;
        }
        let route = self.names.get(std::str::from_utf8(joined).ok()?)?;
        Some(Found::Route(*route, below))
    }

    fn by_name(&self, name: &str) -> Option<usize> {
        let own = name
            .strip_suffix(".svc")
            .or_else(|| name.strip_suffix(&self.domain));
        self.names
            .get(own.unwrap_or(name))
            .copied()
            .or_else(|| self.bare.get(name).copied().flatten())
            .or_else(|| self.hostnames.get(name).copied())
    }
}

/// A host without port and trailing dot, in lower case. What is no host and port stays as it is, which is nobody's name: another server on the
/// way may have read something else in it.
fn host_name(host: &str) -> Cow<'_, str> {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let port = port.strip_prefix(':').unwrap_or(port);
            let is_address = address.contains(':') && is_port(port);
            if is_address { address } else { host }
        }
        None => match host.split_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => host,
        },
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("cluster.local");
        table.add(
            0,
            &ObjectKey::new("team-a", "chat"),
            &["llm.example.com".into()],
        );
        table.add(
            1,
            &ObjectKey::new("team-b", "code"),
            &["chat".into(), "chat.team-a".into()],
        );
        table.add(2, &ObjectKey::new("team-b", "twice"), &[]);
        table.add(3, &ObjectKey::new("team-a", "twice"), &[]);
        table
    }

    fn by_host(host: &str) -> Option<usize> {
        match table().find(host, "/v1/models") {
            Found::Route(route, "/v1/models") => Some(route),
            Found::Route(_, path) => panic!("{path}"),
            Found::Nothing(_) => None,
        }
    }

    #[test]
    fn a_route_answers_to_every_form_of_its_name() {
        for host in [
            "chat.team-a",
            "chat.team-a.svc",
            "chat.team-a.svc.cluster.local",
            "chat",
            "chat:8080",
            "CHAT.Team-A.svc:80",
            "chat.team-a.svc.cluster.local.",
            "chat.team-a.svc.:80",
            "llm.example.com",
        ] {
            assert_eq!(by_host(host), Some(0), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_and_port_is_nobodys_name() {
        for host in [
            "chat.team-a:80:80",
            "chat.team-a:x",
            "chat.team-a:80x",
            "[chat.team-a]",
            "[chat.team-a]:80",
            "[chat.team-a",
            "user@chat.team-a",
            "chat.team-a ",
            "chat.team-a,llm.example.com",
        ] {
            assert_eq!(by_host(host), None, "{host}");
        }
        assert_eq!(host_name("[::1]:80"), "::1");
    }

    #[test]
    fn its_own_names_win_over_other_routes_hostnames() {
        assert_eq!(by_host("chat.team-a"), Some(0));
        assert_eq!(by_host("chat"), Some(0));
    }

    #[test]
    fn a_bare_name_that_two_namespaces_have_names_none() {
        assert_eq!(by_host("twice"), None);
        assert_eq!(by_host("twice.team-a"), Some(3));
        assert_eq!(by_host("twice.team-b.svc"), Some(2));
    }

    #[test]
    fn other_hosts_name_none_and_are_quoted() {
        for host in [
            "",
            "other",
            "chat.team-a.svc.other.domain",
            "10.0.0.1:8080",
            "[::1]:8080",
            "svc",
        ] {
            assert_eq!(by_host(host), None, "{host}");
        }
        assert_eq!(
            table().find("Other:80", "/v1"),
            Found::Nothing("other".into())
        );
    }

    #[test]
    fn a_path_prefix_works_on_any_host_and_wins() {
        let table = table();
        for host in ["10.0.0.1", "code.team-b", ""] {
            let found = table.find(host, "/routes/team-a/chat/v1/models");
            assert_eq!(found, Found::Route(0, "/v1/models"));
        }
        assert_eq!(table.find("", "/routes/team-a/chat"), Found::Route(0, "/"));
        for path in [
            "/routes/team-a/none/v1",
            "/routes/team-a",
            "/routes/",
            "/routes/a.team/chat/v1",
        ] {
            assert!(
                matches!(table.find("chat", path), Found::Nothing(_)),
                "{path}"
            );
        }
        assert_eq!(
            table.find("chat", "/routes/team-a/none/v1/models"),
            Found::Nothing("/routes/team-a/none".into())
        );
    }
}
