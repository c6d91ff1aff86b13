//! Reads a request for a response.

use serde_json::Value;

use super::{items, tools};
use crate::codec::Path;
use crate::fields::Fields;
use crate::form::{Format, Logprobs, Malformed, Message, Reasoning, Request, Role, Sampling};
use crate::openai::chat::request::read::effort;

/// What `include` may ask of tools that OpenAI runs, which says nothing without them.
const OF_TOOLS: [&str; 6] = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "web_search_call.action.sources",
    "web_search_call.results",
];

/// Reads a request.
///
/// # Errors
/// [`Malformed`], naming the place.
pub fn read(body: &[u8], path: Path<'_>) -> Result<Request, Malformed> {
    let mut fields = Fields::of_request(body)?;
    stored(&mut fields)?;
    let named = fields.string("model")?;
    let model = match path.model {
        Some(model) => model.to_owned(),
        None => named.ok_or_else(|| fields.missing("model"))?,
    };
    let mut messages = Vec::new();
    if let Some(text) = fields.string("instructions")? {
        messages.push(Message::text(Role::System, text, "instructions"));
    }
    items::input(&mut fields, &mut messages)?;
    let said = fields.bool("stream")?.unwrap_or_default();
    let user = match fields.string("user")? {
        Some(user) => Some(user),
        None => fields.string("safety_identifier")?,
    };
    let (mut encrypted, mut probabilities) = (false, false);
    for (number, word) in fields.strings("include")?.into_iter().flatten().enumerate() {
        match word.as_str() {
            "reasoning.encrypted_content" => encrypted = true,
            "message.output_text.logprobs" => probabilities = true,
            word if OF_TOOLS.contains(&word) => {}
            word => {
                let message = format!("Nothing is known of {word:?}; leave it out.");
                return Err(Malformed::new(format!("include[{number}]"), message));
            }
        }
    }
    let top = fields.small("top_logprobs")?.filter(|top| *top > 0);
    let (format, verbosity) = text(&mut fields)?;
    fields.count("max_tool_calls")?;
    if let Some(mut options) = fields.object("stream_options")? {
        options.bool("include_obfuscation")?;
    }
    let mut request = Request {
        model,
        stream: path.stream.unwrap_or(said),
        stream_usage: true,
        messages,
        tools: tools::read(&mut fields)?,
        tool_choice: tools::choice(&mut fields)?,
        parallel_tool_calls: fields.bool("parallel_tool_calls")?,
        sampling: Sampling {
            temperature: fields.float("temperature")?,
            top_p: fields.float("top_p")?,
            ..Sampling::default()
        },
        max_tokens: fields.count("max_output_tokens")?,
        format,
        reasoning: reasoning(&mut fields)?,
        encrypted_reasoning: encrypted,
        logprobs: (probabilities || top.is_some()).then_some(Logprobs { top }),
        user,
        ..Request::default()
    };
    request.extra = fields.extra();
    if let Some(verbosity) = verbosity {
        request.extra.insert("verbosity".into(), verbosity);
    }
    Ok(request)
}

/// What needs a server that stores is a fault here.
fn stored(fields: &mut Fields) -> Result<(), Malformed> {
    let cure = [
        (
            "previous_response_id",
            "send the whole conversation in input",
        ),
        ("conversation", "send the whole conversation in input"),
        ("prompt", "send what it says in instructions and input"),
    ];
    for (name, cure) in cure {
        if fields.has(name) {
            let message = format!(
                "The field needs a backend that stores, and this model's does not; {cure}, or call a model whose backend relays the Responses API."
            );
            return Err(fields.fault(name, message));
        }
    }
    if fields.bool("background")? == Some(true) {
        let message = "A response cannot be made in the background: this model's backend stores none; send false, or stream it.";
        return Err(fields.fault("background", message));
    }
    Ok(())
}

fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, Malformed> {
    let mut reasoning = Reasoning::default();
    if let Some(mut object) = fields.object("reasoning")? {
        reasoning.effort = effort(&mut object, "effort")?;
        let older = object.string("generate_summary")?;
        reasoning.summary = object.string("summary")?.or(older);
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn text(fields: &mut Fields) -> Result<(Option<Format>, Option<Value>), Malformed> {
    let Some(mut text) = fields.object("text")? else {
        return Ok((None, None));
    };
    let verbosity = text.string("verbosity")?.map(Value::from);
    let Some(mut format) = text.object("format")? else {
        return Ok((None, verbosity));
    };
    let kind = format.required_string("type")?;
    let read = match kind.as_str() {
        "text" => Format::Text,
        "json_object" => Format::JsonObject,
        "json_schema" => {
            let schema = format.schema("schema")?;
            Format::JsonSchema {
                name: format.string("name")?,
                description: format.string("description")?,
                schema: schema.ok_or_else(|| format.missing("schema"))?,
                strict: format.bool("strict")?,
            }
        }
        other => {
            let message = format!(
                "The type must be \"text\", \"json_object\" or \"json_schema\", not {other:?}."
            );
            return Err(format.fault("type", message));
        }
    };
    Ok((Some(read), verbosity))
}
