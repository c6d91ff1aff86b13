use std::fs;

use serde_json::{Value, json};

use super::*;

const FINE: &str = "apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {name: chat, namespace: team-a}
spec:
  backends:
  - name: vllm
    inline: {url: http://127.0.0.1:8000/v1}
";

fn checked(text: &str, format: OutputFormat) -> (u8, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), text).unwrap();
    let mut out = Vec::new();
    let code = check(directory.path(), format, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    (
        code,
        out.replace(&directory.path().display().to_string(), "DIR"),
    )
}

#[test]
fn what_is_fine_is_counted() {
    assert_eq!(
        checked(FINE, OutputFormat::Text),
        (0, "1 object in 1 file is fine\n".into())
    );
    assert_eq!(checked(FINE, OutputFormat::Json), (0, "[]\n".into()));
}

#[test]
fn a_fault_is_one_line_with_file_object_field_and_cure() {
    let wrong = FINE.replace("url:", "urll:");
    let (code, text) = checked(&wrong, OutputFormat::Text);
    assert_eq!(code, 1);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "DIR/a.yaml:7: LLMRoute team-a/chat: spec.backends[0].inline.url: is required"
    );
    assert!(
        lines[1].starts_with(
            "DIR/a.yaml:7: LLMRoute team-a/chat: spec.backends[0].inline.urll: unknown field \"urll\""
        ),
        "{text}"
    );
    assert_eq!(lines.len(), 2, "{text}");
}

#[test]
fn json_is_an_array_of_the_same() {
    let (code, text) = checked(&FINE.replace("url:", "urll:"), OutputFormat::Json);
    let faults: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 1);
    assert_eq!(
        faults[0],
        json!({
            "file": "DIR/a.yaml",
            "line": 7,
            "object": "LLMRoute team-a/chat",
            "field": "spec.backends[0].inline.url",
            "message": "is required"
        })
    );
}

#[test]
fn nothing_to_check_is_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.yaml");
    fs::write(directory.path().join("README.md"), "no manifest").unwrap();
    for source in [directory.path(), empty.as_path()] {
        let mut out = Vec::new();
        let code = check(source, OutputFormat::Text, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let told = format!("{}: there is no object in it", source.display());
        assert!(code == 1 && out.starts_with(&told), "{out}");
        fs::write(&empty, "---\n# nothing\n").unwrap();
    }
}

#[test]
fn one_file_is_checked_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.conf");
    fs::write(&file, FINE).unwrap();
    fs::write(directory.path().join("broken.yaml"), "{{{").unwrap();
    let mut out = Vec::new();
    assert_eq!(check(&file, OutputFormat::Text, &mut out).unwrap(), 0);
    assert_eq!(out, b"1 object in 1 file is fine\n");
}
