//! Writes objects that resources own. Faults are the API server's; all may be retried.

use dragoman_config::ObjectKey;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Error};

use super::Child;
use super::labels::FIELD_MANAGER;
use super::route::{Step, Wanted, step};

/// How often a write that lost a race is tried again at once.
const RACES: usize = 3;

/// Why a child was not applied.
#[derive(Debug, thiserror::Error)]
pub enum Unapplied {
    /// It is somebody else's. Whoever named the resource chooses; a retry helps once the object is gone.
    #[error("it exists already and is somebody else's; delete it, or name the LLMProxy otherwise")]
    Taken,
    /// What the API server answers.
    #[error(transparent)]
    Refused(#[from] Error),
}

/// Applies a child by server-side apply, unless the object is somebody else's. What others set besides stays.
///
/// # Errors
/// [`Unapplied`].
pub async fn apply(client: &Client, child: &Child) -> Result<ObjectMeta, Unapplied> {
    let text = |path: &str| {
        child
            .value
            .pointer(path)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
    };
    let api_version = text("/apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), text("/metadata/namespace"), &resource);
    let existing = api.get_metadata_opt(text("/metadata/name")).await?;
    let owner = text("/metadata/ownerReferences/0/uid");
    if existing.is_some_and(|existing| !is_of(&existing.metadata, owner)) {
        return Err(Unapplied::Taken);
    }
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api
        .patch(
            text("/metadata/name"),
            &parameters,
            &Patch::Apply(&child.value),
        )
        .await?;
    Ok(applied.metadata)
}

/// Whether an object is of the owner with this UID: controlled by it, or applied by us and cut off since.
fn is_of(metadata: &ObjectMeta, owner: &str) -> bool {
    let references = metadata.owner_references.as_deref().unwrap_or_default();
    match references.iter().find(|one| one.controller == Some(true)) {
        Some(controller) => controller.uid == owner,
        None => metadata.managed_fields.iter().flatten().any(|fields| {
            fields.manager.as_deref() == Some(FIELD_MANAGER)
                && fields.operation.as_deref() == Some("Apply")
        }),
    }
}

/// What became of a route's Service.
#[derive(Debug)]
pub enum Settled {
    /// It is as it should be; its metadata, when it was written.
    Done(Option<Box<ObjectMeta>>),
    /// It is somebody else's, and how to cure that.
    Conflict(String),
}

/// Brings the Service `name` of the route with this UID to what is wanted. `known` is what the watch showed last.
///
/// # Errors
/// Whatever the API server answers.
pub async fn settle_service(
    client: &Client,
    name: &ObjectKey,
    known: Option<Service>,
    wanted: &Wanted,
    route_uid: &str,
) -> kube::Result<Settled> {
    let api: Api<Service> = Api::namespaced(client.clone(), &name.namespace);
    let mut existing = known;
    let mut races = 0;
    loop {
        let written = match step(existing.as_ref(), wanted, route_uid) {
            Step::Keep => return Ok(Settled::Done(None)),
            Step::Conflict(message) => return Ok(Settled::Conflict(message)),
            Step::Create(service) => {
                let service = serde_json::from_value(service).map_err(Error::SerdeError)?;
                let parameters = PostParams {
                    field_manager: Some(FIELD_MANAGER.into()),
                    ..PostParams::default()
                };
                api.create(&parameters, &service).await
            }
            Step::Patch(patch) => {
                let parameters = PatchParams {
                    field_manager: Some(FIELD_MANAGER.into()),
                    ..PatchParams::default()
                };
                api.patch(&name.name, &parameters, &Patch::Merge(&patch))
                    .await
            }
            Step::Delete(uid) => {
                let preconditions = Preconditions {
                    uid: Some(uid),
                    ..Preconditions::default()
                };
                let parameters = DeleteParams::default().preconditions(preconditions);
                return match api.delete(&name.name, &parameters).await {
                    Ok(_) => Ok(Settled::Done(None)),
                    Err(Error::Api(status)) if status.is_not_found() => Ok(Settled::Done(None)),
                    Err(fault) => Err(fault),
                };
            }
        };
        match written {
            Ok(service) => return Ok(Settled::Done(Some(Box::new(service.metadata)))),
            // Somebody was faster: look again. It may be ours without its label, or somebody else's.
            Err(Error::Api(status)) if matches!(status.code, 404 | 409) && races < RACES => {
                races += 1;
                existing = api.get_opt(&name.name).await?;
            }
            Err(fault) => return Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_ours(metadata: serde_json::Value) -> bool {
        is_of(&serde_json::from_value(metadata).unwrap(), "u1")
    }

    fn controlled(uid: &str) -> serde_json::Value {
        json!([{"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid, "controller": true}])
    }

    #[test]
    fn an_object_is_taken_over_only_from_ourselves() {
        assert!(is_ours(json!({"ownerReferences": controlled("u1")})));
        assert!(!is_ours(json!({"ownerReferences": controlled("u2")})));
        assert!(!is_ours(
            json!({"labels": {"app.kubernetes.io/managed-by": "dragoman"}})
        ));
    }

    #[test]
    fn an_object_of_ours_whose_owner_somebody_cut_off_is_still_ours() {
        let fields = |operation: &str| json!([{"manager": FIELD_MANAGER, "operation": operation}]);
        assert!(is_ours(json!({"managedFields": fields("Apply")})));
        assert!(!is_ours(json!({"managedFields": fields("Update")})));
        assert!(!is_ours(
            json!({"managedFields": fields("Apply"), "ownerReferences": controlled("u2")})
        ));
    }
}
