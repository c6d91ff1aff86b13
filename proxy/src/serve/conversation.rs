//! The Conversation API of a route: its paths, and the system prompt that a request gets from the library.
//!
//! What becomes of the request then is the codecs' affair: [`dragoman_dialects::conversation`].

use std::borrow::Cow;

use bytes::Bytes;
use dragoman_config::{ConversationItem, DEFAULT_PROMPT, Library, PromptsItem};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;

use super::body::Body;
use super::call;
use super::content::{Content, refuse_encoded};
use super::dispatch::Asked;
use super::error::{Blame, Refusal, bounded};
use super::kept::Suspect;
use super::path::{Operation, Shown};
use crate::json::{self, Members, ObjectEdit};

/// The members of a body that are looked at.
const MEMBERS: [&str; 6] = [
    "model_name",
    "model",
    "language",
    "prompt_name",
    "system_prompt",
    "messages",
];

/// A call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// `chat` and `chat/completions`: OpenAI's chat, with a prompt of the library where it has none.
    Chat,
    /// `passthrough`: the same without a prompt.
    Passthrough,
    /// `conversation_with_model`: a statement, with a prompt of the library where it has none.
    Statement,
    /// `extended_conversation_with_model`: a statement with its own prompt.
    Extended,
}

/// What a path below the route, without `/v1` and a leading slash, asks of the API.
pub(crate) fn asked(path: &str, settings: &ConversationItem) -> Option<Operation<'static>> {
    let below = path.strip_prefix(settings.prefix.strip_prefix('/')?)?;
    let below = below.strip_prefix('/')?;
    Some(match below.strip_suffix('/').unwrap_or(below) {
        "chat" | "chat/completions" => Operation::Conversation(Talk::Chat),
        "passthrough" => Operation::Conversation(Talk::Passthrough),
        "conversation_with_model" => Operation::Conversation(Talk::Statement),
        "extended_conversation_with_model" => Operation::Conversation(Talk::Extended),
        "ping" => Operation::Shown(Shown::Ping),
        "tags" => Operation::Shown(Shown::Tags),
        _ => return None,
    })
}

/// Answers a call.
///
/// # Errors
/// 400 for what the request lacks or the library does not have; 503 where the library cannot be used.
pub(crate) async fn answer(
    asked: &Asked,
    talk: Talk,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    call::names(asked.route())?;
    refuse_encoded(&asked.headers())?;
    let body = asked.whole(body).await?;
    let members = json::scan(&body, &MEMBERS).map_err(Refusal::malformed)?;
    let model = members
        .text(&body, "model_name")
        .or_else(|| members.text(&body, "model"));
    let Some(model) = model else {
        let message = "The request's body has no \"model_name\", or it is not a string.";
        return Err(Refusal {
            param: Some("model_name".into()),
            ..Refusal::client(StatusCode::BAD_REQUEST, "missing_model", message)
        });
    };
    let settings = asked.route().conversation();
    let prompt = prompt(talk, &body, &members, settings)?;
    let with = prompt.map(|prompt| {
        let mut edit = ObjectEdit::new(&members);
        edit.set("system_prompt", json::string::literal(prompt).into());
        Bytes::from(json::splice(&body, edit.finish()).concat())
    });
    let operation = Operation::Conversation(talk);
    match with {
        None => {
            let content = Content::Json {
                body: &body,
                members: &members,
                suspect: Suspect::Maybe,
            };
            call::named(asked, operation, content, &model, false).await
        }
        Some(body) => {
            let members = json::scan(&body, &MEMBERS).map_err(Refusal::malformed)?;
            let content = Content::Json {
                body: &body,
                members: &members,
                suspect: Suspect::Maybe,
            };
            call::named(asked, operation, content, &model, false).await
        }
    }
}

/// The prompt of the library that a request gets.
fn prompt<'s>(
    talk: Talk,
    body: &[u8],
    members: &Members<'_, &'static str>,
    settings: Option<&'s ConversationItem>,
) -> Result<Option<&'s str>, Refusal> {
    let text = |name: &str| members.text(body, name).filter(|text| !text.is_empty());
    let own = text("system_prompt").is_some();
    if talk == Talk::Extended && !own {
        return Err(refused("system_prompt", "The field is required."));
    }
    let brings = match talk {
        Talk::Passthrough | Talk::Extended => true,
        Talk::Chat => own || has_system(body, members),
        Talk::Statement => own,
    };
    let Some(settings) = settings.filter(|_| !brings) else {
        return Ok(None);
    };
    let (language, name) = (text("language"), text("prompt_name"));
    let library = match &settings.prompts {
        Some(PromptsItem::Library(library)) => library,
        Some(PromptsItem::Unresolved(why)) => {
            let message = format!("The system prompts cannot be used: {why}.");
            let code = "prompts_unusable";
            return Err(Refusal::unavailable(Blame::Proxy, code, message));
        }
        None if name.is_some() => {
            let message = "This route has no system prompts to choose from; leave the field out.";
            return Err(refused("prompt_name", message));
        }
        None => return Ok(None),
    };
    let language = language.unwrap_or(Cow::Borrowed(&settings.language));
    find(library, &language, name.as_deref()).map(Some)
}

fn find<'l>(library: &'l Library, language: &str, name: Option<&str>) -> Result<&'l str, Refusal> {
    let Some(prompts) = library.get(language) else {
        let message = format!(
            "There are no system prompts in {:?}; there are some in {}.",
            bounded(language, 64),
            listed(library.keys())
        );
        return Err(refused("language", message));
    };
    let name = name.unwrap_or(DEFAULT_PROMPT);
    prompts.get(name).map(String::as_str).ok_or_else(|| {
        let message = format!(
            "There is no system prompt {:?} in {language:?}; there are {}.",
            bounded(name, 128),
            listed(prompts.keys())
        );
        refused("prompt_name", message)
    })
}

