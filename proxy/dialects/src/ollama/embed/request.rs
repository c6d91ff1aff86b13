//! Requests for vectors.
//!
//! Rules: who asks is left out, as Ollama has no place for it; `options` go to Ollama alone.

use serde_json::{Map, Value, json};

use crate::codec::{Path, Target};
use crate::extra;
use crate::fields::Fields;
use crate::form::{EmbeddingInput, EmbeddingRequest, Field, Malformed, Refused};
use crate::ollama::options::put;

const PAGE: &str = "https://docs.ollama.com/api/embed";

pub(super) fn read(body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let single = fields.peek("input").is_some_and(Value::is_string);
    // Without input the server only loads the model.
    let inputs = fields.strings("input")?.unwrap_or_default();
    common(fields, path, single, inputs)
}

pub(super) fn read_prompt(body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let prompt = fields.string("prompt")?.unwrap_or_default();
    let inputs = if prompt.is_empty() {
        Vec::new()
    } else {
        vec![prompt]
    };
    common(fields, path, true, inputs)
}

fn common(
    mut fields: Fields,
    path: Path<'_>,
    single: bool,
    inputs: Vec<String>,
) -> Result<EmbeddingRequest, Malformed> {
    Ok(EmbeddingRequest {
        model: match path.model {
            Some(model) => {
                fields.value("model");
                model.to_owned()
            }
            None => fields.required_string("model")?,
        },
        inputs: inputs.into_iter().map(EmbeddingInput::Text).collect(),
        single,
        dimensions: fields.small("dimensions")?,
        truncate: fields.bool("truncate")?,
        keep_alive: fields.value("keep_alive"),
        extra: {
            let options = fields.object("options")?;
            let mut extra = fields.rest();
            for (name, value) in options.map(Fields::rest).unwrap_or_default() {
                extra.insert(format!("options.{name}"), value);
            }
            extra
        },
        ..EmbeddingRequest::default()
    })
}

pub(super) fn write(request: &EmbeddingRequest, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let mut body = Map::new();
    body.insert("model".into(), json!(target.model));
    let texts = texts(request)?;
    let input = match texts.as_slice() {
        [one] if request.single => json!(one),
        all => json!(all),
    };
    body.insert("input".into(), input);
    put(&mut body, "truncate", request.truncate.map(Value::from));
    put(&mut body, "dimensions", request.dimensions.map(Value::from));
    finish(request, body)
}

pub(super) fn write_prompt(
    request: &EmbeddingRequest,
    target: Target<'_>,
) -> Result<Vec<u8>, Refused> {
    let texts = texts(request)?;
    let prompt = match texts.as_slice() {
        [] => "",
        [one] => one,
        _ => {
            let message =
                "Ollama's older call takes one prompt; send one input, or use /api/embed.";
            return Err(Refused::new(Field::At("input".into()), message, PAGE));
        }
    };
    if request.dimensions.is_some() {
        let message = "Ollama's older call gives vectors of the model's own length; remove the field, or use /api/embed.";
        return Err(Refused::new(Field::Dimensions, message, PAGE));
    }
    let mut body = Map::new();
    body.insert("model".into(), json!(target.model));
    body.insert("prompt".into(), json!(prompt));
    finish(request, body)
}

fn texts(request: &EmbeddingRequest) -> Result<Vec<&str>, Refused> {
    let each = request.inputs.iter().enumerate();
    each.map(|(number, input)| match input {
        EmbeddingInput::Text(text) => Ok(text.as_str()),
        EmbeddingInput::Tokens(_) => Err(Refused::new(
            Field::At(format!("input[{number}]")),
            "Ollama takes text, not tokens; send the text itself.",
            PAGE,
        )),
    })
    .collect()
}

fn finish(request: &EmbeddingRequest, mut body: Map<String, Value>) -> Result<Vec<u8>, Refused> {
    put(&mut body, "keep_alive", request.keep_alive.clone());
    let mut options = Map::new();
    let mut others = Map::new();
    for (name, value) in &request.extra {
        match name.strip_prefix("options.") {
            Some(name) => options.insert(name.to_owned(), value.clone()),
            None => others.insert(name.clone(), value.clone()),
        };
    }
    if !options.is_empty() {
        body.insert("options".into(), options.into());
    }
    extra::carry(&others, &[], &[], ("Ollama", PAGE), &mut body)?;
    Ok(Value::Object(body).to_string().into_bytes())
}
