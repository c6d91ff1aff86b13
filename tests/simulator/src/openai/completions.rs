//! Text completions, the older endpoint.
//!
//! Source: [the object](https://platform.openai.com/docs/api-reference/completions/object).

use serde_json::json;

use super::head::{Head, Piece, Tail, interleaved};
use crate::{
    answer::{Choice, Usage, pieces},
    wire::Event,
};

const OBJECT: &str = "text_completion";

/// The body of a plain reply, one entry for each of `choices`.
pub(crate) fn plain(head: &Head, choices: &[Choice], usage: Option<Usage>) -> String {
    let entry = |(index, choice): (usize, &Choice)| {
        let text = choice.text.as_deref().unwrap_or_default();
        let finish = choice.finish;
        json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish})
    };
    let choices: Vec<_> = choices.iter().enumerate().map(entry).collect();
    head.reply(OBJECT, &choices, usage)
}

/// The events of a stream, the choices interleaved.
pub(crate) fn stream(
    head: &Head,
    choices: &[Choice],
    chunk: Option<usize>,
    tail: &Tail,
) -> Box<dyn Iterator<Item = Event> + Send> {
    let piece = |index: usize, text: &str, finish: Option<&str>| Piece {
        choice: json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish})
            .to_string(),
        token: finish.is_none(),
    };
    let choices = choices.iter().enumerate().map(|(index, choice)| {
        let text = choice.text.as_deref().unwrap_or_default();
        let texts = pieces(text, chunk.map(|size| size + index));
        let mut all: Vec<_> = texts.iter().map(|text| piece(index, text, None)).collect();
        all.push(piece(index, "", Some(choice.finish)));
        all
    });
    head.events(OBJECT, interleaved(choices.collect()), tail)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{answer::Asked, words::Behaviour};

    #[test]
    fn each_prompt_has_its_choice() {
        let head = Head {
            id: "x".into(),
            model: "m".into(),
            fingerprint: "f".into(),
            extras: false,
            filtered: false,
        };
        let choices: Vec<_> = ["a b", "c"]
            .map(|text| Asked {
                text: text.into(),
                ..Asked::default()
            })
            .iter()
            .map(|asked| Choice::of(&Behaviour::of("echo").answer, asked))
            .collect();
        let whole: Value = serde_json::from_str(&plain(&head, &choices, None)).unwrap();
        assert_eq!(whole["choices"][1]["text"], "c");
        let tail = Tail {
            usage: None,
            done: false,
        };
        let chunks: Vec<Value> = stream(&head, &choices, None, &tail)
            .map(|event| serde_json::from_str(&event.data).unwrap())
            .collect();
        let texts: Vec<_> = chunks
            .iter()
            .map(|chunk| chunk["choices"][0]["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["a", "c", " b", "", ""]);
    }
}
