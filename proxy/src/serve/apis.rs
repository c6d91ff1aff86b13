//! Which API a path is of, and whether the route's clients may speak it.

use dragoman_crds::Api;
use dragoman_dialects::Wire;
use http::StatusCode;

use super::conversation;
use super::error::Refusal;
use super::path::{Operation, Shown};
use crate::state::route::Route;

/// A path below a route as it was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    /// What stands after the base URL, without a leading slash.
    pub(crate) path: &'p str,
    /// Whether Azure's own part stood before that.
    pub(crate) azure: bool,
    /// Whose it is, if it is the root: TGI takes requests there, and Ollama's clients look there whether it is there.
    pub(crate) root: Option<Api>,
    /// What the path and the headers say of the client.
    pub(crate) client: Wire,
}

/// What a path asks for on this route: where an API does not have it, or the route leaves that API out, it may be of the Conversation API.
///
/// # Errors
/// 404 for a path of an API that the route leaves out.
pub(crate) fn operation<'p>(
    route: &Route,
    known: Operation<'p>,
    place: Place<'p>,
) -> Result<Operation<'p>, Refusal> {
    let talk = route.conversation();
    let talk = talk.and_then(|settings| conversation::asked(place.path, settings));
    if talk.is_none() && route.apis().is_none() {
        return Ok(known);
    }
    let speaks = |api: Option<Api>| match (route.apis(), api) {
        (Some(apis), Some(api)) => apis.contains(&api),
        _ => true,
    };
    let api = api(known, place);
    let (talk, api) = match talk {
        Some(talk) if known == Operation::Other || !speaks(api) => (talk, Some(Api::Conversation)),
        _ => (known, api),
    };
    if speaks(api) {
        return Ok(talk);
    }
    let named = |api: &Api| format!("{api:?}");
    let spoken: Vec<String> = route.apis().unwrap_or_default().iter().map(named).collect();
    let message = format!(
        "This is a path of the API {}, which LLMRoute {} does not speak (spec.apis); it speaks {}.",
        api.as_ref().map(named).unwrap_or_default(),
        route.key,
        spoken.join(", "),
    );
    let status = StatusCode::NOT_FOUND;
    Err(Refusal::client(status, "api_not_spoken", message))
}

/// The API that has a path; none has `ping`.
fn api(operation: Operation<'_>, place: Place<'_>) -> Option<Api> {
    let wire = match operation {
        Operation::Shown(Shown::Ping) => return None,
        Operation::Shown(Shown::Tags | Shown::Loaded | Shown::Version | Shown::Root)
        | Operation::OllamaShow
        | Operation::OllamaManages
        | Operation::OllamaEmbed
        | Operation::OllamaEmbeddings => Wire::OllamaChat,
        Operation::Shown(Shown::LmStudio | Shown::LmStudioModel(_)) | Operation::Embeddings => {
            Wire::Chat
        }
        Operation::CountTokens => Wire::Messages,
        Operation::Shown(Shown::Gemini | Shown::GeminiModel(_)) => Wire::Gemini,
        Operation::Other if place.root.is_some() => return place.root,
        Operation::GeminiEmbed(_) | Operation::GeminiEmbeds(_) | Operation::GeminiCount(_) => {
            Wire::Gemini
        }
        Operation::Models | Operation::Model(_) | Operation::Other => place.client,
        other => other.wire().unwrap_or(place.client),
    };
    Some(match wire {
        Wire::Messages => Api::Anthropic,
        Wire::OllamaChat | Wire::OllamaGenerate => Api::Ollama,
        Wire::Tgi => Api::TGI,
        Wire::BedrockConverse | Wire::BedrockInvoke | Wire::BedrockText => Api::Bedrock,
        Wire::Gemini => Api::Gemini,
        Wire::Conversation | Wire::ConversationChat => Api::Conversation,
        Wire::Chat | Wire::Completions | Wire::Responses if place.azure => Api::AzureOpenAI,
        Wire::Chat | Wire::Completions | Wire::Responses => Api::OpenAI,
    })
}
