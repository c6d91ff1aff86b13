//! Refuses the parameters that the router refuses, in its words.
//!
//! Source: `router/src/validation.rs`.

use serde_json::Value;

use super::body::{Generate, Grammar};

/// The limits of this server; those of a real one are options of its launcher.
pub(super) const BEST_OF: usize = 2;
pub(super) const STOPS: usize = 4;
pub(super) const INPUT: usize = 131_071;
pub(super) const TOTAL: usize = 131_072;
const TOP: u32 = 5;

/// Checks what the types leave open, in the router's order.
pub(super) fn values(asked: &Generate, streamed: bool) -> Result<(), String> {
    valid(asked, streamed).map_err(|why| format!("Input validation error: {why}"))
}

fn valid(asked: &Generate, streamed: bool) -> Result<(), String> {
    let with = &asked.parameters;
    let refuse = |when: bool, why: &str| {
        if when { Err(why.to_owned()) } else { Ok(()) }
    };
    let best_of = with.best_of.unwrap_or(1);
    if streamed {
        let why = "`best_of` != 1 is not supported when streaming tokens";
        refuse(best_of != 1, why)?;
        let why = "`decoder_input_details` == true is not supported when streaming tokens";
        refuse(with.decoder_input_details, why)?;
    }
    if best_of > BEST_OF {
        return Err(format!(
            "`best_of` must be > 0 and <= {BEST_OF}. Given: {best_of}"
        ));
    }
    let why = "you must use sampling when `best_of` is > 1";
    refuse(best_of > 1 && !asked.samples(), why)?;
    let at_most = |value: Option<f32>, least: f32| value.is_some_and(|value| value <= least);
    let outside = |value: Option<f32>| value.is_some_and(|value| value <= 0.0 || value >= 1.0);
    let why = "`temperature` must be strictly positive";
    refuse(at_most(with.temperature, 0.0), why)?;
    let why = "`repetition_penalty` must be strictly positive";
    refuse(at_most(with.repetition_penalty, 0.0), why)?;
    let penalty = with.frequency_penalty.unwrap_or(0.0);
    let why = "`frequency_penalty` must be >= -2.0 and <= 2.0";
    refuse(!(-2.0..=2.0).contains(&penalty), why)?;
    refuse(outside(with.top_p), "`top_p` must be > 0.0 and < 1.0")?;
    refuse(
        outside(with.typical_p),
        "`typical_p` must be > 0.0 and < 1.0",
    )?;
    let negative = with.top_k.is_some_and(|count| count <= 0);
    refuse(negative, "`top_k` must be strictly positive")?;
    let none = with.max_new_tokens == Some(0);
    refuse(none, "`max_new_tokens` must be strictly positive")?;
    let given = with.stop.len();
    if given > STOPS {
        return Err(format!(
            "`stop` supports up to {STOPS} stop sequences. Given: {given}"
        ));
    }
    let why = "`seed` must not be set when `best_of` > 1";
    refuse(best_of > 1 && with.seed.is_some(), why)?;
    if let Some(given) = with.top_n_tokens.filter(|count| *count > TOP) {
        return Err(format!(
            "`top_n_tokens` must be >= 0 and <= {TOP}. Given: {given}"
        ));
    }
    refuse(asked.inputs.is_empty(), "`inputs` cannot be empty")?;
    if let Some(given) = with.truncate.filter(|most| *most == 0 || *most > INPUT) {
        return Err(format!(
            "`truncate` must be strictly positive and less than {INPUT}. Given: {given}"
        ));
    }
    let input = asked.words();
    let new = with.max_new_tokens.unwrap_or(0);
    if usize::try_from(new).map_or(true, |new| input.saturating_add(new) > TOTAL) {
        return Err(format!(
            "`inputs` tokens + `max_new_tokens` must be <= {TOTAL}. Given: {input} `inputs` tokens and {new} `max_new_tokens`"
        ));
    }
    with.grammar.as_ref().map_or(Ok(()), grammar)
}

