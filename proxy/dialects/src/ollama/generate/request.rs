//! Generate requests: one prompt with its system message and images.
//!
//! Rules of the reader: `raw: false`, an empty `suffix`, `template` and `context` say nothing; a `template` or a `context` that
//! says something stays in `extra`, and no other dialect takes it. Rules of the writer are chat's; a prompt that is to stay as
//! it stands is sent `raw`, unless a system message or a suffix needs the model's template.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::codec::{Path, Target};
use crate::fields::Fields;
use crate::form::message::inline_bytes;
use crate::form::{Field, Malformed, Message, Part, Refused, Request, Role};
use crate::json;
use crate::ollama::{images, options};

const PAGE: &str = "https://docs.ollama.com/api/generate";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    prompt: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suffix: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    raw: bool,
    stream: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

pub(super) fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_request(body)?;
    let mut request = Request::default();
    let mut parts = images::read(&mut fields)?;
    let prompt = fields.string("prompt")?.unwrap_or_default();
    let system = fields.string("system")?.unwrap_or_default();
    if !prompt.is_empty() {
        parts.push(Part::text(prompt));
    }
    // Without a prompt only a model is loaded, whatever else there is.
    if !parts.is_empty() {
        if !system.is_empty() {
            let system = Message::text(Role::System, system, "system");
            request.messages.push(system);
        }
        request.messages.push(Message {
            role: Role::User,
            name: None,
            parts,
            at: "prompt".into(),
        });
    }
    request.raw = fields.bool("raw")?.unwrap_or(false);
    request.suffix = fields.string("suffix")?.filter(|text| !text.is_empty());
    let template = fields.string("template")?.filter(|text| !text.is_empty());
    let context = fields.list("context")?.filter(|list| !list.is_empty());
    options::read(fields, path, &mut request)?;
    let template = template.map(Value::from);
    options::put(&mut request.extra, "template", template);
    options::put(&mut request.extra, "context", context.map(Value::from));
    Ok(request)
}

pub(super) fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    let mut rest = Map::new();
    options::write(request, target.model, &mut rest)?;
    options::write_extra(request, &["template", "context"], &mut rest)?;
    if !request.tools.is_empty() {
        let message = "Ollama's generate has no tools; call a chat model.";
        return Err(Refused::new(Field::Tools(None), message, PAGE));
    }
    let mut body = Body {
        model: target.model,
        prompt: Cow::Borrowed(""),
        suffix: request.suffix.as_deref(),
        system: Cow::Borrowed(""),
        images: Vec::new(),
        raw: false,
        stream: target.stream,
        rest,
    };
    let mut asked = false;
    for message in &request.messages {
        let place = match message.role {
            Role::System | Role::Developer if !asked => &mut body.system,
            Role::User if !asked => {
                asked = true;
                &mut body.prompt
            }
            _ => {
                let message = Refused::new(
                    Field::At(message.at.clone()),
                    "Ollama's generate takes one prompt, with system messages before it; send a conversation to chat.",
                    PAGE,
                );
                return Err(message);
            }
        };
        for part in &message.parts {
            match part {
                Part::Text { text, .. } if place.is_empty() => *place = Cow::Borrowed(text),
                Part::Text { text, .. } => {
                    let place = place.to_mut();
                    place.push('\n');
                    place.push_str(text);
                }
                Part::Image { source, .. } => {
                    body.images.push(images::written(source, &message.at)?)
                }
                other => {
                    let said = format!(
                        "Ollama's generate takes text and images, and this is {}; leave it out, or choose another model.",
                        other.described()
                    );
                    return Err(Refused::new(Field::At(message.at.clone()), said, PAGE));
                }
            }
        }
    }
    body.raw = request.raw && body.system.is_empty() && body.suffix.is_none();
    Ok(json::to_vec_of(&body, inline_bytes(&request.messages)))
}
