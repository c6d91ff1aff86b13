//! Promises about stripping, tried on generated texts and streams, split anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dragoman_dialects::Wire;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::split::Start;
use super::{OpenAiStream, Pieces, Rules, Stripper, Tag, Text};
use crate::sse::Framer;

/// A text in which anything that matters to the stripper is likely.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("<think>"), 4 => Just("</think>"), 1 => Just("<think a=\"1\">"), 1 => Just("<think"),
        2 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r"), 1 => Just("\n\n"), 1 => Just(" "), 1 => Just("\t"),
        1 => Just("```"), 1 => Just("\n```\n"), 1 => Just("~~~~"), 1 => Just("`"), 1 => Just("<"), 1 => Just(">"),
        2 => Just("word"), 1 => Just("\u{e9}\u{1f600}"), 1 => Just("\"\\"),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn rules() -> impl Strategy<Value = Arc<Rules>> {
    let text = prop_oneof![Just(Text::Strip), Just(Text::Extract)];
    (text, any::<bool>(), any::<bool>()).prop_map(|(text, starts_open, odd)| {
        let mut tags = vec![Tag::default()];
        if odd {
            tags.push(Tag {
                open: "```".into(),
                close: "word".into(),
            });
        }
        Arc::new(Rules::new(text, tags, starts_open, false))
    })
}

/// Cuts a text at any of its characters.
fn cut(text: &str, places: &[prop::sample::Index]) -> Vec<String> {
    let mut ends: Vec<_> = (0..=text.len())
        .filter(|at| text.is_char_boundary(*at))
        .collect();
    ends = places.iter().map(|place| *place.get(&ends)).collect();
    ends.extend([0, text.len()]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|pair| text[pair[0]..pair[1]].to_owned())
        .collect()
}

fn strip<'a>(rules: &Arc<Rules>, pieces: impl IntoIterator<Item = &'a String>) -> Pieces<'static> {
    let mut stripper = Stripper::new(Arc::clone(rules));
    let mut whole = Pieces::default();
    pieces
        .into_iter()
        .for_each(|piece| whole.append(stripper.push(piece)));
    whole.append(stripper.finish());
    whole
}

/// Sends a stream through in chunks that end at `places`.
fn relay(rules: &Arc<Rules>, stream: &[u8], places: &[usize]) -> Vec<u8> {
    let mut ends: Vec<_> = places
        .iter()
        .map(|place| place % (stream.len() + 1))
        .collect();
    ends.extend([0, stream.len()]);
    ends.sort_unstable();
    let mut relay = OpenAiStream::new(Arc::clone(rules));
    let mut out = Vec::new();
    for pair in ends.windows(2) {
        relay
            .push(Bytes::copy_from_slice(&stream[pair[0]..pair[1]]), &mut out)
            .unwrap();
    }
    relay.finish(&mut out).unwrap();
    out.concat()
}

/// The text and reasoning of every choice, as a client puts them together.
fn collected(stream: &[u8]) -> BTreeMap<u64, (String, String)> {
    let mut choices: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut framer = Framer::default();
    framer.feed(Bytes::copy_from_slice(stream));
    while let Some(event) = framer.next_event().unwrap() {
        let Ok(chunk) = serde_json::from_slice::<Value>(event.data().unwrap_or_default()) else {
            continue;
        };
        for choice in chunk["choices"].as_array().unwrap() {
            let entry = choices
                .entry(choice["index"].as_u64().unwrap())
                .or_default();
            let text = choice["delta"]["content"]
                .as_str()
                .or(choice["text"].as_str());
            entry.0.push_str(text.unwrap_or_default());
            let holder = if choice["delta"].is_object() {
                &choice["delta"]
            } else {
                choice
            };
            entry
                .1
                .push_str(holder["reasoning_content"].as_str().unwrap_or_default());
        }
    }
    choices
}

