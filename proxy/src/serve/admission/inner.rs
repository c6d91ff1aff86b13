//! Models that a body names besides the one that it calls: tools that call their own, adapters, fallbacks.
//!
//! Sources: OpenAI's [tools](https://platform.openai.com/docs/api-reference/responses/create) (`image_generation` has a `model`) and transcription of what is
//! heard, Anthropic's [advisor](https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool), TGI's
//! [adapters](https://huggingface.co/docs/text-generation-inference/conceptual/lora), OpenRouter's
//! [`models`](https://openrouter.ai/docs/guides/routing/model-fallbacks), LiteLLM's
//! [`fallbacks`](https://docs.litellm.ai/docs/proxy/reliability), LM Studio's
//! [`draft_model`](https://lmstudio.ai/docs/app/advanced/speculative-decoding), SGLang's
//! [`lora_path`](https://docs.sglang.ai/advanced_features/lora.html).

use std::sync::Arc;

use http::StatusCode;

use super::spelled::each_of_apis;
use crate::access::metrics::Reason;
use crate::access::policy::Policy;
use crate::json::{elements, lexer, string};
use crate::serve::error::Refusal;
use crate::state::reading::folded;

/// OpenAI's tool that calls a model of its choice where none is named.
const DRAWS: &str = "image_generation";

/// The models that a body names besides the one that it calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inner {
    names: Vec<String>,
    /// Whether a tool is among it that calls some model or other.
    draws: bool,
}

impl Inner {
    /// Those of a body that was found to be JSON.
    pub(crate) fn of(body: &[u8]) -> Self {
        let mut inner = Self::default();
        let Ok(text) = std::str::from_utf8(body) else {
            return inner;
        };
        let said = |at: usize| string::read(text, at..lexer::value(body, at, 0).ok()?);
        each_of_apis(body, |name, at, nested| {
            if !(may_name(name, nested) || nested && name == "type") {
                return;
            }
            match (body.get(at), &*folded(name)) {
                (Some(b'"'), "type") => {
                    inner.draws |= said(at).is_some_and(|kind| kind == DRAWS);
                }
                (_, "type") => {}
                (Some(b'"'), _) => inner.add(said(at)),
                (Some(b'['), _) => {
                    let range = at..body.len();
                    let all = elements(text, &range).into_iter().flatten();
                    for element in all.map_while(Result::ok) {
                        inner.add(string::read(text, element));
                    }
                }
                _ => {}
            }
        });
        inner
    }

    fn add(&mut self, name: Option<impl Into<String>>) {
        if let Some(name) = name
            .map(Into::into)
            .filter(|name: &String| !name.is_empty())
        {
            self.names.push(name);
        }
    }

    /// The names but `own`, which are judged already. Gemini's calls repeat theirs with its collection.
    pub(crate) fn besides<'i, 'o>(
        &'i self,
        own: &'o [&'o str],
    ) -> impl Iterator<Item = &'i str> + use<'i, 'o> {
        let is_own = |name: &str| {
            let bare = name.strip_prefix("models/").unwrap_or(name);
            own.iter().any(|own| *own == name || *own == bare)
        };
        let names = self.names.iter().map(String::as_str);
        names.filter(move |name| !is_own(name))
    }

    /// The same once all `policies` admit them; `model` and `others` are the names of the one that is called.
    ///
    /// # Errors
    /// 404 for one that they do not admit, 403 for a tool that names none.
    pub(super) fn judged(
        &self,
        policies: &[Arc<Policy>],
        model: Option<&str>,
        others: &[&str],
    ) -> Result<Vec<&str>, Refusal> {
        self.refuse_unnamed()?;
        if self.names.is_empty() {
            return Ok(Vec::new());
        }
        let own: Vec<&str> = model.iter().chain(others).copied().collect();
        let inner: Vec<&str> = self.besides(&own).collect();
        for policy in policies {
            if let Some(name) = inner.iter().find(|name| !policy.models.admits(name)) {
                policy.metrics.refused(Reason::Model);
                return Err(Refusal::no_model(name));
            }
        }
        Ok(inner)
    }

    /// Refuses a tool whose model nobody can judge, since it names none.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn refuse_unnamed(&self) -> Result<(), Refusal> {
        if !self.draws || !self.names.is_empty() {
            return Ok(());
        }
        let message = format!(
            "The tool {DRAWS} names no \"model\", and models are judged here: name the one that it shall call."
        );
        Err(Refusal {
            param: Some("tools".into()),
            ..Refusal::client(StatusCode::FORBIDDEN, "body_unjudged", message)
        })
    }
}

/// Whether a member may name another model than the one that is called, or is a tool that calls one; `nested`: it stands within another.
pub(crate) fn may_name(name: &str, nested: bool) -> bool {
    const ANYWHERE: [&str; 5] = [
        "adapter_id",
        "draft_model",
        "fallbacks",
        "lora_path",
        "models",
    ];
    (nested && name.eq_ignore_ascii_case("model"))
        || ANYWHERE.iter().any(|it| name.eq_ignore_ascii_case(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(body: &str) -> Vec<String> {
        let inner = Inner::of(body.as_bytes());
        inner.besides(&["own"]).map(str::to_owned).collect()
    }

    #[test]
    fn every_model_but_the_one_that_is_called_is_found() {
        for (body, expected) in [
            (
                r#"{"model":"a","tools":[{"type":"image_generation","model":"b"}]}"#,
                &["b"][..],
            ),
            (
                r#"{"model":"a","session":{"input_audio_transcription":{"model":"b"}}}"#,
                &["b"],
            ),
            (r#"{"inputs":"x","parameters":{"adapter_id":"b"}}"#, &["b"]),
            (
                r#"{"model":"a","models":["b","c"],"fallbacks":[{"model":"d"},"e"]}"#,
                &["b", "c", "d", "e"],
            ),
            (
                r#"{"model":"a","tools":[{"\u006dodel":"b"},{"Model":"c"}]}"#,
                &["b", "c"],
            ),
            (
                r#"{"requests":[{"model":"models/own"},{"model":"own"}]}"#,
                &[],
            ),
            (
                r#"{"model":"a","metadata":{"model":"b"},"messages":[{"content":"model"}]}"#,
                &[],
            ),
            (
                r#"{"tools":[{"input_schema":{"properties":{"model":{"enum":["b"]}}}}]}"#,
                &[],
            ),
        ] {
            let mut found = named(body);
            found.sort_unstable();
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn a_tool_that_chooses_its_model_itself_is_refused() {
        let refused = |body: &str| Inner::of(body.as_bytes()).refuse_unnamed().is_err();
        assert!(refused(
            r#"{"model":"a","tools":[{"type":"image_generation"}]}"#
        ));
        assert!(!refused(
            r#"{"model":"a","tools":[{"type":"image_generation","model":"b"}]}"#
        ));
        assert!(!refused(r#"{"model":"a","tools":[{"type":"function"}]}"#));
    }
}
