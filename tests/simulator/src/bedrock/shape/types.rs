//! The shapes of a conversation, member by member.
//!
//! Source: the service's model, as [botocore](https://github.com/boto/botocore) carries it
//! (`botocore/data/bedrock-runtime/2023-09-30/service-2.json`, `ConverseRequest`).

use super::{Shape, Structure};

const TEXT: Shape = Shape::text(0, usize::MAX, "");
const SOME_TEXT: Shape = Shape::text(1, usize::MAX, "");
const TOOL_NAME: Shape = Shape::text(1, 64, "_-");
const TOOL_USE_ID: Shape = Shape::text(1, 64, "_.:-");

const fn structure(
    name: &'static str,
    members: &'static [(&'static str, Shape)],
    required: &'static [&'static str],
) -> Structure {
    Structure {
        name,
        members,
        required,
        union: false,
    }
}

const fn union(name: &'static str, members: &'static [(&'static str, Shape)]) -> Structure {
    Structure {
        name,
        members,
        required: &[],
        union: true,
    }
}

/// `ConverseRequest`, and that of its stream.
pub(in crate::bedrock) static CONVERSE: Structure = structure(
    "ConverseRequest",
    &[
        ("messages", Shape::list(&Shape::Structure(&MESSAGE))),
        ("system", Shape::list(&Shape::Structure(&SYSTEM))),
        ("inferenceConfig", Shape::Structure(&INFERENCE)),
        ("toolConfig", Shape::Structure(&TOOLS)),
        ("guardrailConfig", Shape::Structure(&GUARDRAIL)),
        ("additionalModelRequestFields", Shape::Document),
        ("promptVariables", Shape::Map(&Shape::Document)),
        (
            "additionalModelResponseFieldPaths",
            Shape::List(&Shape::text(1, 256, ""), 0, 10),
        ),
        ("requestMetadata", Shape::Map(&TEXT)),
        ("performanceConfig", Shape::Structure(&PERFORMANCE)),
        ("serviceTier", Shape::Structure(&TIER)),
        ("outputConfig", Shape::Structure(&OUTPUT)),
    ],
    &[],
);

static MESSAGE: Structure = structure(
    "Message",
    &[
        ("role", Shape::Word(&["user", "assistant", "system"])),
        ("content", Shape::list(&Shape::Structure(&BLOCK))),
    ],
    &["role", "content"],
);

static BLOCK: Structure = union(
    "ContentBlock",
    &[
        ("text", TEXT),
        ("image", Shape::Structure(&IMAGE)),
        ("document", Shape::Structure(&DOCUMENT)),
        ("video", Shape::Structure(&VIDEO)),
        ("audio", Shape::Structure(&AUDIO)),
        ("toolUse", Shape::Structure(&TOOL_USE)),
        ("toolResult", Shape::Structure(&TOOL_RESULT)),
        ("guardContent", Shape::Document),
        ("cachePoint", Shape::Structure(&CACHE_POINT)),
        ("reasoningContent", Shape::Structure(&REASONING)),
        ("citationsContent", Shape::Document),
        ("searchResult", Shape::Structure(&SEARCH_RESULT)),
        ("toolAddition", Shape::Document),
        ("toolRemoval", Shape::Document),
    ],
);

static SYSTEM: Structure = union(
    "SystemContentBlock",
    &[
        ("text", SOME_TEXT),
        ("guardContent", Shape::Document),
        ("cachePoint", Shape::Structure(&CACHE_POINT)),
    ],
);

static IMAGE: Structure = structure(
    "ImageBlock",
    &[
        ("format", Shape::Word(&["png", "jpeg", "gif", "webp"])),
        ("source", Shape::Structure(&MEDIA)),
    ],
    &["format", "source"],
);

static MEDIA: Structure = union(
    "Source",
    &[
        ("bytes", Shape::Blob),
        ("s3Location", Shape::Structure(&S3)),
    ],
);

static S3: Structure = structure(
    "S3Location",
    &[("uri", Shape::text(1, 1024, "")), ("bucketOwner", TEXT)],
    &["uri"],
);

static DOCUMENT: Structure = structure(
    "DocumentBlock",
    &[
        (
            "format",
            Shape::Word(&[
                "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md",
            ]),
        ),
        ("name", Shape::text(1, 200, "")),
        ("source", Shape::Structure(&DOCUMENT_SOURCE)),
        ("context", TEXT),
        ("citations", Shape::Structure(&CITATIONS)),
    ],
    &["name", "source"],
);

static DOCUMENT_SOURCE: Structure = union(
    "DocumentSource",
    &[
        ("bytes", Shape::Blob),
        ("s3Location", Shape::Structure(&S3)),
        ("text", TEXT),
        ("content", Shape::list(&Shape::Structure(&TEXT_BLOCK))),
    ],
);

static TEXT_BLOCK: Structure = structure("TextBlock", &[("text", TEXT)], &["text"]);

static CITATIONS: Structure =
    structure("CitationsConfig", &[("enabled", Shape::Bool)], &["enabled"]);

static VIDEO: Structure = structure(
    "VideoBlock",
    &[
        (
            "format",
            Shape::Word(&[
                "mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp",
            ]),
        ),
        ("source", Shape::Structure(&MEDIA)),
    ],
    &["format", "source"],
);

static AUDIO: Structure = structure(
    "AudioBlock",
    &[
        (
            "format",
            Shape::Word(&[
                "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a",
                "mpeg", "mpga", "pcm", "webm",
            ]),
        ),
        ("source", Shape::Structure(&MEDIA)),
    ],
    &["format", "source"],
);

static TOOL_USE: Structure = structure(
    "ToolUseBlock",
    &[
        ("toolUseId", TOOL_USE_ID),
        ("name", TOOL_NAME),
        ("input", Shape::Document),
        ("type", Shape::Word(&["server_tool_use"])),
    ],
    &["toolUseId", "name", "input"],
);

static TOOL_RESULT: Structure = structure(
    "ToolResultBlock",
    &[
        ("toolUseId", TOOL_USE_ID),
        ("content", Shape::list(&Shape::Structure(&RESULT))),
        ("status", Shape::Word(&["success", "error"])),
        ("type", TEXT),
    ],
    &["toolUseId", "content"],
);

static RESULT: Structure = union(
    "ToolResultContentBlock",
    &[
        ("json", Shape::Document),
        ("text", TEXT),
        ("image", Shape::Structure(&IMAGE)),
        ("document", Shape::Structure(&DOCUMENT)),
        ("video", Shape::Structure(&VIDEO)),
        ("searchResult", Shape::Structure(&SEARCH_RESULT)),
    ],
);

static SEARCH_RESULT: Structure = structure(
    "SearchResultBlock",
    &[
        ("source", TEXT),
        ("title", TEXT),
        ("content", Shape::list(&Shape::Structure(&TEXT_BLOCK))),
        ("citations", Shape::Structure(&CITATIONS)),
    ],
    &["source", "title", "content"],
);

static CACHE_POINT: Structure = structure(
    "CachePointBlock",
    &[
        ("type", Shape::Word(&["default"])),
        ("ttl", Shape::Word(&["5m", "1h"])),
    ],
    &["type"],
);

static REASONING: Structure = union(
    "ReasoningContentBlock",
    &[
        ("reasoningText", Shape::Structure(&REASONING_TEXT)),
        ("redactedContent", Shape::Blob),
    ],
);

static REASONING_TEXT: Structure = structure(
    "ReasoningTextBlock",
    &[("text", TEXT), ("signature", TEXT)],
    &["text"],
);

static INFERENCE: Structure = structure(
    "InferenceConfiguration",
    &[
        ("maxTokens", Shape::Int(1)),
        ("temperature", Shape::Share),
        ("topP", Shape::Share),
        ("stopSequences", Shape::List(&SOME_TEXT, 0, 2500)),
    ],
    &[],
);

static TOOLS: Structure = structure(
    "ToolConfiguration",
    &[
        (
            "tools",
            Shape::List(&Shape::Structure(&TOOL), 1, usize::MAX),
        ),
        ("toolChoice", Shape::Structure(&TOOL_CHOICE)),
    ],
    &["tools"],
);

static TOOL: Structure = union(
    "Tool",
    &[
        ("toolSpec", Shape::Structure(&TOOL_SPEC)),
        ("systemTool", Shape::Structure(&NAMED)),
        ("cachePoint", Shape::Structure(&CACHE_POINT)),
    ],
);

static TOOL_SPEC: Structure = structure(
    "ToolSpecification",
    &[
        ("name", TOOL_NAME),
        ("description", SOME_TEXT),
        ("inputSchema", Shape::Structure(&INPUT_SCHEMA)),
        ("strict", Shape::Bool),
    ],
    &["name", "inputSchema"],
);

static INPUT_SCHEMA: Structure = union("ToolInputSchema", &[("json", Shape::Document)]);

static NAMED: Structure = structure("NamedTool", &[("name", TOOL_NAME)], &["name"]);

static TOOL_CHOICE: Structure = union(
    "ToolChoice",
    &[
        ("auto", Shape::Structure(&NOTHING)),
        ("any", Shape::Structure(&NOTHING)),
        ("tool", Shape::Structure(&NAMED)),
    ],
);

static NOTHING: Structure = structure("ToolChoiceOfAny", &[], &[]);

static GUARDRAIL: Structure = structure(
    "GuardrailConfiguration",
    &[
        ("guardrailIdentifier", TEXT),
        ("guardrailVersion", TEXT),
        (
            "trace",
            Shape::Word(&["enabled", "disabled", "enabled_full"]),
        ),
        ("streamProcessingMode", Shape::Word(&["sync", "async"])),
    ],
    &[],
);

static PERFORMANCE: Structure = structure(
    "PerformanceConfiguration",
    &[("latency", Shape::Word(&["standard", "optimized"]))],
    &[],
);

static TIER: Structure = structure(
    "ServiceTier",
    &[(
        "type",
        Shape::Word(&["priority", "default", "flex", "reserved"]),
    )],
    &["type"],
);

static OUTPUT: Structure = structure(
    "OutputConfig",
    &[
        ("textFormat", Shape::Structure(&FORMAT)),
        ("effort", Shape::text(0, 16, "")),
    ],
    &[],
);

static FORMAT: Structure = structure(
    "OutputFormat",
    &[
        ("type", Shape::Word(&["json_schema"])),
        ("structure", Shape::Structure(&FORMAT_STRUCTURE)),
    ],
    &["type", "structure"],
);

static FORMAT_STRUCTURE: Structure = union(
    "OutputFormatStructure",
    &[("jsonSchema", Shape::Structure(&JSON_SCHEMA))],
);

static JSON_SCHEMA: Structure = structure(
    "JsonSchemaDefinition",
    &[("schema", TEXT), ("name", TEXT), ("description", TEXT)],
    &["schema"],
);
