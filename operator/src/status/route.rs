//! An LLMRoute's status: where it answers, and whether its backends do.

use dragoman_config::{ObjectKey, Outcome};
use dragoman_crds::{
    Access, BackendHealth, BackendStatus, LLMRoute, LLMRouteStatus, RouteService, condition,
};
use jiff::Timestamp;

use super::{Draft, Merged, Standing};
use crate::children::labels;
use crate::children::proxy::Door;

/// One backend of a route.
#[derive(Debug)]
pub struct Backend {
    /// Its name within the route.
    pub name: String,
    /// The proxies' word, if any spoke.
    pub merged: Option<Merged>,
}

/// What is known of a route.
#[derive(Debug)]
pub struct RouteFacts<'a> {
    /// The route; absent when it does not parse.
    pub route: Option<&'a LLMRoute>,
    /// The LLMProxy that its Service leads to, and where that one's Service answers.
    pub proxy: Option<(&'a ObjectKey, Door)>,
    /// Its backends in the order of the manifest.
    pub backends: Vec<Backend>,
    /// Whether nobody is let in but who says who he is.
    pub restricted: bool,
    /// How far proxies are with it.
    pub standing: Standing,
}

/// What is said of an LLMRoute.
#[must_use]
pub fn route(
    outcome: &Outcome,
    facts: &RouteFacts<'_>,
    previous: &LLMRouteStatus,
    now: Timestamp,
) -> LLMRouteStatus {
    let mut draft = Draft::new(outcome, &previous.conditions, now);
    facts.standing.set(&mut draft);
    let backends = match facts.route {
        // Nobody asks them any more, so what was said of them is no longer true.
        Some(_) if facts.proxy.is_none() => unasked(&facts.backends, &previous.backends, now),
        Some(_) => backends(&facts.backends, &previous.backends, now),
        None => previous.backends.clone(),
    };
    let (status, reason, message) = match facts.proxy {
        None if facts.route.is_some() => (
            "Unknown",
            "NotAttached",
            "no LLMProxy serves this route, so nobody asks its backends".to_owned(),
        ),
        _ => judge(&backends),
    };
    draft.set(condition::BACKENDS_HEALTHY, status, reason, &message);
    let url = match facts.route {
        Some(route) => url(route, facts),
        None => previous.url.clone(),
    };
    let message = match &url {
        Some(url) => format!("answers at {url}"),
        None => String::from("answers"),
    };
    LLMRouteStatus {
        observed_generation: Some(outcome.generation),
        conditions: draft.finish(&message),
        access: url.as_ref().map(|_| match facts.restricted {
            true => Access::Restricted,
            false => Access::Open,
        }),
        url,
        backends,
    }
}

/// The base URL that applications set: one that answers, even while somebody else's Service has the route's name.
fn url(route: &LLMRoute, facts: &RouteFacts<'_>) -> Option<String> {
    let (proxy, door) = facts.proxy?;
    let service = match facts.standing {
        Standing::ServiceConflict(_) => RouteService::None,
        _ => route.spec.service,
    };
    let name = route.metadata.name.as_deref().unwrap_or_default();
    let namespace = route.metadata.namespace.as_deref().unwrap_or_default();
    Some(match service {
        // Beside the proxy the Service is on 80; a name for the proxy's Service is on that one's port.
        RouteService::Auto if namespace == proxy.namespace => {
            format!("http://{name}.{namespace}.svc/v1")
        }
        RouteService::Auto => format!("{}/v1", door.at(&format!("{name}.{namespace}.svc"))),
        RouteService::None => {
            let host = labels::object_name(&proxy.name);
            let origin = door.at(&format!("{host}.{}.svc", proxy.namespace));
            format!("{origin}/routes/{namespace}/{name}/v1")
        }
    })
}

