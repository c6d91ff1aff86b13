//! What Claude's interfaces have no field for.
//!
//! A value that says what happens anyway (a penalty of 0, one alternative, every token allowed) is left out; any other is refused.

use crate::form::{Field, Refused, Request, ToolChoice};

/// Refuses what neither Anthropic's nor Bedrock's requests can say; `vendor` and `page` are for the message.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn check(request: &Request, vendor: &str, page: &'static str) -> Result<(), Refused> {
    let sampling = &request.sampling;
    let not = |value: Option<f64>, nothing: f64| value.is_some_and(|value| value != nothing);
    let faults = [
        (
            request.n.is_some_and(|n| n != 1),
            Field::N,
            "gives one answer at a time",
        ),
        (
            request.suffix.is_some(),
            Field::Suffix,
            "does not fill a gap in a text",
        ),
        (
            request.logprobs.is_some(),
            Field::Logprobs,
            "gives no probabilities of tokens",
        ),
        (sampling.seed.is_some(), Field::Seed, "has no seed"),
        (not(sampling.min_p, 0.0), Field::MinP, "has no min_p"),
        (
            not(sampling.typical_p, 1.0),
            Field::TypicalP,
            "has no typical_p",
        ),
        (
            not(sampling.frequency_penalty, 0.0),
            Field::FrequencyPenalty,
            "has no frequency penalty",
        ),
        (
            not(sampling.presence_penalty, 0.0),
            Field::PresencePenalty,
            "has no presence penalty",
        ),
        (
            not(sampling.repetition_penalty, 1.0),
            Field::RepetitionPenalty,
            "has no repetition penalty",
        ),
        (
            sampling
                .logit_bias
                .as_ref()
                .is_some_and(|bias| !bias.is_empty()),
            Field::LogitBias,
            "has no logit bias",
        ),
    ];
    for (fault, field, lack) in faults {
        if fault {
            let message = format!("{vendor} {lack}; remove the field, or choose another model.");
            return Err(Refused::new(field, message, page));
        }
    }
    if sampling
        .temperature
        .is_some_and(|value| !(0.0..=1.0).contains(&value))
    {
        let message = format!("{vendor} takes temperatures from 0 to 1; lower it.");
        return Err(Refused::new(Field::Temperature, message, page));
    }
    if request.stop.iter().any(|stop| stop.trim().is_empty()) {
        let message = format!(
            "{vendor} does not stop at blank text; remove it, or cut the answer where it arrives."
        );
        return Err(Refused::new(Field::Stop, message, page));
    }
    Ok(())
}

/// Refuses what Claude does not take where it thinks: another temperature, a cut of the tokens, a forced call.
///
/// # Errors
/// [`Refused`], naming the field.
pub fn beside_thinking(request: &Request) -> Result<(), Refused> {
    let page = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking";
    let sampling = &request.sampling;
    let forced = matches!(
        request.tool_choice,
        Some(
            ToolChoice::Required
                | ToolChoice::Named(_)
                | ToolChoice::Allowed { required: true, .. }
        )
    );
    let faults = [
        (
            sampling.temperature.is_some_and(|value| value != 1.0),
            Field::Temperature,
            "thinks at temperature 1 only",
        ),
        (
            sampling.top_k.is_some_and(|count| count > 0),
            Field::TopK,
            "takes no top_k where it thinks",
        ),
        (
            sampling.top_p.is_some_and(|mass| mass < 0.95),
            Field::TopP,
            "takes no top_p below 0.95 where it thinks",
        ),
        (
            forced,
            Field::ToolChoice,
            "does not force a call where it thinks",
        ),
    ];
    for (fault, field, lack) in faults {
        if fault {
            let message = format!("Claude {lack}; remove it, or ask for no reasoning.");
            return Err(Refused::new(field, message, page));
        }
    }
    Ok(())
}
