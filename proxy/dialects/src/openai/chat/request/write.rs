//! Writes a request for a chat completion.

use serde_json::{Map, Value, json};

use super::messages_out::{MESSAGES, message};
use super::out::{Body, Function, ToolOut};
use crate::codec::Target;
use crate::extra;
use crate::form::message::inline_bytes;
use crate::form::{Effort, Field, Format, Refused, Request, Tool, ToolChoice};
use crate::json::to_vec_of;
use crate::openai::models::{drop_foreign, openai_reasoning};

const PAGE: &str = "https://platform.openai.com/docs/api-reference/chat/create";

/// Fields beyond the form: OpenAI's own, then those of [vLLM](https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html),
/// SGLang, llama.cpp, Mistral and OpenRouter. The first [`OF_CHAT_ALONE`] are of no
/// [text completion](https://platform.openai.com/docs/api-reference/completions/create).
pub(crate) const KNOWN: [&str; 66] = [
    "audio",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
    "web_search_options",
    "stream_options",
    // vLLM and SGLang.
    "add_generation_prompt",
    "add_special_tokens",
    "allowed_token_ids",
    "bad_words",
    "best_of",
    "cache_salt",
    "chat_template",
    "chat_template_kwargs",
    "continue_final_message",
    "documents",
    "echo",
    "ebnf",
    "guided_choice",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "guided_whitespace_pattern",
    "ignore_eos",
    "include_reasoning",
    "include_stop_str_in_output",
    "length_penalty",
    "lora_path",
    "min_tokens",
    "mm_processor_kwargs",
    "no_stop_trim",
    "priority",
    "prompt_logprobs",
    "regex",
    "return_token_ids",
    "separate_reasoning",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop_token_ids",
    "stream_reasoning",
    "structured_outputs",
    "truncate_prompt_tokens",
    "use_beam_search",
    // llama.cpp.
    "cache_prompt",
    "grammar",
    "n_probs",
    "reasoning_format",
    "thinking_forced_open",
    // DeepSeek, Qwen, GLM, Mistral.
    "enable_thinking",
    "prompt_mode",
    "random_seed",
    "safe_prompt",
    "thinking",
    "thinking_budget",
    // OpenRouter.
    "models",
    "plugins",
    "provider",
    "transforms",
];

/// How many of [`KNOWN`] text completions lack: OpenAI refuses them there.
pub(crate) const OF_CHAT_ALONE: usize = 13;

/// Writes a request.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn write(request: &Request, target: Target<'_>) -> Result<Vec<u8>, Refused> {
    if request.suffix.is_some() {
        let text = "Chat completions cannot fill a gap before a suffix; remove the field, or call a completions model.";
        return Err(Refused::new(Field::Suffix, text, PAGE));
    }
    if request.messages.is_empty() {
        let place = Field::At("messages".into());
        let text = "Chat completions need at least one message; send one.";
        return Err(Refused::new(place, text, PAGE));
    }
    anew(request, "OpenAI's chat completions answer", MESSAGES)?;
    let own = openai_reasoning(target.model);
    let mut messages = Vec::with_capacity(request.messages.len());
    for each in &request.messages {
        message(each, own, &mut messages)?;
    }
    let tools = request.tools.iter().enumerate();
    let body = Body {
        model: target.model,
        messages,
        tools: tools.map(tool).collect::<Result<_, _>>()?,
        rest: rest(request, target, own)?,
    };
    Ok(to_vec_of(&body, inline_bytes(&request.messages)))
}

/// Refuses an answer that the client has begun: here the model would give another one, from its beginning.
pub(crate) fn anew(request: &Request, who: &str, page: &'static str) -> Result<(), Refused> {
    let last = request.messages.last().filter(|_| request.continued);
    last.map_or(Ok(()), |last| {
        let text = format!(
            "{who} anew instead of continuing the model's own last message; leave it out, or call a model whose backend continues it (Anthropic's, Bedrock's, Gemini's, Ollama's or TGI's dialect)."
        );
        Err(Refused::new(Field::At(last.at.clone()), text, page))
    })
}

fn tool((number, tool): (usize, &Tool)) -> Result<ToolOut<'_>, Refused> {
    match tool {
        Tool::Function {
            name,
            description,
            parameters,
            strict,
            ..
        } => Ok(ToolOut::Function {
            kind: "function",
            function: Function {
                name,
                description: description.as_deref(),
                parameters: parameters.as_ref(),
                strict: *strict,
            },
        }),
        // The Responses API has a type of this name too, without the object.
        Tool::Other { kind, value } if kind == "custom" && value.get("custom").is_some() => {
            Ok(ToolOut::Other(value))
        }
        Tool::Other { kind, .. } => {
            let text = format!(
                "OpenAI's chat completions have no tool of type {kind:?}; remove it, or offer a function of your own."
            );
            Err(Refused::new(Field::Tools(Some(number)), text, PAGE))
        }
    }
}

