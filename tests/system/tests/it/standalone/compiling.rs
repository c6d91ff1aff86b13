//! Files are compiled in a process of its own, which may not come to harm the one that serves (features E2).

use std::fs;
use std::process::{Command, Stdio};

use dragoman_simulator::Simulator;
use dragoman_system::{eventually, programs};

use super::manifests::{mapped, object, simulator};
use super::proxy::Proxy;

/// What is logged then.
const KILLED: &str = "ended without an answer";

/// The route `chat`, on which `gpt` means `model`.
fn meaning(upstream: &Simulator, model: &str) -> String {
    mapped(
        upstream,
        &format!("rules:\n- match: {{exact: gpt}}\n  target: {{model: {model}}}\n"),
    )
}

/// Waits until `gpt` is called as `model`.
async fn serves(proxy: &Proxy, model: &str) {
    eventually(&format!("{model} is served"), || async {
        let reply = proxy.chat("gpt").await;
        match reply.status {
            200 if reply.json()["model"] == model => Ok(()),
            _ => Err(proxy.log()),
        }
    })
    .await;
}

/// Enough routes to take a while.
fn many() -> String {
    let spec = "backends:\n- {name: main, backendRef: {name: main}}";
    (0..400)
        .map(|n| object("LLMRoute", &format!("{{name: more-{n}}}"), spec))
        .collect()
}

/// Sends a signal to a process, which may be gone already.
fn send(signal: &str, process: u32) {
    let mut kill = Command::new("kill");
    kill.args([signal, &process.to_string()])
        .stderr(Stdio::null());
    let _gone_already = kill.status();
}

#[tokio::test]
async fn edits_are_served_after_the_program_was_replaced_on_disk() {
    let upstream = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("dragoman-proxy");
    fs::copy(programs().join("dragoman-proxy"), &program).unwrap();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    let edit = |model: &str| {
        let new = folder.path().join("new");
        fs::write(&new, meaning(&upstream, model)).unwrap();
        fs::rename(new, config.join("main.yaml")).unwrap();
    };
    edit("one");
    let home = tempfile::tempdir().unwrap();
    let proxy = Proxy::run_as(program.to_str().unwrap(), home, &config, &[]).await;
    serves(&proxy, "one").await;
    // As an upgrade does it.
    let other = folder.path().join("other");
    fs::write(&other, "#!/bin/sh\nexit 1\n").unwrap();
    fs::rename(other, &program).unwrap();
    edit("two");
    serves(&proxy, "two").await;
    fs::remove_file(&program).unwrap();
    edit("three");
    serves(&proxy, "three").await;
    assert!(!proxy.log().contains("WARN"), "{}", proxy.log());
}

#[tokio::test]
async fn a_single_file_is_served_and_followed_when_an_editor_replaces_it() {
    let upstream = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("main.yaml");
    fs::write(&config, meaning(&upstream, "one")).unwrap();
    fs::write(folder.path().join("other.yaml"), "{{{").unwrap();
    let proxy = Proxy::run(folder, &config, &[]).await;
    serves(&proxy, "one").await;
    proxy.edit(&meaning(&upstream, "two"));
    serves(&proxy, "two").await;
    // Gone is not empty.
    fs::remove_file(&config).unwrap();
    proxy.logged("the previous config stays").await;
    serves(&proxy, "two").await;
    proxy.edit(&meaning(&upstream, "three"));
    serves(&proxy, "three").await;
}

#[tokio::test]
async fn nothing_is_left_of_a_process_that_compiled() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "one")).await;
    assert!(proxy.children().is_empty());
    proxy.edit("{{{");
    proxy.logged("the previous config stays").await;
    assert!(proxy.children().is_empty());
    proxy.edit(&meaning(&upstream, "two"));
    serves(&proxy, "two").await;
    assert!(proxy.children().is_empty());
}

#[tokio::test]
async fn a_compilation_that_is_killed_costs_no_request_and_is_tried_again() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "one")).await;
    let mut edits = 0;
    eventually("a process is killed while it compiles", || {
        edits += 1;
        let loaded = || proxy.log().matches("config loaded").count();
        let before = loaded();
        proxy.edit(&(meaning(&upstream, &format!("edit-{edits}")) + &many()));
        while loaded() == before && !proxy.log().contains(KILLED) {
            for child in proxy.children() {
                send("-KILL", child);
            }
        }
        let killed = proxy.log().contains(KILLED);
        async move { if killed { Ok(()) } else { Err("it was faster") } }
    })
    .await;
    assert_eq!(proxy.chat("gpt").await.status, 200);
    serves(&proxy, &format!("edit-{edits}")).await;
    assert!(proxy.children().is_empty());
}

/// Whether a child runs its program yet: whoever starts one waits for that, and so would wait for one that is stopped before.
fn compiles(child: &u32) -> bool {
    let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(b"compile")
}

#[tokio::test]
async fn an_edit_does_not_wait_for_a_compilation_that_hangs() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "one")).await;
    let stopped = |child: &u32| {
        fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| stat.contains(") T "))
    };
    let mut edits = 0;
    eventually("a process is stopped while it compiles", || {
        edits += 1;
        let loaded = || proxy.log().matches("config loaded").count();
        let before = loaded();
        proxy.edit(&(meaning(&upstream, &format!("edit-{edits}")) + &many()));
        while loaded() == before && !proxy.children().iter().any(stopped) {
            for child in proxy.children().into_iter().filter(compiles) {
                send("-STOP", child);
            }
        }
        let hangs = proxy.children().iter().any(stopped);
        async move { if hangs { Ok(()) } else { Err("it was faster") } }
    })
    .await;
    proxy.edit(&meaning(&upstream, "corrected"));
    serves(&proxy, "corrected").await;
    eventually("the process is gone", || async {
        match proxy.children() {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        }
    })
    .await;
}

#[test]
fn a_compilation_that_wants_all_memory_is_refused_it() {
    let mut compile = Command::new(programs().join("dragoman-proxy"));
    compile
        .arg("compile")
        .stdin(fs::File::open("/dev/zero").unwrap());
    let output = compile.output().unwrap();
    // Where nothing bounds it, it is killed for its time, or kills others.
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("memory"),
        "{output:?}"
    );
}
