use dragoman_config::Kind;

use super::*;
use crate::state::Shared;

const ROUTE: &str = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMRoute, metadata: {name: chat}, spec: {backends: [{name: a, inline: {url: 'http://127.0.0.1:1/v1'}}]}}";

/// A process that serves one route, and its publisher's state.
async fn serving(file: &std::path::Path) -> (Standalone, Arc<Shared>) {
    std::fs::write(file, ROUTE).unwrap();
    let shared = Shared::new(1);
    let publisher = Publisher::new(Arc::clone(&shared), None);
    let started = Standalone::start(file.to_owned(), Compiler::Here, publisher).await;
    (started.unwrap(), shared)
}

fn refused(name: &str) -> Loaded {
    let route = Key::new(Kind::Route, "default", name);
    Loaded {
        items: BTreeMap::new(),
        invalid: [(route, "why".to_owned())].into(),
        objects: 1,
        files: 1,
    }
}

#[tokio::test]
async fn what_does_not_compile_keeps_its_version_or_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut standalone, shared) = serving(&folder.path().join("a.yaml")).await;
    standalone.publish(refused("chat"));
    let runs = |name: &str| {
        let state = shared.state();
        state.routes.iter().any(|route| route.key.name == name)
    };
    assert!(runs("chat") && shared.state().closed(1).is_none());
    standalone.publish(refused("other"));
    let state = shared.state();
    let closed = state.closed(0).unwrap();
    assert_eq!(
        (closed.key.name.as_str(), closed.fault.why.as_str()),
        ("other", "why")
    );
    assert!(!runs("chat") && !runs("other"));
}

#[tokio::test(start_paused = true)]
async fn files_that_were_not_compiled_are_tried_again_with_growing_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let (mut standalone, shared) = serving(&file).await;
    // It reads nothing and says nothing.
    standalone.compiler = Compiler::Child("/bin/false".into());
    std::fs::write(&file, ROUTE.replace("chat", "other")).unwrap();
    for pause in [4, 8, 16] {
        standalone.reload(&Notify::new()).await;
        let (when, next) = standalone.again.unwrap();
        assert_eq!(next.as_secs(), pause);
        standalone.reload(&Notify::new()).await;
        assert_eq!(standalone.again, Some((when, next)), "it is not due");
        tokio::time::sleep_until(when).await;
    }
    let version = shared.version();
    standalone.compiler = Compiler::Here;
    standalone.reload(&Notify::new()).await;
    assert!(standalone.again.is_none() && shared.version() > version);
}

async fn until(met: impl Fn() -> bool) {
    while !met() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_edit_ends_a_compilation_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let hangs = folder.path().join("hangs");
    let (mut standalone, shared) = serving(&file).await;
    let script = format!(
        "case \"$(cat)\" in *other*) echo $$ >{}; exec sleep 1000;; esac
echo '{{\"loaded\":{{\"items\":{{}},\"invalid\":{{}},\"objects\":3,\"files\":1}}}}'",
        hangs.display()
    );
    let program = folder.path().join("program");
    std::fs::write(
        folder.path().join("script"),
        format!("#!/bin/sh\n{script}\n"),
    )
    .unwrap();
    // Written by another process: while this one has it open for writing, a process that another test forks may too, and then
    // it does not start.
    let written = std::process::Command::new("install")
        .args(["-m", "700"])
        .args([&folder.path().join("script"), &program])
        .status();
    assert!(written.unwrap().success());
    standalone.compiler = Compiler::Child(program);
    let asked = Arc::new(Notify::new());
    let running = tokio::spawn(standalone.run(Arc::clone(&asked)));
    std::fs::write(&file, ROUTE.replace("chat", "other")).unwrap();
    let told = || std::fs::read_to_string(&hangs).is_ok_and(|pid| pid.ends_with('\n'));
    until(told).await;
    let version = shared.version();
    let began = std::time::Instant::now();
    std::fs::write(&file, ROUTE.replace("chat", "corrected")).unwrap();
    asked.notify_one();
    until(|| shared.version() > version).await;
    assert!(began.elapsed() < LONGEST / 2, "{:?}", began.elapsed());
    let pid = std::fs::read_to_string(&hangs).unwrap();
    let process = std::path::Path::new("/proc").join(pid.trim());
    until(|| !process.exists()).await;
    running.abort();
}
