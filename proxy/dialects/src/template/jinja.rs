//! Custom templates, in Jinja as Hugging Face's `apply_chat_template` runs them.
//!
//! Source: [writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing). Blocks are trimmed
//! (`trim_blocks`, `lstrip_blocks`), Python's methods of strings, lists and maps are there, and so are `raise_exception`,
//! `strftime_now`, `break` and `continue`. Each rendering may take a million steps and write 64 MiB;
//! how much memory the texts take that it keeps in variables is not bounded, so a template's author is trusted not to double one for ever.

use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use serde_json::json;

use super::Custom;
use super::conversation::Turn;
use super::python;
use crate::form::{Field, Refused, Role};

/// The steps that one rendering may take. A conversation of a thousand messages takes about a tenth.
const FUEL: u64 = 1_000_000;

/// The longest prompt, in bytes: a step may write a whole message, so that steps alone would bound nothing.
const LONGEST: usize = 64 << 20;

const NAME: &str = "template";

/// A template is none. Its author's fault; the same again fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Faulty {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// A compiled template.
#[derive(Clone, Debug)]
pub(super) struct Jinja {
    environment: Arc<Environment<'static>>,
    bos: String,
    eos: String,
}

impl Jinja {
    /// Compiles a template.
    pub(super) fn compile(custom: Custom) -> Result<Self, Faulty> {
        let faulty = |fault: &Error| Faulty {
            line: fault.line().unwrap_or(1),
            message: said(fault),
        };
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|fault| faulty(&fault))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", python::to_json);
        environment.add_function("raise_exception", raise);
        let source = python::without_generation_marks(&custom.source);
        environment
            .add_template_owned(NAME, source)
            .map_err(|fault| faulty(&fault))?;
        Ok(Self {
            environment: Arc::new(environment),
            bos: custom.bos_token,
            eos: custom.eos_token,
        })
    }

    /// The prompt.
    pub(super) fn render(&self, turns: &[Turn], now: Timestamp) -> Result<String, Refused> {
        let continued = turns
            .last()
            .filter(|turn| turn.role == Role::Assistant && turn.calls.is_empty())
            .map(|turn| turn.text.trim())
            .filter(|text| !text.is_empty());
        let messages: Vec<serde_json::Value> = turns.iter().map(message).collect();
        let context = minijinja::context! {
            messages => Value::from(Serde(messages)),
            tools => (),
            documents => (),
            add_generation_prompt => continued.is_none(),
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            strftime_now => Value::from_function(move |format: String| python::strftime(&format, now)),
        };
        let template = self.environment.get_template(NAME);
        let mut prompt = Prompt::default();
        template
            .and_then(|template| template.render_captured_to(context, &mut prompt).map(drop))
            .map_err(|fault| refused(&fault))?;
        let mut prompt = String::from_utf8(prompt.0).unwrap_or_default();
        // What the template closes the last message with would keep the model from going on, so it is cut off.
        if let Some((text, at)) = continued.and_then(|text| Some((text, prompt.rfind(text)?))) {
            prompt.truncate(at + text.len());
        }
        Ok(prompt)
    }
}

/// What is written, up to [`LONGEST`].
#[derive(Default)]
struct Prompt(Vec<u8>);

impl Write for Prompt {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.0.len() + text.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message as templates expect it: content is one string, arguments are an object.
fn message(turn: &Turn) -> serde_json::Value {
    let role = match turn.role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut message = json!({"role": role, "content": turn.text});
    if !turn.calls.is_empty() {
        let calls = turn.calls.iter().map(|call| {
            let arguments = call.arguments.object().map(serde_json::Value::Object);
            let arguments = arguments.unwrap_or_else(|| call.arguments.as_text().into());
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
        });
        message["tool_calls"] = calls.collect();
    }
    if let Some((id, name)) = &turn.result {
        message["tool_call_id"] = id.as_str().into();
        if let Some(name) = name {
            message["name"] = name.as_str().into();
        }
    }
    message
}

fn raise(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

fn said(fault: &Error) -> String {
    let kind = fault.kind();
    fault
        .detail()
        .map_or_else(|| kind.to_string(), str::to_owned)
}

fn refused(fault: &Error) -> Refused {
    let message = match fault.kind() {
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => {
            "The conversation is too long for the prompt template; shorten it.".to_owned()
        }
        _ => format!(
            "The prompt template of the model's backend does not take the conversation: {}; change the conversation, or choose another model.",
            said(fault).trim_end_matches(['.', '!'])
        ),
    };
    Refused {
        field: Field::At("messages".into()),
        message,
        source: None,
    }
}
