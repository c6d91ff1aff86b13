//! Azure OpenAI: OpenAI's bodies at the paths of deployments, and at those of the v1 API.
//!
//! Sources: [API reference](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference),
//! [the v1 API](https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle),
//! [`inference.json`](https://github.com/Azure/azure-rest-api-specs/tree/main/specification/cognitiveservices/data-plane/AzureOpenAI/inference).
//! Fields that it does not know are refused, always.

mod error;
mod key;

use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};

pub(crate) use error::{LIMITS, error};

use crate::{
    call::Call, check, dialect::Dialect, faults, openai, refusal::Refusal, reply::Reply,
    service::Failed, shared::Shared, words::Filter,
};

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    /// The models that are there.
    Models,
    /// An operation of a deployment, which the path names.
    Deployment(String, &'a str),
    /// An operation whose body names the deployment.
    V1(&'a str),
}

/// Answers a request in this dialect.
pub(crate) async fn answer(
    shared: &Shared,
    head: &Parts,
    body: &Bytes,
    id: u64,
) -> Result<Reply, Failed> {
    let target = target(head)?;
    let v1 = head.uri.path().starts_with("/openai/v1/");
    key::authorize(shared, head, v1)?;
    let wanted = if target == Target::Models {
        Method::GET
    } else {
        Method::POST
    };
    if head.method != wanted {
        return Err(not_found().into());
    }
    let (path, deployment) = match target {
        Target::Models => {
            let status = *shared.health.read();
            if status != StatusCode::OK {
                return Err(Refusal::new(status, "Simulated ill health.").into());
            }
            return Ok(Reply::ok(&openai::list(&shared.models.read())));
        }
        Target::Deployment(name, path) => (path, Some(name)),
        Target::V1(path) => (path, None),
    };
    let mut fields = check::object(body)?;
    // Of a deployment's path the body's model is not looked at.
    let model = match deployment {
        Some(name) => name,
        None => check::model(&fields)?.to_owned(),
    };
    if shared.only_listed && openai::find(&shared.models.read(), &model).is_err() {
        let message = "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.";
        let refusal = Refusal::new(StatusCode::NOT_FOUND, message);
        return Err(refusal.code("DeploymentNotFound").into());
    }
    let behaviour = shared.called(&model);
    // Azure's own fields, which OpenAI does not know.
    for name in ["data_sources", "user_security_context"] {
        fields.shift_remove(name);
    }
    // A body that the API refuses is refused even where a fault was asked for: no fault hides it.
    match path {
        "chat/completions" => check::chat(&fields, true)?,
        "completions" => check::completions(&fields, true)?,
        _ => check::embeddings(&fields, true)?,
    }
    if behaviour.answer.filter == Some(Filter::Prompt) && path != "embeddings" {
        let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766";
        return Err(Refusal::of("prompt", error::FILTERED, message).into());
    }
    let call = Call::new(shared, head, id, &model, &behaviour).filtered();
    let mut reply = match faults::strike(&behaviour, head, id).await? {
        Some(reply) => reply,
        None => match path {
            "chat/completions" => call.chat(&fields),
            "completions" => call.completions(&fields),
            _ => call.json(&openai::embeddings(&model, &fields)),
        },
    };
    faults::headers(Dialect::Azure, &behaviour.fault, &mut reply);
    Ok(reply)
}

/// Finds the operation. Without its version a path below `deployments` is none.
fn target(head: &Parts) -> Result<Target<'_>, Refusal> {
    let operation = |path: &str| ["chat/completions", "completions", "embeddings"].contains(&path);
    let path = head.uri.path().strip_prefix("/openai/");
    let path = path.ok_or_else(not_found)?;
    let version = version(head.uri.query().unwrap_or_default());
    match path.split_once('/') {
        Some(("v1", "models")) => Ok(Target::Models),
        Some(("v1", path)) if operation(path) => {
            // It takes no dated version, only these.
            if version.is_some_and(|version| !["v1", "preview", "latest"].contains(&version)) {
                let refusal = Refusal::new(StatusCode::BAD_REQUEST, "API version not supported");
                return Err(refusal.code("BadRequest"));
            }
            Ok(Target::V1(path))
        }
        None if path == "models" && version.is_some_and(dated) => Ok(Target::Models),
        Some(("deployments", rest)) if version.is_some_and(dated) => match rest.split_once('/') {
            Some((name, path)) if operation(path) && !name.is_empty() => {
                Ok(Target::Deployment(openai::decoded(name), path))
            }
            _ => Err(not_found()),
        },
        _ => Err(not_found()),
    }
}

fn version(query: &str) -> Option<&str> {
    let mut pairs = query.split('&');
    pairs.find_map(|pair| pair.strip_prefix("api-version="))
}

/// `2024-10-21`, `2025-04-01-preview`.
fn dated(version: &str) -> bool {
    let day = version.strip_suffix("-preview").unwrap_or(version);
    let numbers: Vec<_> = day.split('-').collect();
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.iter().map(|text| text.len()).eq([4, 2, 2]) && numbers.iter().all(digits)
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "Resource not found")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(uri: &str) -> Option<String> {
        let (head, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
        target(&head).ok().map(|target| format!("{target:?}"))
    }

    #[test]
    fn a_deployment_needs_a_dated_version_and_v1_takes_none() {
        let path = "/openai/deployments/echo%2Btools/chat/completions";
        let known = Some("Deployment(\"echo+tools\", \"chat/completions\")".to_owned());
        assert_eq!(found(&format!("{path}?api-version=2024-10-21")), known);
        assert_eq!(
            found(&format!("{path}?x=1&api-version=2025-04-01-preview")),
            known
        );
        for query in [
            "",
            "?api-version=",
            "?api-version=latest",
            "?api_version=2024-10-21",
        ] {
            assert_eq!(found(&format!("{path}{query}")), None, "{query}");
        }
        let v1 = "/openai/v1/embeddings";
        assert!(found(v1).is_some() && found(&format!("{v1}?api-version=preview")).is_some());
        assert_eq!(found(&format!("{v1}?api-version=2024-10-21")), None);
        assert_eq!(found("/openai/v1/else"), None);
    }
}
