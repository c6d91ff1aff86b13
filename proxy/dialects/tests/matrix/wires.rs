//! The dialects, and their requests.

use dragoman_dialects::form::{Malformed, Request};
use dragoman_dialects::{Codec, Path, Target, Wire};
use serde_json::{Map, Value};

/// A dialect in the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) wire: Wire,
    /// The name of its file of requests.
    pub(crate) file: &'static str,
    /// What its clients and servers are called.
    pub(crate) title: &'static str,
    /// The call.
    pub(crate) call: &'static str,
    /// The head of its column.
    pub(crate) column: &'static str,
    /// A model of the upstream's, since some dialects ask models differently.
    pub(crate) model: &'static str,
    /// Whether the path names the model.
    pub(crate) in_path: bool,
}

const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Dialects of clients and servers.
pub(crate) const SIDES: [Side; 11] = [
    Side {
        wire: Wire::Chat,
        file: "chat",
        title: "OpenAI's chat completions",
        call: "POST /v1/chat/completions",
        column: "Chat",
        model: "gpt-4o",
        in_path: false,
    },
    Side {
        wire: Wire::Completions,
        file: "completions",
        title: "OpenAI's text completions",
        call: "POST /v1/completions",
        column: "Compl.",
        model: "gpt-3.5-turbo-instruct",
        in_path: false,
    },
    Side {
        wire: Wire::Responses,
        file: "responses",
        title: "OpenAI's Responses API",
        call: "POST /v1/responses",
        column: "Resp.",
        model: "gpt-4o",
        in_path: false,
    },
    Side {
        wire: Wire::Messages,
        file: "messages",
        title: "Anthropic's messages",
        call: "POST /v1/messages",
        column: "Messages",
        model: "claude-sonnet-4-5",
        in_path: false,
    },
    Side {
        wire: Wire::OllamaChat,
        file: "ollama-chat",
        title: "Ollama's chat",
        call: "POST /api/chat",
        column: "O. chat",
        model: "gpt-oss",
        in_path: false,
    },
    Side {
        wire: Wire::OllamaGenerate,
        file: "ollama-generate",
        title: "Ollama's generate",
        call: "POST /api/generate",
        column: "O. gen.",
        model: "gpt-oss",
        in_path: false,
    },
    Side {
        wire: Wire::Gemini,
        file: "gemini",
        title: "Google's Gemini API",
        call: "POST /v1beta/models/{model}:generateContent",
        column: "Gemini",
        model: "gemini-2.5-flash",
        in_path: true,
    },
    Side {
        wire: Wire::Tgi,
        file: "tgi",
        title: "Text Generation Inference",
        call: "POST /generate",
        column: "TGI",
        model: "falcon",
        in_path: true,
    },
    Side {
        wire: Wire::BedrockInvoke,
        file: "invoke",
        title: "Bedrock's invoke with Anthropic's bodies",
        call: "POST /model/{model}/invoke",
        column: "Invoke",
        model: CLAUDE,
        in_path: true,
    },
    Side {
        wire: Wire::BedrockConverse,
        file: "converse",
        title: "Bedrock's Converse",
        call: "POST /model/{model}/converse",
        column: "Converse",
        model: CLAUDE,
        in_path: true,
    },
    Side {
        wire: Wire::BedrockText,
        file: "bedrock-text",
        title: "Bedrock's invoke with Claude 2's text completions",
        call: "POST /model/{model}/invoke",
        column: "Claude 2",
        model: "anthropic.claude-v2:1",
        in_path: true,
    },
];

/// Dialects that no server speaks.
pub(crate) const CONVERSATIONS: [Side; 2] = [
    Side {
        wire: Wire::Conversation,
        file: "conversation",
        title: "the Conversation API's statements",
        call: "POST /conversation_with_model",
        column: "Convers.",
        model: "m",
        in_path: false,
    },
    Side {
        wire: Wire::ConversationChat,
        file: "conversation-chat",
        title: "the Conversation API's chat",
        call: "POST /chat",
        column: "C. chat",
        model: "m",
        in_path: false,
    },
];

/// Whoever asks.
pub(crate) fn clients() -> impl Iterator<Item = &'static Side> {
    SIDES.iter().chain(&CONVERSATIONS)
}

