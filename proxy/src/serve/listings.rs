//! The list of models in each client's dialect, and what else is told without a call.
//!
//! Sources: [OpenAI's models API](https://platform.openai.com/docs/api-reference/models), [Anthropic's](https://docs.claude.com/en/api/models-list),
//! [Gemini's](https://ai.google.dev/api/models), [Ollama's](https://docs.ollama.com/api), [LM Studio's](https://lmstudio.ai/docs/api/rest-api). Each shows the same models under the
//! same names, which have a tag for Ollama's clients ([`tags`]), and none says where they run.

use dragoman_config::names::Entry;
use dragoman_dialects::models::{self as shapes, Model};
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};
use std::time::Instant;

use super::body::Body;
use super::dispatch::Asked;
use super::error::Refusal;
use super::page::Page;
use super::path::{self, Shown};
use super::{call, models, tags};

/// Answers `GET /v1/models`, in Anthropic's or Gemini's shape for their clients.
///
/// # Errors
/// When there is no list; 400 for a page that there cannot be.
pub(crate) async fn list(asked: &Asked) -> Result<Response<Body>, Refusal> {
    if !path::is_anthropics(&asked.headers()) {
        let entries = models::listed(asked).await?;
        return Ok(json(&match path::is_googles(&asked.headers()) {
            true => shapes::gemini::list(&forms(entries)),
            false => json!({"object": "list", "data": entries}),
        }));
    }
    let wanted = Page::asked(asked.uri.query().unwrap_or_default())?;
    let listed = forms(models::listed(asked).await?);
    let (shown, more) = wanted.of(&listed)?;
    let mut list = shapes::anthropic::list(shown);
    list["has_more"] = more.into();
    Ok(json(&list))
}

/// Answers `GET /v1/models/{id}` from the list, in Anthropic's or Gemini's shape for their clients.
///
/// # Errors
/// As [`models::find`].
pub(crate) async fn one(asked: &Asked, id: &str) -> Result<Response<Body>, Refusal> {
    let entry = models::find(asked, &[&path::percent_decode(id)]).await?;
    let headers = asked.headers();
    Ok(json(&if path::is_anthropics(&headers) {
        shapes::anthropic::entry(&form(entry))
    } else if path::is_googles(&headers) {
        shapes::gemini::entry(&form(entry))
    } else {
        Value::Object(entry)
    }))
}

/// Answers what is told without a call.
///
/// # Errors
/// When there is no list; 503 for a route that is closed.
pub(crate) async fn shown(asked: &Asked, what: Shown<'_>) -> Result<Response<Body>, Refusal> {
    let begun = Instant::now();
    // A closed route is closed for every path.
    call::names(asked.route())?;
    let told = match what {
        Shown::Tags => shapes::ollama::tags(&tagged(models::listed(asked).await?)),
        Shown::Loaded => {
            let listed = tagged(models::listed(asked).await?);
            shapes::ollama::ps(&listed, jiff::Timestamp::now())
        }
        Shown::Version => shapes::ollama::version(),
        Shown::LmStudio => shapes::lmstudio::list(&forms(models::listed(asked).await?)),
        Shown::LmStudioModel(id) => {
            let entry = models::find(asked, &[&path::percent_decode(id)]).await?;
            shapes::lmstudio::entry(&form(entry))
        }
        Shown::Gemini => shapes::gemini::list(&forms(models::listed(asked).await?)),
        Shown::GeminiModel(id) => {
            let entry = models::find(asked, &[&path::percent_decode(id)]).await?;
            shapes::gemini::entry(&form(entry))
        }
        Shown::Ping => {
            let time = begun.elapsed().as_secs_f64();
            json!({"status": true, "body": "pong", "response_time": time})
        }
        Shown::Root => {
            return Ok(answer(
                "text/plain; charset=utf-8",
                "Ollama is running".into(),
            ));
        }
    };
    Ok(json(&told))
}

/// Entries in the form that other dialects' are written from.
fn forms(entries: Vec<Entry>) -> Vec<Model> {
    entries.into_iter().map(form).collect()
}

/// The same for Ollama's clients.
fn tagged(entries: Vec<Entry>) -> Vec<Model> {
    let mut listed = forms(entries);
    for model in &mut listed {
        model.id = tags::tagged(&model.id).into_owned();
    }
    listed
}

/// The same of one, under the name that it is called by.
pub(crate) fn form(entry: Entry) -> Model {
    let id = entry.get("id").and_then(Value::as_str).map(str::to_owned);
    let read = serde_json::to_vec(&[entry]).ok();
    let read = read.and_then(|list| shapes::read(&list).ok()?.pop());
    let mut model = read.unwrap_or_default();
    // Readers of lists cut names that other vendors write as paths.
    model.id = id.unwrap_or_default();
    model
}

/// An answer of JSON.
pub(crate) fn json(value: &Value) -> Response<Body> {
    answer("application/json", value.to_string())
}

fn answer(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(text.into()));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_keeps_the_name_that_it_is_called_by() {
        let entry = Entry::from_iter([
            ("id".to_owned(), "models/gemini".into()),
            ("created".to_owned(), 60.into()),
        ]);
        let model = form(entry);
        assert_eq!(
            (model.id.as_str(), model.created),
            ("models/gemini", Some(60))
        );
    }
}
