//! A pod that calls: what it sends comes from its own address, with its own name service and its own ServiceAccount.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_system::{Kubectl, eventually};
use serde_json::Value;

use super::question;

/// The audience of the token that a pod has.
pub(super) const AUDIENCE: &str = "llm.example.com";

/// Headers of a call.
pub(super) type Headers<'h> = &'h [(&'h str, &'h str)];
/// What a call got: the status and the body, or what came that is no reply.
pub(super) type Reply = Result<(u16, Value), String>;

/// What parts the replies to several calls.
const NEXT: &str = "=next=";

/// A pod that runs, with the programs of busybox.
pub(super) struct Pod {
    kubectl: Kubectl,
    /// Its address.
    pub(super) address: String,
}

impl Pod {
    /// Starts the pod `caller` of a namespace.
    pub(super) async fn start(kubectl: &Kubectl) -> Self {
        kubectl.apply(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: caller}}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  - {{name: it, image: \"busybox:test\", imagePullPolicy: Never, command: [/busybox, sleep, \"3600\"], volumeMounts: [{{name: token, mountPath: /token}}]}}\n  volumes:\n  - {{name: token, projected: {{sources: [{{serviceAccountToken: {{audience: {AUDIENCE}, path: token}}}}]}}}}\n"
        ));
        let address = eventually("the pod runs", || async {
            let status = kubectl.get("pod", "caller")?["status"].take();
            match (status["phase"].as_str(), status["podIP"].as_str()) {
                (Some("Running"), Some(address)) => Ok(address.to_owned()),
                _ => Err(status.to_string()),
            }
        })
        .await;
        Self {
            kubectl: kubectl.clone(),
            address,
        }
    }

    /// The token of its ServiceAccount, as it finds it.
    pub(super) async fn token(&self) -> String {
        self.execute("/busybox cat /token/token")
            .await
            .trim()
            .to_owned()
    }

    /// One chat call from within the pod.
    pub(super) async fn call(&self, base_url: &str, headers: Headers<'_>) -> Reply {
        self.calls(&[(base_url, headers)]).await.remove(0)
    }

    /// Several, one after the other.
    pub(super) async fn calls(&self, calls: &[(&str, Headers<'_>)]) -> Vec<Reply> {
        // The input of each stays open until its reply is there: one who closes it leaves.
        let mut command = String::from("f=/tmp/$$; /busybox mkfifo $f; exec 3<>$f; ");
        for (base_url, headers) in calls {
            let (host, path) = base_url["http://".len()..].split_once('/').unwrap();
            let (name, port) = host.split_once(':').unwrap_or((host, "80"));
            let request = STANDARD.encode(request(host, path, headers));
            let _ = write!(
                command,
                "/busybox echo {request} | /busybox base64 -d >&3; /busybox nc -w 30 {name} {port} <&3 2>&1; /busybox echo '{NEXT}'; "
            );
        }
        let said = self.execute(&command).await;
        let replies: Vec<_> = said.split_terminator(NEXT).map(reply).collect();
        replies[..calls.len()].to_vec()
    }

    /// What a command of its shell prints. Not on this thread, which may have a simulator to run.
    async fn execute(&self, command: &str) -> String {
        let (kubectl, command) = (self.kubectl.clone(), command.to_owned());
        let run = move || {
            let shell = ["exec", "caller", "--", "/busybox", "sh", "-c"];
            kubectl.run(&[&shell[..], &[&command]].concat())
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

/// A chat call as it is sent.
fn request(host: &str, path: &str, headers: Headers<'_>) -> String {
    let named = headers.iter().any(|(header, _)| *header == "host");
    let own = (!named).then_some(("host", host));
    let headers: String = own
        .iter()
        .chain(headers)
        .map(|(header, value)| format!("{header}: {value}\r\n"))
        .collect();
    let body = question("echo").to_string();
    let length = body.len();
    format!(
        "POST /{path}/chat/completions HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// A reply as it came.
fn reply(said: &str) -> Reply {
    let status = said.trim_start().split(' ').nth(1);
    let status = status.and_then(|status| status.parse().ok());
    let body = said
        .find("\r\n\r\n{")
        .map_or("null", |start| said[start..].trim());
    let body = serde_json::from_str(body).unwrap_or_default();
    status
        .map(|status| (status, body))
        .ok_or_else(|| said.to_owned())
}