/// What clients ask, in the order of the tables.
pub(crate) const FEATURES: [&str; 41] = [
    "text",
    "system",
    "developer",
    "several turns",
    "answer begun",
    "no max tokens",
    "tools",
    "one call at a time",
    "no tool",
    "any tool",
    "forced tool",
    "some tools",
    "calls and results",
    "failed result",
    "reasoning amid calls",
    "vendor tool",
    "image inline",
    "image URL",
    "PDF",
    "uploaded file",
    "audio",
    "reasoning",
    "no reasoning",
    "encrypted reasoning",
    "effort",
    "earlier reasoning",
    "JSON schema",
    "JSON object",
    "temperature, top_p",
    "temperature 1.5",
    "top_k",
    "stop",
    "n = 2",
    "seed",
    "logprobs",
    "frequency, presence penalties",
    "suffix",
    "who asks",
    "cache mark",
    "num_ctx, keep_alive",
    "unknown field",
];

impl Side {
    pub(crate) fn codec(&self) -> &'static dyn Codec {
        self.wire.codec()
    }

    /// Its requests: the plain one first, then each with what its feature adds.
    pub(crate) fn requests(&self) -> Vec<(&'static str, Value)> {
        let features = self.features();
        let plain = features[0].1.clone();
        let each = features.into_iter().map(|(feature, patch)| {
            let mut request = plain.clone();
            merge(&mut request, patch);
            (feature, request)
        });
        each.collect()
    }

    /// The plain request, then what each feature adds to it.
    pub(crate) fn features(&self) -> Vec<(&'static str, Value)> {
        let mut patches = self.patches();
        let said = FEATURES
            .iter()
            .filter_map(|feature| Some((*feature, patches.shift_remove(*feature)?)));
        let features = said.collect();
        assert!(
            patches.is_empty(),
            "{}: no such feature: {patches:?}",
            self.file
        );
        features
    }

    fn patches(&self) -> Map<String, Value> {
        // Bedrock's bodies of Anthropic's differ in the version that they name and in the path that names the model.
        let bedrock = self.wire == Wire::BedrockInvoke;
        let mut patches = match self.wire {
            Wire::BedrockInvoke => file("messages"),
            // OpenAI's, but for what is its own.
            Wire::ConversationChat => file("chat"),
            _ => Map::new(),
        };
        if !bedrock {
            patches.extend(file(self.file));
        }
        if bedrock {
            patches.shift_remove("who asks");
            let plain = patches["text"].as_object_mut().unwrap();
            plain.shift_remove("model");
            plain.insert("anthropic_version".into(), "bedrock-2023-05-31".into());
        }
        patches
    }

    pub(crate) fn read(&self, body: &[u8]) -> Result<Request, Malformed> {
        let path = Path {
            model: self.in_path.then_some(self.model),
            stream: None,
        };
        self.codec().read_request(body, path)
    }

    pub(crate) fn target(&self) -> Target<'static> {
        Target {
            model: self.model,
            stream: false,
        }
    }
}

/// What a file of requests says. They are part of the test, which the tests of the whole system share.
fn file(name: &str) -> Map<String, Value> {
    let text = match name {
        "bedrock-text" => include_str!("requests/bedrock-text.json"),
        "chat" => include_str!("requests/chat.json"),
        "completions" => include_str!("requests/completions.json"),
        "conversation" => include_str!("requests/conversation.json"),
        "conversation-chat" => include_str!("requests/conversation-chat.json"),
        "converse" => include_str!("requests/converse.json"),
        "gemini" => include_str!("requests/gemini.json"),
        "messages" => include_str!("requests/messages.json"),
        "ollama-chat" => include_str!("requests/ollama-chat.json"),
        "ollama-generate" => include_str!("requests/ollama-generate.json"),
        "responses" => include_str!("requests/responses.json"),
        "tgi" => include_str!("requests/tgi.json"),
        _ => panic!("{name} has no requests"),
    };
    serde_json::from_str(text).unwrap()
}

/// Adds what a patch says, as [RFC 7396](https://www.rfc-editor.org/rfc/rfc7396) has it: objects member by member, `null` takes away.
pub(crate) fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    into.shift_remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch,
    }
}
