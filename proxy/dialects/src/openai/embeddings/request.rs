//! Requests for vectors.
//!
//! Written: always for numbers, unless base64 was asked for. Left out: `keep_alive`, and the wish to cut inputs that are too long, as OpenAI never
//! does; the wish not to cut them is what it does anyway.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::codec::{Path, Target};
use crate::extra;
use crate::fields::Fields;
use crate::form::{EmbeddingInput, EmbeddingRequest, Field, Malformed, Refused};
use crate::json::to_vec;

const PAGE: &str = "https://platform.openai.com/docs/api-reference/embeddings/create";

/// Fields of vLLM's and SGLang's, of Voyage's and Jina's.
const KNOWN: [&str; 8] = [
    "add_special_tokens",
    "input_type",
    "normalize",
    "output_dimension",
    "output_dtype",
    "priority",
    "task",
    "truncate_prompt_tokens",
];

/// Reads a request.
///
/// # Errors
/// [`Malformed`], naming the place.
pub fn read(body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let named = fields.string("model")?;
    let model = match path.model {
        Some(model) => model.to_owned(),
        None => named.ok_or_else(|| fields.missing("model"))?,
    };
    let (inputs, single) = inputs(&mut fields)?;
    let base64 = match fields.string("encoding_format")?.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let message = format!("The format must be float or base64, not {other:?}.");
            return Err(fields.fault("encoding_format", message));
        }
    };
    Ok(EmbeddingRequest {
        model,
        inputs,
        single,
        dimensions: fields.small("dimensions")?,
        base64,
        truncate: None,
        user: fields.string("user")?,
        keep_alive: None,
        extra: fields.extra(),
    })
}

/// What vectors are wanted of, and whether it is one thing rather than a list.
fn inputs(fields: &mut Fields) -> Result<(Vec<EmbeddingInput>, bool), Malformed> {
    let list = match fields.value("input") {
        None => return Err(fields.missing("input")),
        Some(Value::String(text)) => return Ok((vec![EmbeddingInput::Text(text)], true)),
        Some(Value::Array(list)) => list,
        Some(_) => {
            let message = "The field must be a string, a list of strings, or tokens.";
            return Err(fields.fault("input", message));
        }
    };
    if list.is_empty() {
        return Err(fields.fault("input", "The list must hold at least one input."));
    }
    if list[0].is_number() {
        let tokens = tokens(fields, "input", &list)?;
        return Ok((vec![EmbeddingInput::Tokens(tokens)], true));
    }
    let each = list.into_iter().enumerate();
    let inputs = each.map(|(number, value)| {
        let place = format!("input[{number}]");
        match value {
            Value::String(text) => Ok(EmbeddingInput::Text(text)),
            Value::Array(list) => Ok(EmbeddingInput::Tokens(tokens(fields, &place, &list)?)),
            _ => Err(fields.fault(&place, "An input must be a string or a list of tokens.")),
        }
    });
    Ok((inputs.collect::<Result<_, _>>()?, false))
}

fn tokens(fields: &Fields, place: &str, list: &[Value]) -> Result<Vec<u32>, Malformed> {
    let token = |value: &Value| value.as_u64().and_then(|token| token.try_into().ok());
    list.iter()
        .map(token)
        .collect::<Option<_>>()
        .ok_or_else(|| fields.fault(place, "Tokens must be whole numbers that are not negative."))
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: InputOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputOut<'a> {
    One(Each<'a>),
    Many(Vec<Each<'a>>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Each<'a> {
    Text(&'a str),
    Tokens(&'a [u32]),
}

fn each(input: &EmbeddingInput) -> Each<'_> {
    match input {
        EmbeddingInput::Text(text) => Each::Text(text),
        EmbeddingInput::Tokens(tokens) => Each::Tokens(tokens),
    }
}

/// Writes a request.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn write(request: &EmbeddingRequest, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let input = match request.inputs.as_slice() {
        [] => {
            let text = "OpenAI wants at least one input for vectors; send one.";
            return Err(Refused::new(Field::At("input".into()), text, PAGE));
        }
        [one] if request.single => InputOut::One(each(one)),
        all => InputOut::Many(all.iter().map(each).collect()),
    };
    let mut rest = Map::new();
    let dropped = ["options"];
    extra::carry(
        &request.extra,
        &KNOWN,
        &dropped,
        ("OpenAI's embeddings", PAGE),
        &mut rest,
    )?;
    Ok(to_vec(&Body {
        model: target.model,
        input,
        encoding_format: request.base64.then_some("base64"),
        dimensions: request.dimensions,
        user: request.user.as_deref(),
        rest,
    }))
}
