//! Every CEL rule in the CRDs admits what it should and refuses, with its message, what it should not.
//!
//! The same manifests are tried on an API server by the whole-system tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod case;

use std::collections::{BTreeMap, BTreeSet};

use case::{Case, cases};
use dragoman_crds::generate::{self, Generated};
use serde_json::Value;

/// A rule's kind, place in the schema and message.
type Rule = (String, String, String);

fn definitions() -> Vec<Generated> {
    generate::all().unwrap()
}

fn kind(generated: &Generated) -> &str {
    generated.crd["spec"]["names"]["kind"].as_str().unwrap()
}

fn rules_of(kind: &str, path: &str, schema: &Value, found: &mut BTreeMap<Rule, String>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let message = rule["message"]
            .as_str()
            .unwrap_or_else(|| panic!("a rule at {kind} {path} has no message: {rule}"));
        let expression = rule["rule"].as_str().unwrap();
        let before = found.insert(
            (kind.into(), path.into(), message.into()),
            expression.into(),
        );
        assert_eq!(before, None, "two rules at {kind} {path} say {message:?}");
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        rules_of(kind, &path, property, found);
    }
    if schema["items"].is_object() {
        rules_of(kind, &format!("{path}[]"), &schema["items"], found);
    }
    if schema["additionalProperties"].is_object() {
        rules_of(
            kind,
            &format!("{path}{{}}"),
            &schema["additionalProperties"],
            found,
        );
    }
}

fn covered(case: &Case) -> Rule {
    (
        case.manifest["kind"].as_str().unwrap().into(),
        case.header("path").into(),
        case.header("rule").into(),
    )
}

/// Whether the object has something where a rule with this path looks.
fn reaches(object: &Value, path: &str) -> bool {
    let (part, rest) = path.split_once('.').unwrap_or((path, ""));
    if part.is_empty() {
        return true;
    }
    match part.strip_suffix("[]") {
        Some(list) => object[list]
            .as_array()
            .into_iter()
            .flatten()
            .any(|element| reaches(element, rest)),
        None => !object[part].is_null() && reaches(&object[part], rest),
    }
}

/// The object as the rules see it: nulls dropped and defaults filled in.
fn stored(schema: &Value, object: &Value) -> Value {
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name.clone(), without_nulls(member)))
                .collect(),
            Value::Array(elements) => elements.iter().map(without_nulls).collect(),
            scalar => scalar.clone(),
        }
    }
    kube_cel::apply_defaults(schema, &without_nulls(object))
}

/// Every rule and its expression.
fn rules() -> BTreeMap<Rule, String> {
    let mut rules = BTreeMap::new();
    for generated in definitions() {
        rules_of(kind(&generated), "", generated.schema(), &mut rules);
    }
    rules
}

#[test]
fn every_rule_has_a_manifest_that_it_admits_and_one_that_it_refuses() {
    let rules: BTreeSet<Rule> = rules().into_keys().collect();
    let (admitted, refused): (Vec<_>, Vec<_>) = cases("rules").into_iter().partition(Case::admits);
    for (word, cases) in [("admit", admitted), ("refuse", refused)] {
        let covered: BTreeSet<Rule> = cases.iter().map(covered).collect();
        let missing: Vec<_> = rules.difference(&covered).collect();
        assert!(
            missing.is_empty(),
            "no tests/rules/<kind>/<what>.{word}.yaml for {missing:#?}"
        );
        let stale: Vec<_> = covered.difference(&rules).collect();
        assert!(
            stale.is_empty(),
            "{word}: no rule of the schema is {stale:#?}"
        );
    }
}

#[test]
fn every_manifest_is_judged_as_its_name_says_and_by_the_rule_it_names() {
    let definitions = definitions();
    let rules = rules();
    for case in cases("rules") {
        let file = case.file.display();
        let schema = definitions
            .iter()
            .find(|generated| kind(generated) == case.manifest["kind"])
            .unwrap()
            .schema();
        let object = stored(schema, &case.manifest);
        assert!(
            reaches(&object, case.header("path")),
            "{file} has nothing for its rule to look at"
        );
        let found = kube_cel::Validator::new()
            .validate(schema, &object, None)
            .err()
            .map(kube_cel::ValidationErrors::into_vec)
            .unwrap_or_default();
        if case.admits() {
            assert!(found.is_empty(), "{file}: {found:?}");
            continue;
        }
        let [fault] = found.as_slice() else {
            panic!("{file} must break one rule: {found:?}")
        };
        assert_eq!(fault.field_path, case.header("field"), "{file}");
        assert_eq!(Some(&fault.rule), rules.get(&covered(&case)), "{file}");
        assert_eq!(case.header("refused"), case.header("rule"), "{file}");
    }
}
