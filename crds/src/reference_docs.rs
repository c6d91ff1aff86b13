//! The reference pages in docs/reference, generated from the same schema that the API server enforces.

use std::fmt::Write as _;

use serde_json::Value;

use crate::generate::Generated;

/// One kind's page, as Markdown.
#[must_use]
pub fn page(generated: &Generated) -> String {
    let names = &generated.crd["spec"]["names"];
    let schema = generated.schema();
    let mut page = String::new();
    let kind = text(&names["kind"]);
    let _ = writeln!(
        page,
        "<!-- Generated from crds/src/{}.rs by `make generate`. Do not edit. -->\n# {kind}\n\n{}\n",
        generated.name,
        text(&schema["description"]),
    );
    let _ = writeln!(
        page,
        "`{}/{}`, namespaced; `kubectl get {}` or `{}`.\n",
        crate::GROUP,
        crate::VERSION,
        text(&names["plural"]),
        text(&names["shortNames"][0]),
    );
    for part in ["spec", "status"] {
        let _ = writeln!(
            page,
            "## {part}\n\n| field | type | meaning |\n|---|---|---|"
        );
        fields(&mut page, &schema["properties"][part], "");
        page.push('\n');
    }
    page
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn fields(page: &mut String, schema: &Value, path: &str) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in properties {
        let list = field["type"] == "array";
        let path = format!("{path}{name}{}", if list { "[]" } else { "" });
        let must = if required.contains(&name.as_str()) {
            ", required"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| `{path}` | {}{must} | {} |",
            kind_of(field),
            meaning(field)
        );
        let inner = if list { &field["items"] } else { field };
        // A condition is Kubernetes' own structure and is documented there.
        if name != "conditions" {
            fields(page, inner, &format!("{path}."));
        }
    }
}

fn kind_of(field: &Value) -> String {
    let inner = if field["type"] == "array" {
        &field["items"]
    } else {
        field
    };
    let choices: Vec<String> = inner["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|choice| format!("`{choice}`"))
        .collect();
    let name = if choices.is_empty() {
        text(&inner["type"]).to_owned()
    } else {
        choices.join(", ")
    };
    if field["type"] == "array" {
        format!("list of {name}")
    } else {
        name
    }
}

fn meaning(field: &Value) -> String {
    let mut meaning = text(&field["description"])
        .replace('\n', " ")
        .replace('|', "\\|");
    for rule in field["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let _ = write!(meaning, " Rule: {}.", text(&rule["message"]));
    }
    meaning
}
