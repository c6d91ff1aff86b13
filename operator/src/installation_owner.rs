//! Who owns what the operator keeps for itself, the Secret of its CA and its Lease: the Service that the
//! installation brought, so that both go when the installation goes.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, Client};

/// The owner reference to the Service `name`; none where there is no such Service, as on a developer's machine.
///
/// # Errors
/// Whatever the API server answers. May be retried.
pub async fn installation_owner(
    client: &Client,
    namespace: &str,
    name: &str,
) -> kube::Result<Option<OwnerReference>> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let service = services.get_opt(name).await?;
    Ok(service
        .and_then(|service| service.metadata.uid)
        .map(|uid| OwnerReference {
            api_version: "v1".into(),
            kind: "Service".into(),
            name: name.to_owned(),
            uid,
            ..OwnerReference::default()
        }))
}
