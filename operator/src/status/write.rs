//! Writes a status by server-side apply.

use dragoman_config::Key;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::children::labels::FIELD_MANAGER;
use crate::watch::{api_resource, api_version};

/// What became of a write.
#[derive(Debug)]
pub enum Written {
    /// It stands, in this version of the object.
    Done(u64),
    /// The object is gone.
    Gone,
}

/// Writes a status.
///
/// # Errors
/// Whatever the API server answers. May be retried.
pub async fn write(client: &Client, key: &Key, status: &Value) -> kube::Result<Written> {
    let resource = api_resource(key.kind);
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &key.object.namespace, &resource);
    let patch = json!({
        "apiVersion": api_version(),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.object.name, "namespace": key.object.namespace},
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let written = match api
        .patch_status(&key.object.name, &parameters, &Patch::Apply(&patch))
        .await
    {
        Ok(written) => written,
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Written::Gone),
        Err(fault) => return Err(fault),
    };
    let version = written
        .metadata
        .resource_version
        .and_then(|version| version.parse().ok());
    Ok(Written::Done(version.unwrap_or_default()))
}
