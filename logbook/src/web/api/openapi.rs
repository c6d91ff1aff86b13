//! `/api/openapi.json`: the OpenAPI document, made of the same parts that answer.

use super::{Operation, READ, schemas};
use crate::web::body::Body;
use crate::web::parameters::Parameter;
use crate::web::reply::json;
use http::Response;
use serde_json::{Map, Value, json};

/// The document. `guarded` says that a token has to be brought.
pub(super) fn answer(guarded: bool) -> Response<Body> {
    json(&document(guarded))
}

fn document(guarded: bool) -> Value {
    let mut paths = Map::new();
    for operation in Operation::ALL {
        let (path, allow) = operation.path();
        let method = if allow == READ { "get" } else { "delete" };
        let item = paths
            .entry(path)
            .or_insert_with(|| Value::Object(Map::new()));
        item[method] = described(operation, guarded);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dragoman's request log",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What was asked of models: who, when, how long, how many tokens, at what cost, and what came back. \
                Who asks sees the requests of the namespaces that are theirs to see, and nothing else."
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": responses(),
        }
    });
    if guarded {
        document["security"] = json!([{"token": []}]);
        document["components"]["securitySchemes"] = json!({
            "token": {"type": "http", "scheme": "bearer", "description": "The admin token; on the logbook of a cluster a Kubernetes token too."}
        });
    }
    document
}

impl Operation {
    /// Its id, what it does, the media type of its answer, and that answer's schema.
    const fn about(self) -> (&'static str, &'static str, &'static str, &'static str) {
        const JSON: &str = "application/json";
        match self {
            Self::Logs => (
                "listLogs",
                "Requests that have ended, newest first, a page at a time, without bodies.",
                JSON,
                "Page",
            ),
            Self::Log => (
                "getLog",
                "One request with all that is known of it.",
                JSON,
                "Log",
            ),
            Self::Csv => (
                "exportCsv",
                "All requests that match, newest first, as CSV with a line of names. A text that a spreadsheet would take for a formula has an apostrophe put before it.",
                "text/csv",
                "Text",
            ),
            Self::Jsonl => (
                "exportJsonl",
                "All requests that match, newest first, each as JSON on a line of its own.",
                "application/jsonl",
                "Text",
            ),
            Self::Stats => (
                "getStats",
                "Figures of the requests that match: in all, over time, and by model, route and user. Without `from` it is the last day before `until`. Percentiles are up to three per cent low.",
                JSON,
                "Stats",
            ),
            Self::Inflight => (
                "listInflight",
                "Requests that have not ended, the longest first.",
                JSON,
                "Inflight",
            ),
            Self::Cancel => (
                "cancelInflight",
                "Ends a request as if its client had left.",
                JSON,
                "Cancelled",
            ),
            Self::OpenApi => ("getOpenApi", "This document.", JSON, "OpenApi"),
        }
    }
}

fn described(operation: Operation, guarded: bool) -> Value {
    let (id, about, media, schema) = operation.about();
    let (path, _) = operation.path();
    let mut parameters: Vec<_> = operation.parameters().into_iter().map(in_query).collect();
    if path.ends_with("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "description": "The request's id, as in x-dragoman-request-id.",
            "schema": {"type": "string", "minLength": 1}, "example": "019a2b3c-4d5e-7f60-8172-93a4b5c6d7e8"
        }));
    }
    let mut responses = Map::new();
    let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
    let good =
        json!({"description": "What was asked for.", "content": {media: {"schema": schema}}});
    responses.insert("200".into(), good);
    let mut refusals = vec!["400", "403", "405", "500", "503", "504"];
    if guarded {
        refusals.push("401");
    }
    if path.ends_with("{id}") {
        refusals.push("404");
    }
    for status in refusals {
        let reference = json!({"$ref": format!("#/components/responses/{status}")});
        responses.insert(status.into(), reference);
    }
    json!({"operationId": id, "summary": about, "parameters": parameters, "responses": responses})
}

fn in_query(parameter: &Parameter) -> Value {
    let form = parameter.form.schema();
    let schema = match parameter.many {
        None => form,
        Some(most) => json!({"type": "array", "items": form, "maxItems": most}),
    };
    json!({"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema})
}

fn responses() -> Value {
    let refusals = [
        (
            "400",
            "A parameter that is not known, or a value that it cannot have. The error names it, and says what to give instead.",
        ),
        ("401", "No token, or one that is unknown or over."),
        (
            "403",
            "The token's bearer may see nothing, or another site's page asks.",
        ),
        (
            "404",
            "There is no such request, or it is not theirs to see.",
        ),
        (
            "405",
            "The path does not take this method; Allow says which.",
        ),
        ("500", "The log's database cannot be used."),
        (
            "503",
            "The log's database, or whoever checks tokens, is away. Try again after Retry-After.",
        ),
        (
            "504",
            "The question takes too long; ask for a shorter time, or for something more exact.",
        ),
    ];
    let refusal = |(status, about): (&str, &str)| {
        let content =
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
        (
            status.to_owned(),
            json!({"description": about, "content": content}),
        )
    };
    refusals
        .into_iter()
        .map(refusal)
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere_and_every_id_is_one() {
        let document = document(true);
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let ids: std::collections::BTreeSet<_> =
            Operation::ALL.iter().map(|one| one.about().0).collect();
        assert_eq!(ids.len(), Operation::ALL.len());
    }
}