/// A stream of chunks whose choices say `texts`, cut into deltas, in turns.
fn stream(texts: &[Vec<String>], chat: bool, ascii: bool, ends: bool, ending: &str) -> Vec<u8> {
    let mut out = String::new();
    let mut say = |choice: String| {
        let chunk = format!("{{\"id\":\"c\",\"choices\":[{choice}]}}");
        out.push_str(&format!("data: {chunk}{ending}{ending}"));
    };
    let finish = if ends { "\"stop\"" } else { "null" };
    for turn in 0..texts.iter().map(Vec::len).max().unwrap_or(0) {
        for (index, deltas) in texts.iter().enumerate() {
            let Some(delta) = deltas.get(turn) else {
                continue;
            };
            let mut literal = serde_json::to_string(delta).unwrap();
            if ascii {
                literal = literal
                    .replace('<', "\\u003c")
                    .replace('>', "\\u003E")
                    .replace('\u{e9}', "\\u00e9");
            }
            say(if chat {
                format!(
                    "{{\"index\":{index},\"delta\":{{\"content\":{literal}}},\"finish_reason\":null}}"
                )
            } else {
                format!("{{\"text\":{literal},\"index\":{index},\"logprobs\":null}}")
            });
        }
    }
    for index in 0..texts.len() {
        say(if chat {
            format!("{{\"index\":{index},\"delta\":{{}},\"finish_reason\":{finish}}}")
        } else {
            format!("{{\"text\":\"\",\"index\":{index},\"finish_reason\":{finish}}}")
        });
    }
    out.push_str(&format!(
        ": done{ending}{ending}data: [DONE]{ending}{ending}"
    ));
    out.into_bytes()
}

fn places() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

/// A message whose blocks say `texts`, cut into deltas.
fn message(texts: &[Vec<String>], ending: &str) -> Vec<u8> {
    let mut out = String::new();
    let mut say = |data: Value| out.push_str(&format!("data: {data}{ending}{ending}"));
    for (index, deltas) in texts.iter().enumerate() {
        let block = json!({"type": "text", "text": ""});
        say(json!({"type": "content_block_start", "index": index, "content_block": block}));
        for delta in deltas {
            let delta = json!({"type": "text_delta", "text": delta});
            say(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        say(json!({"type": "content_block_stop", "index": index}));
    }
    say(json!({"type": "message_stop"}));
    out.into_bytes()
}

/// The visible text and the thinking of a message, whose blocks must come one after another without a gap.
fn read_message(stream: &str) -> (String, String) {
    let (mut text, mut thinking, mut open, mut next) = (String::new(), String::new(), false, 0);
    for line in stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        let event: Value = serde_json::from_str(line).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert!(!open && event["index"] == next, "{stream}");
                open = true;
            }
            "content_block_stop" => {
                assert!(open && event["index"] == next, "{stream}");
                (open, next) = (false, next + 1);
            }
            "content_block_delta" => {
                assert!(open && event["index"] == next, "{stream}");
                text += event["delta"]["text"].as_str().unwrap_or_default();
                thinking += event["delta"]["thinking"].as_str().unwrap_or_default();
            }
            _ => assert!(!open),
        }
    }
    (text, thinking)
}

/// Lines that say a text, cut.
fn lines(deltas: &[String], chat: bool, ending: &str) -> Vec<u8> {
    let (last, count) = ([String::new()], deltas.len());
    let deltas = deltas.iter().chain(&last).enumerate();
    let line = |(at, text): (usize, &String)| {
        let line = if chat {
            json!({"message": {"role": "assistant", "content": text}, "done": at == count})
        } else {
            json!({"response": text, "done": at == count})
        };
        format!("{line}{ending}")
    };
    deltas.map(line).collect::<String>().into_bytes()
}

