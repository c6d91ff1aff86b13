use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

const ROUTE: &str = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMRoute, metadata: {name: chat}, spec: {backends: [{name: a, inline: {url: 'http://127.0.0.1:1/v1', credential: {secretRef: {name: key, key: k}}}}]}}";
const SECRET: &str =
    "{apiVersion: v1, kind: Secret, metadata: {name: key}, stringData: {k: sk-4711}}";

fn files(texts: &[&str]) -> Files {
    let texts = texts.iter().enumerate();
    Files {
        texts: texts
            .map(|(n, text)| (format!("{n}.yaml").into(), (*text).to_owned()))
            .collect(),
        faults: Vec::new(),
    }
}

/// A program that does as the script says.
fn program(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// What comes of files that such a program compiles within `limits`.
async fn compiled(script: &str, limits: Limits) -> Result<Loaded, Refusal> {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), script);
    let process = loop {
        match start(&program) {
            // Another test's process may hold the file open for writing between its fork and its exec.
            Err(fault) if fault.kind() == io::ErrorKind::ExecutableFileBusy => {}
            process => break process.unwrap(),
        }
    };
    within(process, &files(&[ROUTE, SECRET]), limits).await
}

async fn failure(script: &str, limits: Limits) -> Failure {
    match compiled(script, limits).await {
        Err(Refusal::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_what_loading_here_gives() {
    let given = Compiler::Here.compile(files(&[ROUTE, SECRET])).await;
    let given = given.unwrap();
    let mut answer = Vec::new();
    child::compile(
        &serde_json::to_vec(&files(&[ROUTE, SECRET])).unwrap()[..],
        &mut answer,
    )
    .unwrap();
    let read: child::Answer = serde_json::from_slice(&answer).unwrap();
    let read = Result::from(read).unwrap();
    assert_eq!(read.items, given.items);
    assert_eq!((read.objects, read.files), (2, 2));
}

#[tokio::test]
async fn faults_are_the_same_there() {
    let Err(Refusal::Faults(given)) = Compiler::Here.compile(files(&[ROUTE])).await else {
        panic!("no faults");
    };
    let mut answer = Vec::new();
    let asked = serde_json::to_vec(&files(&[ROUTE])).unwrap();
    child::compile(&asked[..], &mut answer).unwrap();
    let read: child::Answer = serde_json::from_slice(&answer).unwrap();
    assert!(
        matches!(Result::from(read), Err(Refusal::Faults(read)) if read == given && !read.is_empty())
    );
}

#[tokio::test]
async fn what_the_process_answers_is_taken() {
    let script =
        r#"cat >/dev/null; echo '{"loaded":{"items":{},"invalid":{},"objects":3,"files":1}}'"#;
    let loaded = compiled(script, LIMITS).await.unwrap();
    assert_eq!((loaded.objects, loaded.files), (3, 1));
}

#[tokio::test]
async fn secrets_are_neither_arguments_nor_environment() {
    let script = r#"given="$* $(env)"; case "$given" in *sk-4711*) exit 3;; esac; case "$(cat)" in *sk-4711*) ;; *) exit 4;; esac
echo '{"faults":[]}'"#;
    let faults = compiled(script, LIMITS).await;
    assert!(
        matches!(faults, Err(Refusal::Faults(ref faults)) if faults.is_empty()),
        "{faults:?}"
    );
}

#[tokio::test]
async fn a_process_that_fails_is_a_failure_whatever_it_said() {
    for script in [
        "exit 7",
        r#"cat >/dev/null; echo '{"faults":[]}'; exit 7"#,
        // As when memory ran out.
        r#"cat >/dev/null; echo '{"faults"'; kill -9 $$"#,
    ] {
        let failure = failure(script, LIMITS).await;
        assert!(matches!(failure, Failure::Ended(_)), "{script}: {failure}");
        assert!(failure.to_string().contains("undo the last edit"));
    }
    let garbled = failure("cat >/dev/null; echo nonsense", LIMITS).await;
    assert!(matches!(garbled, Failure::Garbled(_)), "{garbled}");
}

#[tokio::test]
async fn a_process_that_takes_too_long_is_ended_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("pid");
    let script = format!("echo $$ >{}; exec sleep 1000", told.display());
    let soon = Limits {
        time: Duration::from_millis(300),
        ..LIMITS
    };
    // Before it has told its id it may be ended too; what counts is that it is gone.
    let late = failure(&script, soon).await;
    assert!(matches!(late, Failure::Late), "{late}");
    if let Ok(pid) = std::fs::read_to_string(told) {
        let process = Path::new("/proc").join(pid.trim());
        assert!(!process.exists(), "{} is still there", process.display());
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_kept() {
    let short = Limits {
        bytes: 1 << 16,
        ..LIMITS
    };
    let failure = failure("cat >/dev/null; exec cat /dev/zero", short).await;
    assert!(matches!(failure, Failure::Large), "{failure}");
}

#[tokio::test]
async fn what_the_process_says_goes_to_the_log_and_not_past_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = std::fs::File::create(&path).unwrap();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(std::sync::Mutex::new(log))
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let script = "cat >/dev/null; echo 'memory is out' >&2; echo 'and so am I' >&2; exit 7";
    let failure = failure(script, LIMITS).await;
    assert!(matches!(failure, Failure::Ended(_)), "{failure}");
    let log = std::fs::read_to_string(&path).unwrap();
    let said = |words: &str| {
        log.lines().any(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let message = line["fields"]["message"].as_str().unwrap();
            line["level"] == "WARN" && message.ends_with(&format!("says: {words}"))
        })
    };
    assert!(said("memory is out") && said("and so am I"), "{log}");
}

#[tokio::test]
async fn a_process_that_says_too_much_is_neither_kept_waiting_nor_kept_in_memory() {
    let script = r#"cat >/dev/null; head -c 1000000 /dev/zero >&2; echo '{"faults":[]}'"#;
    let faults = compiled(script, LIMITS).await;
    assert!(
        matches!(faults, Err(Refusal::Faults(ref faults)) if faults.is_empty()),
        "{faults:?}"
    );
}

#[tokio::test]
async fn where_no_process_can_be_started_this_one_compiles() {
    let compiler = Compiler::Child("/no/such/program".into());
    let loaded = compiler.compile(files(&[ROUTE, SECRET])).await.unwrap();
    assert_eq!(loaded.objects, 2);
}
