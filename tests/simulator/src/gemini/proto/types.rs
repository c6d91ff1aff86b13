//! The messages of the API, field by field.
//!
//! Sources: [REST reference](https://ai.google.dev/api/generate-content), the converters of
//! [the Python SDK](https://github.com/googleapis/python-genai) (`google/genai/models.py`).

use super::{Kind, Message};

const STRINGS: Kind = Kind::List(&Kind::Text);

/// `GenerateContentRequest`.
pub(in crate::gemini) static GENERATE: Message = Message {
    name: "GenerateContentRequest",
    fields: &[
        ("model", Kind::Text),
        ("contents", Kind::List(&Kind::Message(&CONTENT))),
        ("system_instruction", Kind::Message(&CONTENT)),
        ("tools", Kind::List(&Kind::Message(&TOOL))),
        ("tool_config", Kind::Message(&TOOL_CONFIG)),
        ("safety_settings", Kind::List(&Kind::Message(&SAFETY))),
        ("generation_config", Kind::Message(&CONFIG)),
        ("cached_content", Kind::Text),
        ("service_tier", Kind::Any),
        ("store", Kind::Bool),
        ("labels", Kind::Struct),
    ],
    one: &[],
};

/// `CountTokensRequest`.
pub(in crate::gemini) static COUNT: Message = Message {
    name: "CountTokensRequest",
    fields: &[
        ("model", Kind::Text),
        ("contents", Kind::List(&Kind::Message(&CONTENT))),
        ("generate_content_request", Kind::Message(&GENERATE)),
    ],
    one: &[],
};

/// `EmbedContentRequest`.
pub(in crate::gemini) static EMBED: Message = Message {
    name: "EmbedContentRequest",
    fields: &[
        ("model", Kind::Text),
        ("content", Kind::Message(&CONTENT)),
        (
            "task_type",
            Kind::Enum(
                "TaskType",
                &[
                    "TASK_TYPE_UNSPECIFIED",
                    "RETRIEVAL_QUERY",
                    "RETRIEVAL_DOCUMENT",
                    "SEMANTIC_SIMILARITY",
                    "CLASSIFICATION",
                    "CLUSTERING",
                    "QUESTION_ANSWERING",
                    "FACT_VERIFICATION",
                    "CODE_RETRIEVAL_QUERY",
                ],
            ),
        ),
        ("title", Kind::Text),
        ("output_dimensionality", Kind::Int),
    ],
    one: &[],
};

/// `BatchEmbedContentsRequest`.
pub(in crate::gemini) static BATCH: Message = Message {
    name: "BatchEmbedContentsRequest",
    fields: &[
        ("model", Kind::Text),
        ("requests", Kind::List(&Kind::Message(&EMBED))),
    ],
    one: &[],
};

static CONTENT: Message = Message {
    name: "Content",
    fields: &[
        ("role", Kind::Text),
        ("parts", Kind::List(&Kind::Message(&PART))),
    ],
    one: &[],
};

/// What a part may hold, one of them.
pub(in crate::gemini) const DATA: &[&str] = &[
    "text",
    "inline_data",
    "file_data",
    "function_call",
    "function_response",
    "executable_code",
    "code_execution_result",
    "tool_call",
    "tool_response",
];

static PART: Message = Message {
    name: "Part",
    fields: &[
        ("text", Kind::Text),
        ("inline_data", Kind::Message(&BLOB)),
        ("file_data", Kind::Message(&FILE)),
        ("function_call", Kind::Message(&CALL)),
        ("function_response", Kind::Message(&RESPONSE)),
        ("executable_code", Kind::Message(&CODE)),
        ("code_execution_result", Kind::Message(&RESULT)),
        ("tool_call", Kind::Struct),
        ("tool_response", Kind::Struct),
        ("thought", Kind::Bool),
        ("thought_signature", Kind::Bytes),
        ("part_metadata", Kind::Struct),
        ("video_metadata", Kind::Struct),
        ("media_resolution", Kind::Any),
    ],
    one: DATA,
};

static BLOB: Message = Message {
    name: "Blob",
    fields: &[("mime_type", Kind::Text), ("data", Kind::Bytes)],
    one: &[],
};

static FILE: Message = Message {
    name: "FileData",
    fields: &[("mime_type", Kind::Text), ("file_uri", Kind::Text)],
    one: &[],
};

static CALL: Message = Message {
    name: "FunctionCall",
    fields: &[
        ("id", Kind::Text),
        ("name", Kind::Text),
        ("args", Kind::Struct),
    ],
    one: &[],
};

static RESPONSE: Message = Message {
    name: "FunctionResponse",
    fields: &[
        ("id", Kind::Text),
        ("name", Kind::Text),
        ("response", Kind::Struct),
        ("parts", Kind::List(&Kind::Message(&RESPONSE_PART))),
        ("will_continue", Kind::Bool),
        ("scheduling", Kind::Any),
    ],
    one: &[],
};

static RESPONSE_PART: Message = Message {
    name: "FunctionResponsePart",
    fields: &[("inline_data", Kind::Message(&BLOB))],
    one: &[],
};

static CODE: Message = Message {
    name: "ExecutableCode",
    fields: &[
        ("id", Kind::Text),
        (
            "language",
            Kind::Enum("Language", &["LANGUAGE_UNSPECIFIED", "PYTHON"]),
        ),
        ("code", Kind::Text),
    ],
    one: &[],
};

static RESULT: Message = Message {
    name: "CodeExecutionResult",
    fields: &[
        ("id", Kind::Text),
        (
            "outcome",
            Kind::Enum(
                "Outcome",
                &[
                    "OUTCOME_UNSPECIFIED",
                    "OUTCOME_OK",
                    "OUTCOME_FAILED",
                    "OUTCOME_DEADLINE_EXCEEDED",
                ],
            ),
        ),
        ("output", Kind::Text),
    ],
    one: &[],
};