fn grammar(grammar: &Grammar) -> Result<(), String> {
    let schema = match grammar {
        Grammar::Regex(_) => return Ok(()),
        Grammar::Json(Value::String(text)) => {
            serde_json::from_str(text).map_err(|error| format!("grammar is not valid: {error}"))?
        }
        Grammar::Json(schema) => schema.clone(),
        Grammar::Schema(named) => named.schema.clone(),
    };
    if !schema.is_object() {
        return Err("grammar is not supported".into());
    }
    match schema.get("properties") {
        Some(_) => Ok(()),
        None => Err("grammar is not valid: Grammar must have a 'properties' field".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(parameters: Value, streamed: bool) -> Result<(), String> {
        let body = json!({"inputs": "one two", "parameters": parameters});
        values(&serde_json::from_value(body).unwrap(), streamed)
    }

    #[test]
    fn each_refusal_says_what_the_router_says() {
        for (parameters, streamed, why) in [
            (
                json!({"temperature": 0}),
                false,
                "`temperature` must be strictly positive",
            ),
            (
                json!({"top_p": 1.0}),
                true,
                "`top_p` must be > 0.0 and < 1.0",
            ),
            (
                json!({"typical_p": 0.0}),
                false,
                "`typical_p` must be > 0.0 and < 1.0",
            ),
            (
                json!({"top_k": 0}),
                false,
                "`top_k` must be strictly positive",
            ),
            (
                json!({"repetition_penalty": 0}),
                false,
                "`repetition_penalty` must be",
            ),
            (
                json!({"frequency_penalty": 2.1}),
                false,
                "`frequency_penalty` must be >= -2.0",
            ),
            (
                json!({"max_new_tokens": 0}),
                false,
                "`max_new_tokens` must be strictly positive",
            ),
            (
                json!({"max_new_tokens": 131_071}),
                false,
                "`inputs` tokens + `max_new_tokens`",
            ),
            (
                json!({"stop": ["a", "b", "c", "d", "e"]}),
                false,
                "`stop` supports up to 4",
            ),
            (json!({"best_of": 2}), false, "you must use sampling"),
            (
                json!({"best_of": 2, "do_sample": true}),
                true,
                "`best_of` != 1 is not supported",
            ),
            (
                json!({"best_of": 2, "top_k": 3, "seed": 1}),
                false,
                "`seed` must not be set",
            ),
            (
                json!({"decoder_input_details": true}),
                true,
                "`decoder_input_details` == true",
            ),
            (
                json!({"truncate": 0}),
                false,
                "`truncate` must be strictly positive",
            ),
            (
                json!({"top_n_tokens": 6}),
                false,
                "`top_n_tokens` must be >= 0 and <= 5",
            ),
            (
                json!({"grammar": {"type": "json", "value": {"type": "object"}}}),
                false,
                "grammar is not valid",
            ),
            (
                json!({"grammar": {"type": "json", "value": 1}}),
                false,
                "grammar is not supported",
            ),
        ] {
            let said = checked(parameters.clone(), streamed).unwrap_err();
            let said = said.strip_prefix("Input validation error: ").unwrap();
            assert!(said.starts_with(why), "{parameters}: {said}");
        }
    }

    #[test]
    fn what_the_router_accepts_is_accepted() {
        let parameters = json!({
            "temperature": 0.1, "top_p": 0.99, "top_k": 1, "seed": 7, "stop": ["a"], "unknown": [],
            "best_of": null, "max_new_tokens": 20, "truncate": 1, "watermark": true, "details": true,
            "grammar": {"type": "json", "value": "{\"properties\": {}}"}, "return_full_text": false,
        });
        assert_eq!(checked(parameters, true), Ok(()));
        let regex = json!({"grammar": {"type": "regex", "value": "a+"}});
        assert_eq!(checked(regex, false), Ok(()));
        for unreadable in [
            json!({"stop": null}),
            json!({"stop": "a"}),
            json!({"max_new_tokens": -1}),
            json!({"max_new_tokens": 2.0}),
            json!({"grammar": {"type": "yaml", "value": ""}}),
        ] {
            let body = json!({"inputs": "a", "parameters": unreadable});
            assert!(serde_json::from_value::<Generate>(body).is_err());
        }
    }
}