/// Backends of which nothing is known, with the time since when.
fn unasked(backends: &[Backend], previous: &[BackendStatus], now: Timestamp) -> Vec<BackendStatus> {
    let known = |name: &str| {
        let before = previous.iter().find(|before| before.name == name)?;
        (before.health == BackendHealth::Unknown).then(|| before.last_transition_time.clone())?
    };
    let unknown = |backend: &Backend| BackendStatus {
        name: backend.name.clone(),
        health: BackendHealth::Unknown,
        models: None,
        last_transition_time: Some(known(&backend.name).unwrap_or_else(|| now.to_string())),
        message: None,
    };
    backends.iter().map(unknown).collect()
}

fn backends(
    backends: &[Backend],
    previous: &[BackendStatus],
    now: Timestamp,
) -> Vec<BackendStatus> {
    let status = |backend: &Backend| {
        let before = previous.iter().find(|before| before.name == backend.name);
        let Some(merged) = &backend.merged else {
            let unknown = || BackendStatus {
                name: backend.name.clone(),
                health: BackendHealth::Unknown,
                models: None,
                last_transition_time: Some(now.to_string()),
                message: None,
            };
            return before.cloned().unwrap_or_else(unknown);
        };
        let since = before
            .filter(|before| before.health == merged.health)
            .and_then(|before| before.last_transition_time.clone());
        BackendStatus {
            name: backend.name.clone(),
            health: merged.health,
            models: merged.models,
            last_transition_time: Some(since.unwrap_or_else(|| now.to_string())),
            message: merged.message.clone(),
        }
    };
    backends.iter().map(status).collect()
}

