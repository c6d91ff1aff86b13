//! Performs jobs against the API server. Each has its end: a job that hangs would keep a place that others wait for.

use std::collections::BTreeMap;

use dragoman_config::{InputContent, InputData, InputKind, ObjectKey};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::events::Recorder;
use kube::{Api, Client};

use super::{Done, Job};
use crate::children::Child;
use crate::children::apply::{apply, settle_service};
use crate::metrics::Metrics;
use crate::patience::{PATIENCE, bounded};
use crate::status::{tell, write};

/// Performs one job.
pub(super) async fn perform(
    client: &Client,
    recorder: &Recorder,
    metrics: &Metrics,
    job: Job,
) -> Done {
    match job {
        Job::ReadInput(name) => {
            let data = match name.kind {
                InputKind::Secret => bounded(read_secret(client, &name.object)).await,
                InputKind::ConfigMap => bounded(read_config_map(client, &name.object)).await,
            };
            Done::ReadInput(name, data)
        }
        Job::ApplyProxy { proxy, children } => apply_all(client, metrics, proxy, children).await,
        Job::SettleService {
            route,
            known,
            wanted,
            route_uid,
        } => {
            let known = known.map(|known| *known);
            let settled = settle_service(client, &route, known, &wanted, &route_uid);
            let settled = bounded(settled).await;
            count(metrics, &metrics.object_writes, settled.is_ok());
            Done::SettleService(route, settled)
        }
        Job::WriteStatus { key, after } => {
            let written = bounded(write(client, &key, &after)).await;
            count(metrics, &metrics.status_writes, written.is_ok());
            Done::WriteStatus(key, after, written)
        }
        Job::Tell { key, uid, news } => {
            // Given up like any event that is not recorded.
            let _ = tokio::time::timeout(PATIENCE, tell(recorder, &key, uid, news)).await;
            Done::Told(key)
        }
    }
}

fn count(
    metrics: &Metrics,
    counter: &prometheus_client::metrics::counter::Counter,
    succeeded: bool,
) {
    if succeeded {
        counter.inc()
    } else {
        metrics.write_faults.inc()
    };
}

async fn apply_all(
    client: &Client,
    metrics: &Metrics,
    proxy: ObjectKey,
    children: Vec<Child>,
) -> Done {
    let mut written = Vec::with_capacity(children.len());
    for child in children {
        let applied = bounded(apply(client, &child)).await;
        count(metrics, &metrics.object_writes, applied.is_ok());
        match applied {
            Ok(metadata) => written.push((child.source, metadata)),
            Err(fault) => {
                let name = child.value["metadata"]["name"].as_str().unwrap_or_default();
                let fault = Some((format!("{} {name}", child.source.as_str()), fault));
                return Done::ApplyProxy {
                    proxy,
                    written,
                    fault,
                };
            }
        }
    }
    Done::ApplyProxy {
        proxy,
        written,
        fault: None,
    }
}

async fn read_secret(client: &Client, name: &ObjectKey) -> kube::Result<InputData> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &name.namespace);
    let data = |secret: Secret| {
        let values = secret.data.unwrap_or_default().into_iter();
        let values: BTreeMap<_, _> = values.map(|(key, value)| (key, value.0)).collect();
        let annotations = secret.metadata.annotations.unwrap_or_default();
        InputContent::from(values).annotated(annotations)
    };
    answered(secrets.get_opt(&name.name).await, data)
}

async fn read_config_map(client: &Client, name: &ObjectKey) -> kube::Result<InputData> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &name.namespace);
    let data = |map: ConfigMap| {
        let texts = map.data.unwrap_or_default().into_iter();
        let texts = texts.map(|(key, text)| (key, text.into_bytes()));
        let others = map.binary_data.unwrap_or_default().into_iter();
        let others = others.map(|(key, value)| (key, value.0));
        InputContent::from(texts.chain(others).collect::<BTreeMap<_, _>>())
    };
    answered(maps.get_opt(&name.name).await, data)
}

fn answered<T>(
    answer: kube::Result<Option<T>>,
    data: impl FnOnce(T) -> InputContent,
) -> kube::Result<InputData> {
    match answer {
        Ok(None) => Ok(InputData::Missing),
        Ok(Some(object)) => Ok(InputData::Data(data(object))),
        // A name that no object can have.
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404 | 422) => {
            Ok(InputData::Missing)
        }
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::News;
    use dragoman_config::InputKey;
    use kube::runtime::events::Reporter;
    use serde_json::json;

    /// A client whose API server takes requests and answers none.
    fn hung() -> Client {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<
                Result<http::Response<kube::client::Body>, std::convert::Infallible>,
            >()
        });
        Client::new(service, "default")
    }

    #[tokio::test(start_paused = true)]
    async fn every_job_ends_although_the_api_server_hangs() {
        let client = hung();
        let recorder = Recorder::new(client.clone(), Reporter::from("test"));
        let metrics = Metrics::new();
        let name = ObjectKey::new("team-a", "chat");
        let key = dragoman_config::Key::new(dragoman_config::Kind::Route, "team-a", "chat");
        let child = || Child {
            source: crate::watch::Source::Deployments,
            value: json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "chat", "namespace": "team-a"}}),
        };
        let news = News {
            ready: "True".into(),
            reason: "Ready".into(),
            message: String::new(),
        };
        let jobs = [
            Job::ReadInput(InputKey::secret(name.clone())),
            Job::ReadInput(InputKey::config_map(name.clone())),
            Job::ApplyProxy {
                proxy: name.clone(),
                children: vec![child(), child()],
            },
            Job::SettleService {
                route: name.clone(),
                known: None,
                wanted: Box::new(crate::children::route::Wanted::Service(json!({}))),
                route_uid: "u".into(),
            },
            Job::WriteStatus {
                key: key.clone(),
                after: json!({}),
            },
            Job::Tell {
                key,
                uid: "u".into(),
                news,
            },
        ];
        for job in jobs {
            let begun = tokio::time::Instant::now();
            let done = perform(&client, &recorder, &metrics, job).await;
            assert!(begun.elapsed() <= PATIENCE * 2, "{done:?}");
        }
    }
}
