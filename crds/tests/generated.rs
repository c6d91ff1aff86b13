//! What is generated: current, small, bounded, and shaped as people and tools expect.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use dragoman_crds::generate::{self, Generated};
use dragoman_crds::reference_docs;
use serde_json::Value;

/// A CRD must fit, with room, into what `kubectl apply` and etcd take; one this size can still be read.
const LARGEST: usize = 100 << 10;

fn definitions() -> Vec<Generated> {
    generate::all().unwrap()
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn assert_current(path: &str, expected: &str) {
    let committed = std::fs::read_to_string(project(path)).unwrap_or_default();
    assert!(
        committed == expected,
        "{path} is not what the types in crds/src generate: run `make generate` and commit the result"
    );
}

#[test]
fn the_charts_hold_what_the_types_generate() {
    for generated in definitions() {
        assert_current(
            &format!("charts/dragoman-crds/templates/{}.yaml", generated.name),
            &generated.yaml().unwrap(),
        );
    }
}

#[test]
fn the_reference_holds_what_the_types_generate() {
    for generated in definitions() {
        assert_current(
            &format!("docs/reference/{}.md", generated.name),
            &reference_docs::page(&generated),
        );
    }
}

#[test]
fn no_page_is_left_of_a_kind_that_is_gone() {
    for (folder, ending) in [
        ("charts/dragoman-crds/templates", "yaml"),
        ("docs/reference", "md"),
    ] {
        for entry in std::fs::read_dir(project(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let ours = text
                .lines()
                .next()
                .is_some_and(|line| line.contains("Generated from crds/src/"));
            let known = definitions()
                .iter()
                .any(|generated| path.ends_with(format!("{}.{ending}", generated.name)));
            assert!(
                !ours || known,
                "{} is generated from nothing; delete it",
                path.display()
            );
        }
    }
}

#[test]
fn a_definition_stays_below_100_kib() {
    for generated in definitions() {
        let bytes = generated.yaml().unwrap().len();
        assert!(bytes <= LARGEST, "{} has {bytes} bytes", generated.name);
    }
}

/// Calls `look` with every part of a schema and its path.
fn walk(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, look);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&format!("{path}[]"), &schema[inner], look);
        }
    }
}

fn every_part(mut look: impl FnMut(&str, &Value)) {
    for generated in definitions() {
        for part in ["spec", "status"] {
            let path = format!("{} {part}", generated.name);
            walk(&path, &generated.schema()["properties"][part], &mut look);
        }
    }
}

#[test]
fn every_list_string_and_map_is_bounded() {
    every_part(|path, schema| match schema["type"].as_str() {
        Some("array") => assert!(schema["maxItems"].is_u64(), "{path} has no maxItems"),
        Some("string") => assert!(
            schema["maxLength"].is_u64()
                || schema["enum"].is_array()
                || schema["format"] == "date-time",
            "{path} has no maxLength"
        ),
        Some("object") if schema["properties"].is_null() => {
            let empty = schema["additionalProperties"] == Value::Bool(false);
            let known = path.ends_with("passthrough");
            assert!(
                empty || known || schema["maxProperties"].is_u64(),
                "{path} has no maxProperties"
            );
        }
        _ => {}
    });
}

#[test]
fn every_field_is_explained() {
    every_part(|path, schema| {
        let element = path.ends_with("[]");
        assert!(
            element || schema["description"].is_string(),
            "{path} has no description"
        );
    });
}

#[test]
fn lists_of_named_things_merge_by_name() {
    every_part(|path, schema| {
        if schema["type"] != "array" {
            return;
        }
        let merge = schema["x-kubernetes-list-type"].as_str();
        assert!(merge.is_some(), "{path} does not say how it merges");
        let items = &schema["items"];
        let required = items["required"].as_array().into_iter().flatten();
        let named = required.clone().any(|name| name == "name") && !path.ends_with("Refs");
        let secrets = path.ends_with("imagePullSecrets");
        // Rules apply in their order, and their names are what log and metrics quote.
        let ordered = path.ends_with("spec.rules") || path.ends_with("spec.responseRules");
        if named && !secrets && !ordered {
            assert_eq!(merge, Some("map"), "{path} holds named things");
        }
        if merge == Some("map") {
            let keys = schema["x-kubernetes-list-map-keys"].as_array().unwrap();
            for key in keys {
                assert!(
                    required.clone().any(|name| name == key),
                    "{path}: the key {key} is not required"
                );
            }
        }
    });
}

#[test]
fn no_field_admits_null() {
    every_part(|path, schema| assert!(schema["nullable"].is_null(), "{path}"));
}

#[test]
fn every_kind_tells_its_state_in_a_listing_and_from_its_creation() {
    for generated in definitions() {
        let version = &generated.crd["spec"]["versions"][0];
        let columns: Vec<&str> = version["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|column| column["name"].as_str())
            .collect();
        assert_eq!(columns.first(), Some(&"Ready"), "{}", generated.name);
        assert_eq!(columns.last(), Some(&"Message"), "{}", generated.name);
        assert!(version["subresources"]["status"].is_object());
        let condition = &generated.schema()["properties"]["status"]["default"]["conditions"][0];
        assert_eq!(condition["type"], "Ready");
        assert_eq!(condition["status"], "Unknown");
        assert_eq!(condition["reason"], "Pending");
        let names = &generated.crd["spec"]["names"];
        assert_eq!(names["categories"][0], "dragoman");
        assert_eq!(names["singular"], generated.name);
    }
}
