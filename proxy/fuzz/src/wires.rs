//! Every wire format, and how its requests, replies and streams are read and written here.

use dragoman_dialects::form::{Event, Malformed, Request};
use dragoman_dialects::{Codec, Context, Path, Target, Wire};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A wire format, with what its server is asked with.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// The format.
    pub wire: Wire,
    /// A model of such a server, since some dialects ask models differently.
    pub model: &'static str,
    /// Whether the path names the model.
    pub in_path: bool,
}

const fn side(wire: Wire, model: &'static str, in_path: bool) -> Side {
    Side {
        wire,
        model,
        in_path,
    }
}

const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

/// All of them. Seeds name them by their place, so that a new one goes to the end.
pub const SIDES: [Side; 13] = [
    side(Wire::Chat, "gpt-4o", false),
    side(Wire::Completions, "gpt-3.5-turbo-instruct", false),
    side(Wire::Responses, "gpt-4o", false),
    side(Wire::Messages, "claude-sonnet-4-5", false),
    side(Wire::OllamaChat, "gpt-oss", false),
    side(Wire::OllamaGenerate, "gpt-oss", false),
    side(Wire::Gemini, "gemini-2.5-flash", true),
    side(Wire::Tgi, "falcon", true),
    side(Wire::BedrockInvoke, CLAUDE, true),
    side(Wire::BedrockConverse, CLAUDE, true),
    side(Wire::BedrockText, "anthropic.claude-v2:1", true),
    side(Wire::Conversation, "chat", false),
    side(Wire::ConversationChat, "chat", false),
];

impl Side {
    /// The one that a byte of the input chooses.
    #[must_use]
    pub fn chosen(byte: u8) -> &'static Self {
        &SIDES[usize::from(byte) % SIDES.len()]
    }

    /// Its readers and writers.
    #[must_use]
    pub fn codec(&self) -> &'static dyn Codec {
        self.wire.codec()
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`Malformed`], as the codec has it.
    pub fn read(&self, body: &[u8]) -> Result<Request, Malformed> {
        let path = Path {
            model: self.in_path.then_some(self.model),
            stream: None,
        };
        self.codec().read_request(body, path)
    }

    /// What a request is written for.
    #[must_use]
    pub fn target(&self, stream: bool) -> Target<'static> {
        Target {
            model: self.model,
            stream,
        }
    }

    /// Writes events as a stream.
    #[must_use]
    pub fn stream(&self, events: &[Event<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = self.codec().stream_writer(&context());
        for event in events {
            writer.write(event.clone(), &now, &mut out);
        }
        out
    }
}

/// What replies are written with: always the same, so that a finding can be repeated.
#[must_use]
pub fn context() -> Context {
    Context {
        request_id: "019aa5c0-0000-7000-8000-000000000001".into(),
        model: "chat".into(),
        started: Timestamp::UNIX_EPOCH,
        stream_usage: true,
        reasoning: true,
        echo: Map::new(),
    }
}

/// A clock that stands still.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// What was written as JSON.
///
/// # Panics
/// If it is none.
#[allow(
    clippy::must_use_candidate,
    reason = "often only asked whether it panics"
)]
pub fn json(written: &[u8]) -> Value {
    serde_json::from_slice(written)
        .unwrap_or_else(|fault| panic!("no JSON: {fault}: {}", String::from_utf8_lossy(written)))
}

/// Whether two values say the same. Numbers may differ in their last digits: serde_json reads them quickly, not to the last bit.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other
                || one
                    .as_f64()
                    .zip(other.as_f64())
                    .is_some_and(|(one, other)| (one - other).abs() <= one.abs() * 1e-14)
        }
        _ => one == other,
    }
}
