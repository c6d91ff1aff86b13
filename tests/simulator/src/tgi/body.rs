//! The body of a request, as the router's types read it.
//!
//! Source: `GenerateRequest`, `CompatGenerateRequest` and `GenerateParameters` of `router/src/lib.rs`, and
//! the words of [axum](https://docs.rs/axum/0.7/axum/extract/rejection/enum.JsonRejection.html) for a
//! body that they cannot read.

use http::{StatusCode, header, request::Parts};
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Asked, words};

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename = "GenerateRequest")]
pub(super) struct Generate {
    pub(super) inputs: String,
    #[serde(default)]
    pub(super) parameters: Parameters,
    /// Of `/` alone.
    #[serde(default)]
    pub(super) stream: bool,
}

/// The parameters. A field that may be left out may not be null, unless it is an option.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "GenerateParameters")]
pub(super) struct Parameters {
    pub(super) best_of: Option<usize>,
    pub(super) temperature: Option<f32>,
    pub(super) repetition_penalty: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) top_k: Option<i32>,
    pub(super) top_p: Option<f32>,
    pub(super) typical_p: Option<f32>,
    #[serde(default)]
    pub(super) do_sample: bool,
    pub(super) max_new_tokens: Option<u32>,
    pub(super) return_full_text: Option<bool>,
    #[serde(default)]
    pub(super) stop: Vec<String>,
    pub(super) truncate: Option<usize>,
    #[serde(default, rename = "watermark")]
    _watermark: bool,
    #[serde(default)]
    pub(super) details: bool,
    #[serde(default)]
    pub(super) decoder_input_details: bool,
    pub(super) seed: Option<u64>,
    pub(super) top_n_tokens: Option<u32>,
    pub(super) grammar: Option<Grammar>,
    #[serde(rename = "adapter_id")]
    _adapter_id: Option<String>,
}

/// What the text must look like.
#[derive(Debug, Deserialize)]
#[serde(rename = "GrammarType", tag = "type", content = "value")]
pub(super) enum Grammar {
    #[serde(rename = "json", alias = "json_object")]
    Json(Value),
    #[serde(rename = "json_schema")]
    Schema(Named),
    #[serde(rename = "regex")]
    Regex(#[expect(dead_code, reason = "only its type is checked")] String),
}

/// A schema with a name, as OpenAI has it.
#[derive(Debug, Deserialize)]
#[serde(rename = "JsonSchemaConfig")]
pub(super) struct Named {
    #[serde(rename = "name")]
    _name: Option<String>,
    pub(super) schema: Value,
}

/// Reads a body, or says why not, with the status of that.
pub(super) fn read(head: &Parts, body: &[u8]) -> Result<Generate, (StatusCode, String)> {
    let kind = head.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json")) {
        let why = "Expected request with `Content-Type: application/json`";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why.into()));
    }
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            let why = format!("Failed to deserialize the JSON body into the target type: {error}");
            (StatusCode::UNPROCESSABLE_ENTITY, why)
        } else {
            let why = format!("Failed to parse the request body as JSON: {error}");
            (StatusCode::BAD_REQUEST, why)
        }
    })
}

/// The first field of a body that neither type has, which the router leaves unread.
pub(super) fn unknown(body: &[u8]) -> Option<String> {
    const FIELDS: [&str; 3] = ["inputs", "parameters", "stream"];
    const PARAMETERS: [&str; 19] = [
        "adapter_id",
        "best_of",
        "decoder_input_details",
        "details",
        "do_sample",
        "frequency_penalty",
        "grammar",
        "max_new_tokens",
        "repetition_penalty",
        "return_full_text",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_n_tokens",
        "top_p",
        "truncate",
        "typical_p",
        "watermark",
    ];
    let value: Value = serde_json::from_slice(body).ok()?;
    let beyond = |value: &Value, known: &[&str]| {
        let mut names = value.as_object()?.keys();
        names.find(|name| !known.contains(&name.as_str())).cloned()
    };
    let parameters = || beyond(value.get("parameters")?, &PARAMETERS);
    beyond(&value, &FIELDS).or_else(parameters)
}

impl Generate {
    /// Whether tokens are drawn, rather than the likeliest taken.
    pub(super) fn samples(&self) -> bool {
        let with = &self.parameters;
        with.do_sample
            || with.temperature.is_some()
            || with.top_k.is_some()
            || with.top_p.is_some()
            || with.typical_p.is_some()
    }

    /// Words of the prompt that the model sees.
    pub(super) fn words(&self) -> usize {
        let all = words(&self.inputs);
        self.parameters.truncate.map_or(all, |most| all.min(most))
    }

    pub(super) fn asked(&self) -> Asked {
        let limit = self.parameters.max_new_tokens;
        Asked {
            text: self.inputs.clone(),
            prompt: self.words(),
            stop: self.parameters.stop.clone(),
            max_tokens: limit.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
            n: 1,
            ..Asked::default()
        }
    }
}
