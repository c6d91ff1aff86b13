//! The event of a Ready that turned.

use dragoman_config::Key;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

use crate::watch::api_version;

/// The longest note of an event, in bytes; the API server takes 1 KiB.
const LONGEST_NOTE: usize = 1000;

/// A Ready that turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Ready's status.
    pub ready: String,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
}

impl News {
    /// What there is to tell of a Ready (status, reason, message) to people who were told that it is `told`; an empty word is
    /// nothing yet.
    #[must_use]
    pub fn new((ready, reason, message): (&str, &str, &str), told: &str) -> Option<Self> {
        // An edit that is still on its way to the proxies is no news, nor are proxies that are still on their way themselves.
        let on_its_way = ready == "False" && matches!(reason, "Pending" | "NoProxies");
        (ready != told && !on_its_way).then(|| Self {
            ready: ready.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        })
    }

    /// Whether the news is good.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready == "True"
    }
}

/// Records an event on the resource with this UID.
pub async fn tell(recorder: &Recorder, key: &Key, uid: String, news: News) {
    let regarding = ObjectReference {
        api_version: Some(api_version()),
        kind: Some(key.kind.as_str().to_owned()),
        name: Some(key.object.name.clone()),
        namespace: Some(key.object.namespace.clone()),
        uid: Some(uid),
        ..ObjectReference::default()
    };
    let type_ = if news.is_ready() {
        EventType::Normal
    } else {
        EventType::Warning
    };
    let mut note = news.message;
    note.truncate(note.floor_char_boundary(LONGEST_NOTE));
    let event = Event {
        type_,
        reason: news.reason,
        note: Some(note),
        action: "Reconcile".into(),
        secondary: None,
    };
    // An event is a courtesy: the status stands without it.
    if let Err(fault) = recorder.publish(&event, &regarding).await {
        tracing::debug!(%key, %fault, "an event was not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_turn_is_an_event() {
        let news = |ready, reason, told| News::new((ready, reason, "m"), told);
        assert_eq!(news("True", "Ready", "True"), None);
        assert!(!news("False", "RefNotFound", "True").unwrap().is_ready());
        assert!(news("True", "Ready", "Unknown").unwrap().is_ready());
        assert_eq!(news("False", "Pending", "True"), None);
        assert_eq!(news("False", "NoProxies", ""), None);
    }
}
