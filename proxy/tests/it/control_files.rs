//! Config from files: reloads of edits, of swapped mounts, of bad edits.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dragoman_proxy::control::publish::Publisher;
use dragoman_proxy::control::standalone::{Compiler, Standalone};
use dragoman_proxy::state::Shared;
use tokio::task::JoinHandle;

/// A route of this name.
pub fn manifest(name: &str) -> String {
    format!(
        "apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {{name: {name}}}
spec: {{backends: [{{name: a, inline: {{url: 'http://127.0.0.1:1/v1'}}}}]}}
"
    )
}

/// Waits until `holds`.
pub async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("it never came true");
}

struct Process {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Process {
    async fn start(directory: &Path) -> Self {
        let shared = Shared::new(1);
        let publisher = Publisher::new(Arc::clone(&shared), None);
        let standalone = Standalone::start(directory.to_owned(), Compiler::Here, publisher)
            .await
            .unwrap();
        assert!(shared.is_ready());
        let task = tokio::spawn(standalone.run(Arc::default()));
        Self { shared, task }
    }

    fn routes(&self) -> Vec<String> {
        self.shared
            .state()
            .routes
            .iter()
            .map(|route| route.key.name.clone())
            .collect()
    }

    async fn until_serving(&self, routes: &[&str]) {
        until(|| self.routes() == routes).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn files_that_come_change_and_go_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("a.yaml"), manifest("a")).unwrap();
    let process = Process::start(directory.path()).await;
    assert_eq!(process.routes(), ["a"]);
    fs::create_dir(at("more")).unwrap();
    fs::write(at("more/b.yaml"), manifest("b")).unwrap();
    process.until_serving(&["a", "b"]).await;
    // As editors save: beside it, then in its place.
    fs::write(at(".a.yaml.swp"), manifest("c")).unwrap();
    fs::rename(at(".a.yaml.swp"), at("a.yaml")).unwrap();
    process.until_serving(&["b", "c"]).await;
    fs::remove_file(at("more/b.yaml")).unwrap();
    process.until_serving(&["c"]).await;
}

#[tokio::test]
async fn a_mounted_config_map_is_swapped_as_a_whole() {
    let mount = tempfile::tempdir().unwrap();
    let at = |name: &str| mount.path().join(name);
    let version = |name: &str, routes: [&str; 2]| {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("a.yaml"), manifest(routes[0])).unwrap();
        fs::write(at(name).join("b.yaml"), manifest(routes[1])).unwrap();
    };
    version("..1", ["one", "two"]);
    symlink("..1", at("..data")).unwrap();
    symlink("..data/a.yaml", at("a.yaml")).unwrap();
    symlink("..data/b.yaml", at("b.yaml")).unwrap();
    let process = Process::start(mount.path()).await;
    assert_eq!(process.routes(), ["one", "two"]);
    // As the kubelet does it.
    version("..2", ["three", "two"]);
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    process.until_serving(&["three", "two"]).await;
}

#[tokio::test]
async fn a_directory_that_is_itself_a_link_may_be_swapped() {
    let releases = tempfile::tempdir().unwrap();
    let at = |name: &str| releases.path().join(name);
    for release in ["one", "two"] {
        fs::create_dir(at(release)).unwrap();
        fs::write(at(release).join("a.yaml"), manifest(release)).unwrap();
    }
    symlink("one", at("current")).unwrap();
    let process = Process::start(&at("current")).await;
    symlink("two", at("next")).unwrap();
    fs::rename(at("next"), at("current")).unwrap();
    process.until_serving(&["two"]).await;
}
