//! The cluster, through kubectl as a user would.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::eventually;

/// kubectl in one namespace.
#[derive(Clone, Debug)]
pub struct Kubectl {
    namespace: String,
}

impl Kubectl {
    /// In an existing namespace; an empty name leaves it to kubectl.
    #[must_use]
    pub fn in_namespace(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
        }
    }

    /// In a namespace that is made anew: one of an earlier run is deleted first.
    #[must_use]
    pub fn in_new_namespace(namespace: &str) -> Self {
        let kubectl = Self::in_namespace(namespace);
        kubectl.run(&[
            "delete",
            "namespace",
            namespace,
            "--ignore-not-found",
            "--wait",
        ]);
        kubectl.run(&["create", "namespace", namespace]);
        kubectl
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Runs a command that must succeed, and gives what it printed.
    ///
    /// # Panics
    /// With kubectl's words, when it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments, None);
        assert!(
            output.status.success(),
            "kubectl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Applies a manifest that must be admitted.
    ///
    /// # Panics
    /// With the API server's words, when it is refused.
    pub fn apply(&self, manifest: &str) {
        let output = self.output(&["apply", "-f", "-"], Some(manifest));
        assert!(
            output.status.success(),
            "refused: {}\n{manifest}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Applies a manifest that must be refused, and gives the API server's words.
    ///
    /// # Panics
    /// When it is admitted.
    pub fn refused(&self, manifest: &str) -> String {
        let output = self.output(&["apply", "-f", "-"], Some(manifest));
        assert!(!output.status.success(), "admitted:\n{manifest}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Asks the API server what it would say of a manifest, strictly, and changes nothing.
    ///
    /// # Errors
    /// The API server's words, when it refuses.
    pub fn dry_run(&self, manifest: &str) -> Result<(), String> {
        let output = self.output(&["apply", "--dry-run=server", "-f", "-"], Some(manifest));
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What a command prints.
    ///
    /// # Errors
    /// kubectl's words, when it fails.
    pub fn output_of(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.output(arguments, None);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// An object.
    ///
    /// # Errors
    /// kubectl's words.
    pub fn get(&self, kind: &str, name: &str) -> Result<Value, String> {
        let output = self.output(&["get", kind, name, "-o", "json"], None);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|fault| fault.to_string())
    }

    /// Waits until a condition of an object, judged on its current generation, has this status, and gives the condition.
    ///
    /// # Panics
    /// When it does not come to that within a minute.
    pub async fn condition(&self, kind: &str, name: &str, condition: &str, status: &str) -> Value {
        eventually(&format!("{kind} {name} has {condition}={status}"), || {
            let found = self
                .get(kind, name)
                .and_then(|object| current(&object, condition, status));
            async move { found }
        })
        .await
    }

    fn output(&self, arguments: &[&str], input: Option<&str>) -> Output {
        let mut child = Command::new("kubectl")
            .args((!self.namespace.is_empty()).then(|| format!("--namespace={}", self.namespace)))
            .args(arguments)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|fault| panic!("kubectl does not start: {fault}"));
        if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
            // A command that fails early closes its input; its status then says why.
            let _ = pipe.write_all(input.as_bytes());
        }
        child
            .wait_with_output()
            .unwrap_or_else(|fault| panic!("kubectl was lost: {fault}"))
    }
}

fn current(object: &Value, condition: &str, status: &str) -> Result<Value, String> {
    let found = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|found| found["type"] == condition)
        .cloned()
        .ok_or_else(|| format!("no {condition} in {}", object["status"]))?;
    let generation = &object["metadata"]["generation"];
    if object["status"]["observedGeneration"] == *generation && found["status"] == status {
        Ok(found)
    } else {
        Err(format!("{found} at generation {generation}"))
    }
}
