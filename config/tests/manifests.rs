//! The manifests of `crds/tests`, which the API server judges in the whole-system tests, get the same judgement offline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use dragoman_config::manifest::{Fault, Schemas};
use serde_json::Value;

fn list(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Every case: file name, text and manifest.
fn cases(folder: &str) -> Vec<(String, String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/tests");
    list(&root.join(folder))
        .iter()
        .flat_map(|kind| list(kind))
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let manifest = serde_saphyr::from_str(&text).unwrap();
            (file.display().to_string(), text, manifest)
        })
        .collect()
}

fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let comment = format!("# {name}:");
    text.lines()
        .find_map(|line| line.strip_prefix(&comment))
        .unwrap()
        .trim()
}

fn one_fault(file: &str, result: Result<usize, Vec<Fault>>) -> Fault {
    let faults = result.expect_err(file);
    assert_eq!(faults.len(), 1, "{file}: {faults:?}");
    faults[0].clone()
}

#[test]
fn rules_admit_and_refuse_as_on_the_api_server() {
    let schemas = Schemas::new().unwrap();
    for (file, text, manifest) in cases("rules") {
        let result = schemas.parse(&manifest).map(|parsed| parsed.len());
        if file.ends_with(".admit.yaml") {
            assert_eq!(result, Ok(1), "{file}");
            continue;
        }
        let fault = one_fault(&file, result);
        assert_eq!(fault.field, header(&text, "field"), "{file}: {fault:?}");
        assert!(
            fault.message.contains(header(&text, "refused")),
            "{file}: {fault:?}"
        );
    }
}

#[test]
fn structure_is_refused_at_the_same_field_as_on_the_api_server() {
    let schemas = Schemas::new().unwrap();
    for (file, text, manifest) in cases("structure") {
        let result = schemas.parse(&manifest).map(|parsed| parsed.len());
        let fault = one_fault(&file, result);
        assert_eq!(fault.field, header(&text, "field"), "{file}: {fault:?}");
        assert!(!fault.message.is_empty(), "{file}");
    }
}