fn judge(backends: &[BackendStatus]) -> (&'static str, &'static str, String) {
    let named = |health: BackendHealth| {
        let names = backends.iter().filter(|backend| backend.health == health);
        names
            .map(|backend| backend.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let faults: Vec<String> = backends
        .iter()
        .filter(|backend| backend.health == BackendHealth::Unhealthy)
        .map(|backend| match &backend.message {
            Some(fault) => format!("{} ({fault})", backend.name),
            None => backend.name.clone(),
        })
        .collect();
    let unknown = named(BackendHealth::Unknown);
    if !faults.is_empty() {
        let reason = if faults.len() == backends.len() {
            "NoneHealthy"
        } else {
            "SomeUnhealthy"
        };
        ("False", reason, format!("unhealthy: {}", faults.join(", ")))
    } else if !unknown.is_empty() {
        (
            "Unknown",
            "Unknown",
            format!("nothing is known yet of: {unknown}"),
        )
    } else {
        ("True", "AllHealthy", "all backends answer".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::{at, find, outcome};
    use super::*;
    use serde_json::json;

    fn made(service: &str) -> LLMRoute {
        serde_json::from_value(json!({
            "metadata": {"name": "chat", "namespace": "team-a"},
            "spec": {"service": service, "backends": []},
        }))
        .unwrap()
    }

    fn backend(name: &str, health: Option<BackendHealth>) -> Backend {
        let merged = health.map(|health| Merged {
            health,
            models: Some(2),
            message: None,
        });
        Backend {
            name: name.into(),
            merged,
        }
    }

    fn said(service: &str, proxy: &ObjectKey, port: i32, backends: Vec<Backend>) -> LLMRouteStatus {
        said_of(service, proxy, Door::Http(port), backends)
    }

    fn said_of(
        service: &str,
        proxy: &ObjectKey,
        door: Door,
        backends: Vec<Backend>,
    ) -> LLMRouteStatus {
        let route = made(service);
        let facts = RouteFacts {
            restricted: false,
            route: Some(&route),
            proxy: Some((proxy, door)),
            backends,
            standing: Standing::Everywhere,
        };
        super::route(
            &outcome(&[("Accepted", true, "Accepted")]),
            &facts,
            &LLMRouteStatus::default(),
            at(50),
        )
    }

    #[test]
    fn the_url_is_what_an_application_sets() {
        let here = ObjectKey::new("team-a", "edge");
        let there = ObjectKey::new("gateways", "edge");
        let url = |service, proxy, port| said(service, proxy, port, Vec::new()).url.unwrap();
        assert_eq!(url("Auto", &here, 8000), "http://chat.team-a.svc/v1");
        assert_eq!(url("Auto", &there, 80), "http://chat.team-a.svc/v1");
        assert_eq!(url("Auto", &there, 8000), "http://chat.team-a.svc:8000/v1");
        assert_eq!(
            url("None", &there, 80),
            "http://dragoman-edge.gateways.svc/routes/team-a/chat/v1"
        );
    }

    #[test]
    fn where_the_llmproxys_service_knows_https_alone_the_url_says_so() {
        let here = ObjectKey::new("team-a", "edge");
        let there = ObjectKey::new("gateways", "edge");
        let url = |service, proxy| {
            let status = said_of(service, proxy, Door::Https, Vec::new());
            status.url.unwrap()
        };
        assert_eq!(url("Auto", &there), "https://chat.team-a.svc/v1");
        assert_eq!(
            url("None", &there),
            "https://dragoman-edge.gateways.svc/routes/team-a/chat/v1"
        );
        // Beside the proxy the route's own Service has port 80 as well.
        assert_eq!(url("Auto", &here), "http://chat.team-a.svc/v1");
    }

    #[test]
    fn the_url_never_leads_to_somebody_elses_service() {
        let here = ObjectKey::new("team-a", "edge");
        let route = made("Auto");
        let standing = Standing::ServiceConflict("rename".into());
        let facts = RouteFacts {
            restricted: false,
            route: Some(&route),
            proxy: Some((&here, Door::Http(80))),
            backends: Vec::new(),
            standing,
        };
        let outcome = outcome(&[("Accepted", true, "Accepted")]);
        let status = super::route(&outcome, &facts, &LLMRouteStatus::default(), at(1));
        assert_eq!(
            status.url.as_deref(),
            Some("http://dragoman-edge.team-a.svc/routes/team-a/chat/v1")
        );
    }

    #[test]
    fn one_backend_that_is_down_is_named() {
        let here = ObjectKey::new("team-a", "edge");
        let backends = vec![
            backend("a", Some(BackendHealth::Healthy)),
            backend("b", Some(BackendHealth::Unhealthy)),
        ];
        let status = said("Auto", &here, 80, backends);
        let healthy = find(&status.conditions, "BackendsHealthy");
        assert_eq!(
            (healthy.reason.as_str(), healthy.message.as_str()),
            ("SomeUnhealthy", "unhealthy: b")
        );
        assert_eq!(find(&status.conditions, "Ready").status, "True");
    }

    #[test]
    fn health_keeps_its_time_and_stays_while_nobody_speaks() {
        let here = ObjectKey::new("team-a", "edge");
        let first = said(
            "Auto",
            &here,
            80,
            vec![backend("a", Some(BackendHealth::Healthy))],
        );
        let route = made("Auto");
        for merged in [None, Some(BackendHealth::Healthy)] {
            let facts = RouteFacts {
                restricted: false,
                route: Some(&route),
                proxy: Some((&here, Door::Http(80))),
                backends: vec![backend("a", merged)],
                standing: Standing::Everywhere,
            };
            let outcome = outcome(&[("Accepted", true, "Accepted")]);
            assert_eq!(
                super::route(&outcome, &facts, &first, at(90)).backends,
                first.backends
            );
        }
    }

    #[test]
    fn a_route_that_does_not_parse_keeps_its_url() {
        let here = ObjectKey::new("team-a", "edge");
        let first = said("Auto", &here, 80, Vec::new());
        let facts = RouteFacts {
            restricted: false,
            route: None,
            proxy: None,
            backends: Vec::new(),
            standing: Standing::NotSent,
        };
        let outcome = outcome(&[("Accepted", false, "Malformed")]);
        assert_eq!(
            super::route(&outcome, &facts, &first, at(90)).url,
            first.url
        );
    }
}
