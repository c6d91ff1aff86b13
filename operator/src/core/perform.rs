//! Performs jobs against the API server.

use dragoman_config::{ObjectKey, SecretData};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::events::Recorder;
use kube::{Api, Client};

use super::{Done, Job};
use crate::children::Child;
use crate::children::apply::{apply, settle_service};
use crate::metrics::Metrics;
use crate::status::{tell, write};

/// Performs one job.
pub(super) async fn perform(
    client: &Client,
    recorder: &Recorder,
    metrics: &Metrics,
    job: Job,
) -> Done {
    match job {
        Job::ReadSecret(name) => {
            let data = read_secret(client, &name).await;
            Done::ReadSecret(name, data)
        }
        Job::ApplyProxy { proxy, children } => apply_all(client, metrics, proxy, children).await,
        Job::SettleService {
            route,
            known,
            wanted,
            route_uid,
        } => {
            let known = known.map(|known| *known);
            let settled = settle_service(client, &route, known, &wanted, &route_uid).await;
            count(metrics, &metrics.object_writes, settled.is_ok());
            Done::SettleService(route, settled)
        }
        Job::WriteStatus { key, after } => {
            let written = write(client, &key, &after).await;
            count(metrics, &metrics.status_writes, written.is_ok());
            Done::WriteStatus(key, after, written)
        }
        Job::Tell { key, uid, news } => {
            tell(recorder, &key, uid, news).await;
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
        let applied = apply(client, &child).await;
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

async fn read_secret(client: &Client, name: &ObjectKey) -> kube::Result<SecretData> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &name.namespace);
    let data = |secret: Secret| {
        secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect()
    };
    match secrets.get_opt(&name.name).await {
        Ok(None) => Ok(SecretData::Missing),
        Ok(Some(secret)) => Ok(SecretData::Data(data(secret))),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            // What we may not read is as good as missing; waiting for it would keep everybody else waiting too.
            tracing::error!(secret = %name, "the operator may not read a Secret that a backend refers to: {}", status.message);
            Ok(SecretData::Missing)
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404 | 422) => {
            // A name that no Secret can have.
            Ok(SecretData::Missing)
        }
        Err(fault) => Err(fault),
    }
}