fn rest(request: &Request, target: Target<'_>, own: bool) -> Result<Map<String, Value>, Refused> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("stream", target.stream.then_some(Value::Bool(true)));
    let usage = target.stream && request.stream_usage;
    put(
        "stream_options",
        usage.then(|| json!({"include_usage": true})),
    );
    let choice = request.tool_choice.as_ref();
    put(
        "tool_choice",
        choice.map(|choice| tool_choice(choice, &request.tools)),
    );
    put(
        "parallel_tool_calls",
        request.parallel_tool_calls.map(Value::from),
    );
    let limit = if own {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    put(limit, request.max_tokens.map(Value::from));
    put("n", request.n.map(Value::from));
    let stop = (!request.stop.is_empty()).then(|| json!(request.stop));
    put("stop", stop);
    put(
        "response_format",
        request.format.as_ref().map(format).transpose()?,
    );
    let effort = effort(request, target.model);
    put(
        "reasoning_effort",
        effort.map(|effort| effort.openai().into()),
    );
    put("logprobs", request.logprobs.map(|_| true.into()));
    let top = request.logprobs.and_then(|logprobs| logprobs.top);
    put("top_logprobs", top.map(Value::from));
    put("user", request.user.as_deref().map(Value::from));
    sampling(request, &mut put);
    let carried = &request.extra;
    // The option that we ask for is joined to those that the client sent.
    let options = carried.get("stream_options").and_then(Value::as_object);
    if let (Some(Value::Object(ours)), Some(theirs)) = (out.get_mut("stream_options"), options) {
        ours.extend(theirs.clone());
    }
    extra::carry(
        carried,
        &KNOWN,
        &[],
        ("OpenAI's chat completions", PAGE),
        &mut out,
    )?;
    drop_foreign(&mut out);
    Ok(out)
}

pub(crate) fn sampling(request: &Request, put: &mut impl FnMut(&str, Option<Value>)) {
    let sampling = &request.sampling;
    put("temperature", sampling.temperature.map(Value::from));
    put("top_p", sampling.top_p.map(Value::from));
    put("top_k", sampling.top_k.map(Value::from));
    put("min_p", sampling.min_p.map(Value::from));
    put("typical_p", sampling.typical_p.map(Value::from));
    put("seed", sampling.seed.map(Value::from));
    let penalty = sampling.frequency_penalty;
    put("frequency_penalty", penalty.map(Value::from));
    let penalty = sampling.presence_penalty;
    put("presence_penalty", penalty.map(Value::from));
    let penalty = sampling.repetition_penalty;
    put("repetition_penalty", penalty.map(Value::from));
    let bias = sampling.logit_bias.clone();
    put("logit_bias", bias.map(Value::Object));
}

/// A wish without an amount is left to the model's default: most servers refuse a word that their model does not know.
/// That of an answer for which no reasoning was asked is told to OpenAI's own models that always reason.
pub(crate) fn effort(request: &Request, model: &str) -> Option<Effort> {
    let Some(reasoning) = &request.reasoning else {
        return request.effort.filter(|_| openai_reasoning(model));
    };
    reasoning
        .effort
        .or_else(|| reasoning.budget_tokens.map(Effort::of_budget))
        .filter(|_| reasoning.enabled != Some(false))
}

fn tool_choice(choice: &ToolChoice, tools: &[Tool]) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name, tools),
        ToolChoice::Allowed { names, required } => {
            let tools: Vec<Value> = names.iter().map(|name| named(name, tools)).collect();
            let mode = if *required { "required" } else { "auto" };
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        }
    }
}

fn named(name: &str, tools: &[Tool]) -> Value {
    let custom = tools.iter().any(|tool| {
        matches!(tool, Tool::Other { value, .. } if value.pointer("/custom/name").is_some_and(|of| of == name))
    });
    let kind = if custom { "custom" } else { "function" };
    json!({"type": kind, kind: {"name": name}})
}

pub(crate) fn format(format: &Format) -> Result<Value, Refused> {
    Ok(match format {
        Format::Text => json!({"type": "text"}),
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            let mut inner = json!({"name": name.as_deref().unwrap_or("response")});
            if let Some(description) = description {
                inner["description"] = description.as_str().into();
            }
            inner["schema"] = schema.clone();
            if let Some(strict) = strict {
                inner["strict"] = (*strict).into();
            }
            json!({"type": "json_schema", "json_schema": inner})
        }
        Format::Regex(_) => {
            let text = "OpenAI cannot hold a reply to a regular expression; use a JSON schema.";
            return Err(Refused::new(Field::Format, text, PAGE));
        }
    })
}