fn listed<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    bounded(&names.join(", "), 512).to_owned()
}

fn refused(param: &'static str, message: impl std::fmt::Display) -> Refusal {
    let message = format!("{param}: {message}");
    Refusal {
        param: Some(param.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "invalid_request", message)
    }
}

/// Whether the messages have a system prompt among them. What is no list of messages is told when it is read.
fn has_system(body: &[u8], members: &Members<'_, &'static str>) -> bool {
    #[derive(Deserialize)]
    struct Turn<'a> {
        #[serde(borrow, default)]
        role: Option<Cow<'a, str>>,
    }
    let Some(messages) = members.get("messages") else {
        return false;
    };
    let turns: Vec<Turn<'_>> = serde_json::from_slice(&body[messages]).unwrap_or_default();
    let mut roles = turns.iter().filter_map(|turn| turn.role.as_deref());
    roles.any(|role| matches!(role, "system" | "developer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(prompts: Option<PromptsItem>) -> ConversationItem {
        ConversationItem {
            prefix: "/talk/v2".into(),
            language: "en".into(),
            prompts,
        }
    }

    fn library() -> ConversationItem {
        let prompts = |texts: &[(&str, &str)]| {
            let owned = texts
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            owned.collect()
        };
        let library = Library::from_iter([
            (
                "en".to_owned(),
                prompts(&[(DEFAULT_PROMPT, "Be brief."), ("news", "Tell.")]),
            ),
            ("pl".to_owned(), prompts(&[(DEFAULT_PROMPT, "Krótko.")])),
        ]);
        settings(Some(PromptsItem::Library(library)))
    }

    fn given(
        talk: Talk,
        body: &str,
        settings: &ConversationItem,
    ) -> Result<Option<String>, String> {
        let members = json::scan(body.as_bytes(), &MEMBERS).unwrap();
        let prompt = prompt(talk, body.as_bytes(), &members, Some(settings));
        prompt
            .map(|prompt| prompt.map(str::to_owned))
            .map_err(|refusal| format!("{} {}", refusal.status.as_u16(), refusal.message))
    }

    #[test]
    fn a_request_that_brings_no_prompt_gets_that_of_its_language_and_name() {
        let library = library();
        let given = |talk, body: &str| given(talk, body, &library).unwrap();
        for (body, prompt) in [
            ("{}", "Be brief."),
            (r#"{"language": null, "system_prompt": ""}"#, "Be brief."),
            (r#"{"language": "pl"}"#, "Krótko."),
            (r#"{"prompt_name": "news"}"#, "Tell."),
        ] {
            assert_eq!(
                given(Talk::Statement, body).as_deref(),
                Some(prompt),
                "{body}"
            );
            assert_eq!(given(Talk::Chat, body).as_deref(), Some(prompt), "{body}");
            assert_eq!(given(Talk::Passthrough, body), None);
        }
        let own = r#"{"system_prompt": "Mine."}"#;
        for talk in [Talk::Statement, Talk::Extended, Talk::Chat] {
            assert_eq!(given(talk, own), None);
        }
        let within = r#"{"messages": [{"role": "\u0073ystem", "content": []}, {"role": "user"}]}"#;
        assert_eq!(given(Talk::Chat, within), None);
        let none = r#"{"messages": [{"role": "user", "content": "system"}]}"#;
        assert_eq!(given(Talk::Chat, none).as_deref(), Some("Be brief."));
    }

    #[test]
    fn what_the_library_does_not_have_is_refused_by_the_fields_name_with_what_there_is() {
        let library = library();
        for (talk, body, told) in [
            (
                Talk::Statement,
                r#"{"language": "de"}"#,
                "400 language: There are no system prompts in \"de\"; there are some in en, pl.",
            ),
            (
                Talk::Chat,
                r#"{"language": "pl", "prompt_name": "news"}"#,
                "400 prompt_name: There is no system prompt \"news\" in \"pl\"; there are chat-conversation-simple.",
            ),
            (
                Talk::Extended,
                "{}",
                "400 system_prompt: The field is required.",
            ),
        ] {
            assert_eq!(given(talk, body, &library).unwrap_err(), told);
        }
        let none = settings(None);
        assert_eq!(given(Talk::Chat, r#"{"language": "de"}"#, &none), Ok(None));
        assert!(given(Talk::Chat, r#"{"prompt_name": "x"}"#, &none).is_err());
        let closed = settings(Some(PromptsItem::Unresolved("why".into())));
        let told = given(Talk::Chat, "{}", &closed).unwrap_err();
        assert_eq!(told, "503 The system prompts cannot be used: why.");
        assert_eq!(given(Talk::Passthrough, "{}", &closed), Ok(None));
    }

    #[test]
    fn its_paths_are_those_below_its_prefix() {
        let settings = settings(None);
        for (path, operation) in [
            ("talk/v2/chat", Some(Operation::Conversation(Talk::Chat))),
            (
                "talk/v2/chat/completions/",
                Some(Operation::Conversation(Talk::Chat)),
            ),
            (
                "talk/v2/passthrough",
                Some(Operation::Conversation(Talk::Passthrough)),
            ),
            ("talk/v2/ping", Some(Operation::Shown(Shown::Ping))),
            ("talk/v2/tags", Some(Operation::Shown(Shown::Tags))),
            ("talk/v2x/chat", None),
            ("talk/v2", None),
            ("api/chat", None),
        ] {
            assert_eq!(asked(path, &settings), operation, "{path}");
        }
    }
}
