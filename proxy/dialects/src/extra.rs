//! What becomes of a request's fields that the neutral form does not know.
//!
//! A writer has two lists: fields that its dialect has too, and fields that may be left out, because the answer is as good
//! without them. Any other field is refused by name: to leave it out in silence might answer another question than was asked.

use serde_json::{Map, Value};

use crate::form::{Field, Refused};

/// Fields that any target may leave out: they say how the request is kept, counted or cached at the vendor, not what is answered.
pub const HARMLESS: [&str; 17] = [
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "truncation",
    "user",
    "inference_geo",
    // Anthropic's: marks for its cache, names of its previews, and what it forgets of a long conversation.
    "cache_control",
    "anthropic_beta",
    "context_management",
    "diagnostics",
    "user_profile_id",
    // Bedrock's.
    "performanceConfig",
    "requestMetadata",
    "serviceTier",
];

/// Fields that say how a server of their own dialect runs the model, not what is answered, by the names that their readers
/// give them: `options.` for Ollama's, `parameters.` for TGI's. Only their own dialect is sent them.
/// Those of Ollama in the second paragraph are ignored by its newer servers too.
pub const ENGINE: [&str; 23] = [
    "options.num_ctx",
    "options.num_batch",
    "options.num_gpu",
    "options.main_gpu",
    "options.num_keep",
    "options.num_thread",
    "options.numa",
    "options.low_vram",
    "options.f16_kv",
    "options.logits_all",
    "options.vocab_only",
    "options.embedding_only",
    "options.use_mmap",
    "options.use_mlock",
    "options.draft_num_predict",
    "shift",
    "truncate",
    //
    "options.mirostat",
    "options.mirostat_eta",
    "options.mirostat_tau",
    "options.penalize_newline",
    "options.tfs_z",
    //
    "parameters.top_n_tokens",
];

/// Marks for a cache, wherever they stand: Anthropic's, and [OpenAI's](https://platform.openai.com/docs/guides/prompt-caching).
const MARKS: [&str; 2] = [".cache_control", ".prompt_cache_breakpoint"];

/// Sorts `extra`: fields of `known` are copied into `out` unless it has them, those of `dropped`, [`HARMLESS`] and
/// [`ENGINE`], and nulls, are left out.
///
/// # Errors
/// [`Refused`] for any other field; `target` is the dialect's name for the message, with the page that has its fields.
pub fn carry(
    extra: &Map<String, Value>,
    known: &[&str],
    dropped: &[&str],
    (target, page): (&str, &'static str),
    out: &mut Map<String, Value>,
) -> Result<(), Refused> {
    for (name, value) in extra {
        let name = name.as_str();
        if known.contains(&name) {
            if !out.contains_key(name) {
                out.insert(name.to_owned(), value.clone());
            }
        } else if !(value.is_null()
            || MARKS.iter().any(|mark| name.ends_with(mark))
            || dropped.contains(&name)
            || HARMLESS.contains(&name)
            || ENGINE.contains(&name))
        {
            return Err(Refused {
                field: Field::Extra(name.to_owned()),
                message: format!(
                    "There is no such field in {target}, and leaving it out might change the answer; remove it, or call a model whose backend speaks your dialect."
                ),
                source: Some(page),
            });
        }
    }
    Ok(())
}
