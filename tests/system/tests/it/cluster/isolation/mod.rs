//! What an author of manifests, or a pod, of another namespace tries in vain (features D7). Namespaces `iso-home` keep what is to be protected, `iso-evil` attacks.

mod admission;
mod grants;
mod networks;
mod tokens;
mod urls;

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, eventually};

use super::{backend, base_url, chat};

const KEY: &str = "sk-of-the-platform-0123456789";

/// The namespaces of the platform and of the attacker, made anew for one test.
fn namespaces(test: &str) -> (Kubectl, Kubectl) {
    let new = |role: &str| Kubectl::in_new_namespace(&format!("iso-{role}-{test}"));
    (new("home"), new("evil"))
}

/// A backend of the platform with its key, which admits nobody else.
fn platform(home: &Kubectl, upstream: &Simulator) {
    home.run(&[
        "create",
        "secret",
        "generic",
        "provider",
        &format!("--from-literal=key={KEY}"),
    ]);
    let keyed = "  credential: {secretRef: {name: provider, key: key}}\n";
    home.apply(&backend("main", upstream, keyed));
}

/// Waits until a route's condition says that it is refused for this reason, and gives the message.
async fn refused(kubectl: &Kubectl, condition: &str, reason: &str) -> String {
    eventually(&format!("{condition} is False for {reason}"), || async {
        let found = kubectl
            .condition("llmroute", "chat", condition, "False")
            .await;
        if found["reason"] == reason {
            Ok(found["message"].to_string())
        } else {
            Err(found)
        }
    })
    .await
}

/// Asserts that a route answers nothing, whatever it is asked for a while: it is there, and closed.
async fn closed(kubectl: &Kubectl) {
    let url = base_url(kubectl);
    let reply = eventually("the route answers", || chat(&url, "m")).await;
    assert!([404, 502, 503].contains(&reply.0), "{reply:?}");
    assert!(!reply.1.to_string().contains(KEY), "{reply:?}");
}