static TOOL: Message = Message {
    name: "Tool",
    fields: &[
        (
            "function_declarations",
            Kind::List(&Kind::Message(&DECLARATION)),
        ),
        ("google_search_retrieval", Kind::Struct),
        ("code_execution", Kind::Struct),
        ("google_search", Kind::Struct),
        ("google_maps", Kind::Struct),
        ("computer_use", Kind::Struct),
        ("url_context", Kind::Struct),
        ("file_search", Kind::Struct),
        ("mcp_servers", Kind::List(&Kind::Struct)),
    ],
    one: &[],
};

static DECLARATION: Message = Message {
    name: "FunctionDeclaration",
    fields: &[
        ("name", Kind::Text),
        ("description", Kind::Text),
        (
            "behavior",
            Kind::Enum("Behavior", &["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"]),
        ),
        ("parameters", Kind::Message(&SCHEMA)),
        ("parameters_json_schema", Kind::Any),
        ("response", Kind::Message(&SCHEMA)),
        ("response_json_schema", Kind::Any),
    ],
    one: &[],
};

/// A part of OpenAPI 3.0's: not JSON Schema's.
static SCHEMA: Message = Message {
    name: "Schema",
    fields: &[
        (
            "type",
            Kind::Enum(
                "Type",
                &[
                    "TYPE_UNSPECIFIED",
                    "STRING",
                    "NUMBER",
                    "INTEGER",
                    "BOOLEAN",
                    "ARRAY",
                    "OBJECT",
                    "NULL",
                ],
            ),
        ),
        ("format", Kind::Text),
        ("title", Kind::Text),
        ("description", Kind::Text),
        ("nullable", Kind::Bool),
        ("enum", STRINGS),
        ("items", Kind::Message(&SCHEMA)),
        ("max_items", Kind::Int),
        ("min_items", Kind::Int),
        ("properties", Kind::Map(&Kind::Message(&SCHEMA))),
        ("required", STRINGS),
        ("min_properties", Kind::Int),
        ("max_properties", Kind::Int),
        ("minimum", Kind::Float),
        ("maximum", Kind::Float),
        ("min_length", Kind::Int),
        ("max_length", Kind::Int),
        ("pattern", Kind::Text),
        ("example", Kind::Any),
        ("any_of", Kind::List(&Kind::Message(&SCHEMA))),
        ("property_ordering", STRINGS),
        ("default", Kind::Any),
    ],
    one: &[],
};

static TOOL_CONFIG: Message = Message {
    name: "ToolConfig",
    fields: &[
        ("function_calling_config", Kind::Message(&CALLING)),
        ("retrieval_config", Kind::Struct),
        ("include_server_side_tool_invocations", Kind::Bool),
    ],
    one: &[],
};

static CALLING: Message = Message {
    name: "FunctionCallingConfig",
    fields: &[
        (
            "mode",
            Kind::Enum(
                "Mode",
                &["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"],
            ),
        ),
        ("allowed_function_names", STRINGS),
    ],
    one: &[],
};

static SAFETY: Message = Message {
    name: "SafetySetting",
    fields: &[
        (
            "category",
            Kind::Enum(
                "HarmCategory",
                &[
                    "HARM_CATEGORY_UNSPECIFIED",
                    "HARM_CATEGORY_HARASSMENT",
                    "HARM_CATEGORY_HATE_SPEECH",
                    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
                    "HARM_CATEGORY_DANGEROUS_CONTENT",
                    "HARM_CATEGORY_CIVIC_INTEGRITY",
                ],
            ),
        ),
        (
            "threshold",
            Kind::Enum(
                "HarmBlockThreshold",
                &[
                    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
                    "BLOCK_LOW_AND_ABOVE",
                    "BLOCK_MEDIUM_AND_ABOVE",
                    "BLOCK_ONLY_HIGH",
                    "BLOCK_NONE",
                    "OFF",
                ],
            ),
        ),
    ],
    one: &[],
};

static CONFIG: Message = Message {
    name: "GenerationConfig",
    fields: &[
        ("stop_sequences", STRINGS),
        ("response_mime_type", Kind::Text),
        ("response_schema", Kind::Message(&SCHEMA)),
        ("response_json_schema", Kind::Any),
        (
            "response_modalities",
            Kind::List(&Kind::Enum(
                "Modality",
                &["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"],
            )),
        ),
        ("candidate_count", Kind::Int),
        ("max_output_tokens", Kind::Int),
        ("temperature", Kind::Float),
        ("top_p", Kind::Float),
        ("top_k", Kind::Int),
        ("seed", Kind::Int),
        ("presence_penalty", Kind::Float),
        ("frequency_penalty", Kind::Float),
        ("response_logprobs", Kind::Bool),
        ("logprobs", Kind::Int),
        ("enable_enhanced_civic_answers", Kind::Bool),
        ("speech_config", Kind::Struct),
        ("image_config", Kind::Struct),
        ("audio_transcription_config", Kind::Struct),
        ("media_resolution", Kind::Any),
        ("thinking_config", Kind::Message(&THINKING)),
    ],
    one: &[],
};

static THINKING: Message = Message {
    name: "ThinkingConfig",
    fields: &[
        ("include_thoughts", Kind::Bool),
        ("thinking_budget", Kind::Int),
        (
            "thinking_level",
            Kind::Enum(
                "ThinkingLevel",
                &[
                    "THINKING_LEVEL_UNSPECIFIED",
                    "MINIMAL",
                    "LOW",
                    "MEDIUM",
                    "HIGH",
                ],
            ),
        ),
    ],
    one: &[],
};
