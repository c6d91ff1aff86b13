//! Requests for vectors.
//!
//! Read: a content of several texts is one input, which the vendor joins too; one of anything else is refused. What a batch says of its task, its length and its
//! title must be the same for all its contents. Written: texts alone. Left out: `user`, `keep_alive`, whether inputs are cut, and base64.

use serde_json::{Map, Value, json};

use crate::codec::{Path, Target};
use crate::extra;
use crate::fields::Fields;
use crate::form::message::joined_text;
use crate::form::{EmbeddingInput, EmbeddingRequest, Field, Malformed, Part, Refused};
use crate::gemini::calls::Calls;
use crate::gemini::parts;
use crate::gemini::spelling::{camel, object, objects};

const PAGE: &str = "https://ai.google.dev/api/embeddings";

/// Fields of the dialect's own that the form does not know.
const KNOWN: [&str; 2] = ["taskType", "title"];

/// One content, and what is wanted of it.
#[derive(PartialEq)]
struct Wanted {
    dimensions: Option<u32>,
    extra: Map<String, Value>,
}

fn one(mut body: Fields) -> Result<(String, Wanted), Malformed> {
    body.value("model");
    let mut content = object(&mut body, "content")?.ok_or_else(|| body.missing("content"))?;
    let read = parts::read(&mut content, &mut Calls::default())?;
    if let Some(other) = read.iter().find(|part| !matches!(part, Part::Text { .. })) {
        let message = format!(
            "Vectors are made of text here, not of {}.",
            other.described()
        );
        return Err(content.fault("parts", message));
    }
    let dimensions = body.small("outputDimensionality")?;
    content.ignore(&["role"]);
    drop(content);
    let extra = body.extra();
    Ok((joined_text(&read), Wanted { dimensions, extra }))
}

fn model(body: &Fields, path: Path<'_>) -> Result<String, Malformed> {
    let model = path.model.ok_or_else(|| body.missing("model"))?;
    Ok(model.strip_prefix("models/").unwrap_or(model).to_owned())
}

/// Reads a request of `embedContent`.
///
/// # Errors
/// [`Malformed`], naming the place.
pub fn read_one(body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
    let body = camel(Fields::of_request(body)?)?;
    let model = model(&body, path)?;
    let (text, wanted) = one(body)?;
    Ok(EmbeddingRequest {
        model,
        inputs: vec![EmbeddingInput::Text(text)],
        single: true,
        dimensions: wanted.dimensions,
        extra: wanted.extra,
        ..EmbeddingRequest::default()
    })
}

/// Reads a request of `batchEmbedContents`.
///
/// # Errors
/// [`Malformed`], naming the place.
pub fn read_batch(body: &[u8], path: Path<'_>) -> Result<EmbeddingRequest, Malformed> {
    let mut body = camel(Fields::of_request(body)?)?;
    let mut request = EmbeddingRequest {
        model: model(&body, path)?,
        ..EmbeddingRequest::default()
    };
    let mut first: Option<Wanted> = None;
    for each in objects(&mut body, "requests")? {
        let at = each.at().to_owned();
        let (text, wanted) = one(each)?;
        request.inputs.push(EmbeddingInput::Text(text));
        if *first.get_or_insert(Wanted {
            dimensions: wanted.dimensions,
            extra: wanted.extra.clone(),
        }) != wanted
        {
            let message = "All contents of a batch must ask for the same here; send those that do not in another.";
            return Err(Malformed::new(at, message));
        }
    }
    let Some(wanted) = first else {
        return Err(body.fault("requests", "The list must hold at least one request."));
    };
    request.dimensions = wanted.dimensions;
    request.extra = wanted.extra;
    Ok(request)
}

fn written(
    input: &EmbeddingInput,
    number: usize,
    request: &EmbeddingRequest,
) -> Result<Map<String, Value>, Refused> {
    let EmbeddingInput::Text(text) = input else {
        let place = Field::At(format!("input[{number}]"));
        let message = "Gemini takes text, not tokens; send the text itself.";
        return Err(Refused::new(place, message, PAGE));
    };
    let mut body = Map::new();
    body.insert("content".into(), json!({"parts": [{"text": text}]}));
    if let Some(dimensions) = request.dimensions {
        body.insert("outputDimensionality".into(), dimensions.into());
    }
    extra::carry(
        &request.extra,
        &KNOWN,
        &[],
        ("Gemini's embeddings", PAGE),
        &mut body,
    )?;
    Ok(body)
}

/// Writes a request of `embedContent`.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn write_one(request: &EmbeddingRequest) -> Result<Vec<u8>, Refused> {
    let [input] = request.inputs.as_slice() else {
        let message = "Gemini's embedContent takes one input; send one at a time.";
        return Err(Refused::new(Field::At("input".into()), message, PAGE));
    };
    let body = written(input, 0, request)?;
    Ok(Value::Object(body).to_string().into_bytes())
}

/// Writes a request of `batchEmbedContents`, in which each content names the model again.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn write_batch(request: &EmbeddingRequest, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let model = target.model;
    let model = model.strip_prefix("models/").unwrap_or(model);
    if request.inputs.is_empty() {
        let message = "Gemini wants at least one input for vectors; send one.";
        return Err(Refused::new(Field::At("input".into()), message, PAGE));
    }
    let each = request.inputs.iter().enumerate();
    let requests = each.map(|(number, input)| {
        let mut body = written(input, number, request)?;
        body.insert("model".into(), format!("models/{model}").into());
        Ok(Value::Object(body))
    });
    let requests: Vec<Value> = requests.collect::<Result<_, Refused>>()?;
    Ok(json!({"requests": requests}).to_string().into_bytes())
}