/// The visible text and the thinking of lines.
fn read_lines(stream: &str) -> (String, String) {
    let (mut text, mut thinking) = (String::new(), String::new());
    for line in stream.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let holder = if line["message"].is_object() {
            &line["message"]
        } else {
            &line
        };
        let said = holder["content"].as_str().or(holder["response"].as_str());
        text += said.unwrap_or_default();
        thinking += holder["thinking"].as_str().unwrap_or_default();
    }
    (text, thinking)
}

/// Chunks of a stream that end at `places`.
fn split<'a>(stream: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = places
        .iter()
        .map(|place| place % (stream.len() + 1))
        .collect();
    ends.extend([0, stream.len()]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|pair| &stream[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #[test]
    fn an_anthropic_client_sees_every_block_stripped(
        rules in rules(), texts in prop::collection::vec((text(), places()), 1..4),
        shown: bool, crlf: bool, splits in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let deltas: Vec<_> = texts.iter().map(|(text, places)| cut(text, places)).collect();
        let stream = message(&deltas, if crlf { "\r\n" } else { "\n" });
        let mut expected = (String::new(), String::new());
        for (at, (text, _)) in texts.iter().enumerate() {
            let mut stripper = match at {
                0 => Stripper::new(Arc::clone(&rules)),
                _ => Stripper::later(Arc::clone(&rules)),
            };
            let mut pieces = stripper.push(text);
            pieces.append(stripper.finish());
            expected.0 += &pieces.visible;
            if shown {
                expected.1 += &pieces.reasoning;
            }
        }
        let start = Start { wire: Wire::Messages, rules, shown };
        let whole = start.relay([&stream[..]]);
        prop_assert_eq!(read_message(&whole), expected);
        prop_assert_eq!(start.relay(split(&stream, &splits)), whole);
    }

    #[test]
    fn an_ollama_client_sees_its_text_stripped(
        rules in rules(), text in text(), places in places(), chat: bool, crlf: bool,
        splits in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let stream = lines(&cut(&text, &places), chat, if crlf { "\r\n" } else { "\n" });
        let expected = strip(&rules, [&text]);
        let start = Start { wire: Wire::OllamaChat, rules, shown: true };
        let whole = start.relay([&stream[..]]);
        let seen = read_lines(&whole);
        prop_assert_eq!(seen, (expected.visible.into_owned(), expected.reasoning.into_owned()));
        prop_assert_eq!(start.relay(split(&stream, &splits)), whole);
    }

    #[test]
    fn a_text_split_anywhere_is_stripped_alike(rules in rules(), text in text(), places in places()) {
        prop_assert_eq!(strip(&rules, &cut(&text, &places)), strip(&rules, [&text]));
    }

    #[test]
    fn a_text_without_tags_comes_out_as_it_went_in(text: String, places in places()) {
        let text = text.replace('<', "\n");
        let rules = Arc::new(Rules::default());
        prop_assert_eq!(strip(&rules, &cut(&text, &places)).visible, text);
    }

    #[test]
    fn a_client_sees_every_choice_stripped(
        rules in rules(), texts in prop::collection::vec((text(), places()), 1..4),
        chat: bool, ascii: bool, ends: bool, crlf: bool, splits in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let deltas: Vec<_> = texts.iter().map(|(text, places)| cut(text, places)).collect();
        let stream = stream(&deltas, chat, ascii, ends, if crlf { "\r\n" } else { "\n" });
        let whole = relay(&rules, &stream, &[]);
        for (index, seen) in collected(&whole) {
            let expected = strip(&rules, [&texts[index as usize].0]);
            prop_assert_eq!(seen, (expected.visible.into_owned(), expected.reasoning.into_owned()));
        }
        prop_assert_eq!(relay(&rules, &stream, &splits), whole);
    }

    #[test]
    fn any_bytes_without_a_chunk_in_them_pass(bytes: Vec<u8>, splits in prop::collection::vec(any::<usize>(), 0..9)) {
        prop_assert_eq!(relay(&Arc::new(Rules::default()), &bytes, &splits), bytes);
    }
}
