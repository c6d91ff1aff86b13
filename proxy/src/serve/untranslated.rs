//! Which calls that are not translated a backend takes as they are.

use dragoman_crds::Dialect;
use http::StatusCode;

use super::dispatch::Asked;
use super::error::Refusal;
use super::path::Operation;
use crate::state::backend::Backend;
use crate::state::dialect;

/// Whether a backend takes an operation that is not translated, as the client's own bytes.
///
/// # Errors
/// 400, where its dialect has no such operation.
pub(crate) fn passes(
    asked: &Asked,
    operation: Operation<'_>,
    backend: &Backend,
) -> Result<(), Refusal> {
    if operation == Operation::Other && dialect::has_path(backend.dialect, &asked.path) {
        return Ok(());
    }
    if operation == Operation::CountTokens {
        return counts(asked, backend);
    }
    let openai = matches!(backend.dialect, Dialect::OpenAI | Dialect::AzureOpenAI);
    if operation == Operation::Embeddings && openai {
        return Ok(());
    }
    if matches!(operation, Operation::GeminiCount(_)) && backend.dialect == Dialect::Gemini {
        return Ok(());
    }
    let message = format!(
        "{} is not translated for a backend that speaks {:?}; call a model whose backend speaks your dialect.",
        asked.shown_path(),
        backend.dialect
    );
    let status = StatusCode::BAD_REQUEST;
    Err(Refusal::client(status, "unsupported_by_upstream", message))
}

/// Whether a backend counts tokens as Anthropic's clients ask: by Anthropic's API, or because its `relay` lists the path. Gemini's is translated; others
/// count by calls of their own, or not at all, and an estimate would be taken for a count.
fn counts(asked: &Asked, backend: &Backend) -> Result<(), Refusal> {
    if backend.dialect == Dialect::Anthropic || backend.lists(&asked.method, &asked.path) {
        return Ok(());
    }
    let how = match backend.dialect {
        Dialect::Bedrock => {
            "counts by its own CountTokens (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html), to which this call is not translated"
        }
        Dialect::TGI => {
            "has a call that shows tokens, /tokenize (https://huggingface.github.io/text-generation-inference/#/Text%20Generation%20Inference/tokenize), to which this call is not translated"
        }
        Dialect::OpenAI | Dialect::AzureOpenAI => {
            "counts for the Responses API alone (https://platform.openai.com/docs/api-reference/responses/input-tokens), to which this call is not translated"
        }
        _ => "has no such call",
    };
    let message = format!(
        "The model's backend speaks {:?}, which {how}; an estimate would not be a count. Call a model whose backend speaks Anthropic or Gemini, or one whose spec.relay (LLMBackend) lists POST /messages/count_tokens.",
        backend.dialect
    );
    let status = StatusCode::BAD_REQUEST;
    Err(Refusal {
        param: Some("model".into()),
        ..Refusal::client(status, "unsupported_by_upstream", message)
    })
}
