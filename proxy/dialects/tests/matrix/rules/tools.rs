//! Rules for tools, their calls and results.

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Part, Tool, ToolChoice};

use super::{Rule, claude, ollama, parts};

pub(super) static RULES: [Rule; 4] = [
    Rule {
        name: "strict",
        says: "Whether a tool's arguments are constrained to its schema is said to OpenAI's dialects and, where it is so, to Claude's; others have no word for it.",
        change: |request, upstream| {
            for tool in &mut request.tools {
                if let Tool::Function { strict, .. } = tool {
                    match upstream.wire {
                        Wire::Chat => {}
                        // Here, unlike anywhere else, it is the default.
                        Wire::Responses => *strict = Some(*strict == Some(true)),
                        _ if claude(upstream.wire) => *strict = strict.filter(|strict| *strict),
                        _ => *strict = None,
                    }
                }
            }
        },
    },
    Rule {
        name: "no tool",
        says: "Tools that may not be called are not sent where there is no word for it.",
        change: |request, upstream| {
            let silent =
                ollama(upstream.wire) || matches!(upstream.wire, Wire::BedrockConverse | Wire::Tgi);
            let function = |tool: &Tool| matches!(tool, Tool::Function { .. });
            let bare = !request.tools.iter().any(function);
            let idle = matches!(
                request.tool_choice,
                Some(
                    ToolChoice::None
                        | ToolChoice::Allowed {
                            required: false,
                            ..
                        }
                )
            );
            // Gemini chooses among functions only.
            if upstream.wire == Wire::Gemini && bare && idle {
                request.tool_choice = None;
            }
            if silent && request.tool_choice == Some(ToolChoice::None) {
                request.tools.clear();
                request.tool_choice = None;
                request.parallel_tool_calls = None;
            }
        },
    },
    Rule {
        name: "some tools",
        says: "Where some of the tools are allowed, the others are not sent; OpenAI's dialects are told which.",
        change: |request, upstream| {
            if let Some(ToolChoice::Allowed { names, required }) = &request.tool_choice
                && (claude(upstream.wire) || upstream.wire == Wire::OllamaChat)
            {
                let required = *required;
                request
                    .tools
                    .retain(|tool| names.iter().any(|name| name == tool.name()));
                request.tool_choice = required.then_some(ToolChoice::Required);
            }
        },
    },
    Rule {
        name: "failed result",
        says: "That a tool failed is left to the text of its result.",
        change: |request, upstream| {
            if !claude(upstream.wire) && upstream.wire != Wire::Gemini {
                for part in parts(request) {
                    if let Part::ToolResult(result) = part {
                        result.is_error = false;
                    }
                }
            }
        },
    },
];
