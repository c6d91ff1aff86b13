//! Writes a status by server-side apply, and the event of a transition.

use dragoman_config::Key;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::ready_of;
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

/// Writes `after` in place of `before`; when Ready turned, says so in an event.
///
/// # Errors
/// Whatever the API server answers. May be retried.
pub async fn write(
    client: &Client,
    recorder: &Recorder,
    key: &Key,
    before: &Value,
    after: &Value,
) -> kube::Result<Written> {
    let resource = api_resource(key.kind);
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &key.object.namespace, &resource);
    let patch = json!({
        "apiVersion": api_version(),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.object.name, "namespace": key.object.namespace},
        "status": after,
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
    if let Some(event) = transition(before, after) {
        let regarding = ObjectReference {
            api_version: Some(api_version()),
            kind: Some(key.kind.as_str().to_owned()),
            name: Some(key.object.name.clone()),
            namespace: Some(key.object.namespace.clone()),
            uid: written.metadata.uid.clone(),
            ..ObjectReference::default()
        };
        // An event is a courtesy: the status stands without it.
        if let Err(fault) = recorder.publish(&event, &regarding).await {
            tracing::debug!(%key, %fault, "an event was not recorded");
        }
    }
    let version = written
        .metadata
        .resource_version
        .and_then(|version| version.parse().ok());
    Ok(Written::Done(version.unwrap_or_default()))
}

/// The event of a Ready that turned.
fn transition(before: &Value, after: &Value) -> Option<Event> {
    let (status, reason, message) = ready_of(after)?;
    let was = ready_of(before).map_or("Unknown", |(status, ..)| status);
    // An edit that is still on its way to the proxies is no news.
    if status == was || (status == "False" && matches!(reason, "Pending" | "NoProxies")) {
        return None;
    }
    let mut note = message.to_owned();
    note.truncate(
        (0..=1000.min(note.len()))
            .rev()
            .find(|at| note.is_char_boundary(*at))?,
    );
    Some(Event {
        type_: if status == "True" {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason: reason.to_owned(),
        note: Some(note),
        action: "Reconcile".into(),
        secondary: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(ready: &str, reason: &str) -> Value {
        json!({"conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": "m"}]})
    }

    #[test]
    fn only_a_turn_is_an_event() {
        assert!(transition(&status("True", "Ready"), &status("True", "Ready")).is_none());
        let fell = transition(&status("True", "Ready"), &status("False", "RefNotFound")).unwrap();
        assert_eq!(
            (fell.type_, fell.reason.as_str()),
            (EventType::Warning, "RefNotFound")
        );
        let rose = transition(&status("Unknown", "Pending"), &status("True", "Ready")).unwrap();
        assert_eq!(rose.type_, EventType::Normal);
        assert!(transition(&status("True", "Ready"), &status("False", "Pending")).is_none());
    }
}
