//! `dragoman-proxy check`, and what the command line says of itself (features E3).

use std::fs;
use std::process::{Command, Output};

use dragoman_system::{programs, root};
use serde_json::Value;

use super::faults::faults;
use super::manifests::{MAPPED, backend, names, object, route, secret};

fn program(arguments: &[&str]) -> Output {
    Command::new(programs().join("dragoman-proxy"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code and output of `check` on a folder with this one file.
pub(super) fn check(manifest: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.yaml"), manifest).unwrap();
    let folder = folder.path().to_str().unwrap();
    let output = program(&[&["check", "--config", folder], more].concat());
    (
        output.status.code(),
        text(&output.stdout).replace(folder, "DIR"),
    )
}

pub(super) const URL: &str = "http://127.0.0.1:9/v1";

fn fine() -> String {
    secret("provider", "sk-1")
        + &backend(
            "main",
            URL,
            "credential: {secretRef: {name: provider, key: key}}",
        )
        + &names("rules:\n- match: {exact: a}\n  target: {model: b}\n")
        + &route(MAPPED)
}

#[test]
fn manifests_without_a_fault_are_counted_and_exit_0() {
    assert_eq!(
        check(&fine(), &[]),
        (Some(0), "4 objects in 1 file are fine\n".into())
    );
    assert_eq!(
        check(&fine(), &["--output", "json"]),
        (Some(0), "[]\n".into())
    );
}

#[test]
fn the_examples_are_without_a_fault() {
    for example in [
        "examples/access",
        "examples/custom-backend",
        "examples/standalone",
        "examples/quickstart",
        "examples/vendors",
    ] {
        let folder = root().join(example);
        let output = program(&["check", "--config", folder.to_str().unwrap()]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{example}: {}",
            text(&output.stdout)
        );
    }
}

#[test]
fn a_mappers_tests_are_run_and_each_that_fails_is_told() {
    let spec = "request: body.a\ntests:\n- {name: fine, phase: Request, input: {body: {a: 1}}, expect: 1}\n- {name: off, phase: Request, input: {body: {a: 1}}, expect: 2}";
    let manifest = fine() + &object("Mapper", "{name: own}", spec);
    let (code, said) = check(&manifest, &[]);
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "Mapper default/own",
        "spec.tests[off]",
        "request gives 1, and 2 is expected",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("tests[fine]"), "{said}");
    let (code, said) = check(&manifest.replace("expect: 2", "expect: 1"), &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn every_fault_names_its_file_object_field_and_cure() {
    for (what, manifest, wanted) in faults() {
        let (code, out) = check(&manifest, &[]);
        assert_eq!(code, Some(1), "{what}: {out}");
        let line = out
            .lines()
            .find(|line| wanted.iter().all(|word| line.contains(word)));
        let line = line.unwrap_or_else(|| panic!("{what}: no line with all of {wanted:?}:\n{out}"));
        assert!(line.starts_with("DIR/main.yaml:"), "{what}: {line}");
        let number = line["DIR/main.yaml:".len()..].split(':').next().unwrap();
        assert!(number.parse::<usize>().is_ok(), "{what}: {line}");
    }
}

#[test]
fn one_fault_is_told_once_and_does_not_hide_another() {
    let manifest =
        backend("main", URL, "timeout: {}") + &names("list: {allow: []}") + &route(MAPPED);
    let (code, out) = check(&manifest, &[]);
    assert_eq!((code, out.lines().count()), (Some(1), 2), "{out}");
    assert!(
        out.contains("spec.timeout") && out.contains("spec.list.allow"),
        "{out}"
    );
}

#[test]
fn a_broken_rule_does_not_hide_what_the_object_refers_to() {
    let manifest = secret("s", "k")
        + &backend(
            "main",
            "ftp://x",
            "credential: {secretRef: {name: s, key: other}}",
        )
        + &route("");
    let (code, out) = check(&manifest, &[]);
    assert_eq!((code, out.lines().count()), (Some(1), 2), "{out}");
    assert!(
        out.contains("spec.url") && out.contains("spec.credential.secretRef"),
        "{out}"
    );
}

#[test]
fn json_has_the_same_faults_for_programs() {
    for (what, manifest, _) in faults() {
        let (code, lines) = check(&manifest, &[]);
        assert_eq!(code, Some(1), "{what}");
        let (code, out) = check(&manifest, &["--output", "json"]);
        let faults: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, Some(1));
        assert_eq!(
            faults.as_array().unwrap().len(),
            lines.lines().count(),
            "{what}: {lines}"
        );
        for fault in faults.as_array().unwrap() {
            assert_eq!(fault["file"], "DIR/main.yaml", "{fault}");
            assert!(
                fault["line"].is_u64() && fault["object"].is_string() && fault["field"].is_string(),
                "{fault}"
            );
            assert!(!fault["message"].as_str().unwrap().is_empty());
        }
    }
}

#[test]
fn a_secret_is_in_no_fault() {
    let manifest = secret("provider", "sk-visible")
        .replace("stringData: {key:", "stringData: {key: [x], other:")
        + &backend(
            "main",
            URL,
            "credential: {secretRef: {name: provider, key: key}}",
        )
        + &route("");
    let (code, out) = check(&manifest, &[]);
    assert_eq!(code, Some(1));
    assert!(!out.contains("sk-visible"), "{out}");
}

#[test]
fn run_refuses_to_start_on_faults_and_tells_each() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("main.yaml"),
        backend("main", URL, "timeout: {}") + &names("list: {allow: []}") + &route(MAPPED),
    )
    .unwrap();
    let output = program(&[
        "run",
        "--config",
        folder.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("spec.timeout") && said.contains("spec.list.allow"),
        "{said}"
    );
}

#[test]
fn run_on_a_folder_that_does_not_exist_says_that_and_nothing_else() {
    let output = program(&["run", "--config", "/no/such/folder"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("starts"))
        .collect();
    assert_eq!(
        lines,
        [
            "dragoman-proxy: cannot read the config in /no/such/folder: it does not exist; check the path, or where the link leads (--config)"
        ]
    );
}

#[test]
fn a_folder_without_manifests_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().to_str().unwrap();
    let output = program(&["check", "--config", config]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).starts_with(&format!("{config}: there is no object in it")),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_single_file_is_checked_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.yaml");
    fs::write(&file, fine()).unwrap();
    fs::write(folder.path().join("other.yaml"), "{{{").unwrap();
    let output = program(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "4 objects in 1 file are fine\n".into())
    );
}

#[test]
fn a_kind_that_is_none_of_ours_names_all_that_are() {
    let (_, out) = check("{apiVersion: v1, kind: Pod, metadata: {name: x}}", &[]);
    for kind in [
        "LLMProxy",
        "LLMBackend",
        "LLMRoute",
        "ModelMap",
        "Secret",
        "ConfigMap",
        "Namespace",
    ] {
        assert!(out.contains(kind), "{out}");
    }
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let output = program(&["check", "--config", "/no/such/folder"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("/no/such/folder: it does not exist"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn help_version_and_wrong_commands_are_as_people_expect() {
    let help = program(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(
        ["run", "check"]
            .iter()
            .all(|command| text(&help.stdout).contains(command))
    );
    let run = text(&program(&["run", "--help"]).stdout);
    for option in [
        "--config",
        "--listen",
        "--admin",
        "--threads",
        "--log-level",
        "--log-format",
        "--log-file",
    ] {
        assert!(run.contains(option), "{option}: {run}");
    }
    let version = program(&["--version"]);
    assert_eq!(
        (version.status.code(), text(&version.stdout)),
        (
            Some(0),
            format!("dragoman-proxy {}\n", env!("CARGO_PKG_VERSION"))
        )
    );
    for wrong in [
        &["frobnicate"][..],
        &["run"],
        &["check"],
        &["run", "--config", "x", "--threads", "0"],
        &["check", "--config", "x", "--output", "xml"],
    ] {
        let output = program(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn the_faults_of_policies_are_told_with_object_field_and_cure() {
    let keys = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys, annotations: {dragoman.dev/expires: tomorrow}}\nstringData: {alice: 6f6c1f4be1f1c9a7d5b0e2a49c3d8f17}\n";
    let spec = concat!(
        "authentication:\n",
        "  bearerTokens: {secretRefs: [{name: keys}, {name: gone}]}\n",
        "  serviceAccounts: {audience: llm.example.com}\n",
        "network: {deny: [10.0.0.300]}\n",
        "rules: [{name: a, when: usr.name == 'x', action: Allow}]",
    );
    let manifest = fine() + keys + &object("AccessPolicy", "{name: callers}", spec);
    let (code, said) = check(&manifest, &[]);
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "AccessPolicy default/callers",
        "spec.authentication.bearerTokens.secretRefs[0]",
        "dragoman.dev/expires is \"tomorrow\"",
        "spec.authentication.bearerTokens.secretRefs[1]",
        "Secret default/gone does not exist",
        "spec.authentication.serviceAccounts",
        "outside a cluster",
        "spec.network.deny[0]",
        "\"10.0.0.300\" is no network",
        "spec.rules[0].when",
        "unknown variable \"usr\"",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("6f6c1f4be1f1c9a7d5b0e2a49c3d8f17"), "{said}");
}

#[test]
fn what_refers_to_a_policy_that_is_not_there_is_told() {
    let route = "accessPolicyRefs: [{name: callers}]\nbackends: [{name: a, inline: {url: 'http://127.0.0.1:9/v1'}}]";
    let (code, said) = check(&object("LLMRoute", "{name: chat}", route), &[]);
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "LLMRoute default/chat",
        "spec.accessPolicyRefs[0]",
        "AccessPolicy default/callers does not exist; create it",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
