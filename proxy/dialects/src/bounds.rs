//! A stream's choices and calls, which stay within bounds however an upstream numbers them.

use crate::codec::{Frame, StreamReader};
use crate::form::event::{CALLS, CHOICES};
use crate::form::{Event, Garbage};

/// A reader whose events are of [`CHOICES`] choices and [`CALLS`] calls of each at most.
pub struct Bounded(pub Box<dyn StreamReader>);

impl StreamReader for Bounded {
    fn read(&mut self, frame: Frame<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Garbage> {
        let mut beyond = false;
        self.0.read(frame, &mut |event| {
            beyond = beyond || is_beyond(&event);
            if !beyond {
                emit(event);
            }
        })?;
        if beyond {
            return Err(Garbage::too_many(frame.data));
        }
        Ok(())
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> bool {
        self.0.end(emit)
    }
}

impl std::fmt::Debug for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}

fn is_beyond(event: &Event<'_>) -> bool {
    let (choice, call) = match event {
        Event::Text { choice, .. }
        | Event::Reasoning { choice, .. }
        | Event::ReasoningSignature { choice, .. }
        | Event::ReasoningEncrypted { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::Part { choice, .. }
        | Event::Finish { choice, .. } => (*choice, 0),
        Event::ToolStart { choice, call, .. } | Event::ToolArguments { choice, call, .. } => {
            (*choice, *call)
        }
        Event::Start { .. } | Event::Usage(_) | Event::Ping | Event::Failed(_) | Event::Done => {
            return false;
        }
    };
    choice as usize >= CHOICES || call as usize >= CALLS
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::Wire;

    /// What becomes of these frames: how many events were heard, and whether all frames were read.
    fn read(wire: Wire, frames: impl Iterator<Item = String>) -> (usize, bool) {
        let mut reader = Bounded(wire.codec().stream_reader());
        let mut heard = 0;
        for frame in frames {
            let frame = Frame {
                data: frame.as_bytes(),
                ..Frame::default()
            };
            if reader.read(frame, &mut |_| heard += 1).is_err() {
                return (heard, false);
            }
        }
        (heard, true)
    }

    fn chat(index: usize, delta: &str) -> String {
        format!(r#"{{"choices":[{{"index":{index},"delta":{delta}}}]}}"#)
    }

    fn call(index: usize, name: &str) -> String {
        format!(r#"{{"tool_calls":[{{"index":{index},"function":{{{name}}}}}]}}"#)
    }

    #[test]
    fn a_stream_of_more_choices_than_a_vendor_gives_is_no_stream() {
        let said = |most: usize, delta: &'static str| (0..most).map(move |at| chat(at, delta));
        assert!(read(Wire::Chat, said(CHOICES, r#"{"content":"a"}"#)).1);
        assert!(!read(Wire::Chat, said(CHOICES + 1, r#"{"content":"a"}"#)).1);
        // Nor one of choices that say nothing, or of one that is far off.
        assert!(!read(Wire::Chat, said(CHOICES + 1, "{}")).1);
        let far = chat(4_000_000_000, r#"{"content":"a"}"#);
        assert!(!read(Wire::Chat, std::iter::once(far)).1);
        let text = |at| format!(r#"{{"choices":[{{"index":{at},"text":"a"}}]}}"#);
        assert!(!read(Wire::Completions, (0..=CHOICES).map(text)).1);
        let candidate =
            |at| format!(r#"{{"candidates":[{{"index":{at},"content":{{"parts":[]}}}}]}}"#);
        assert!(!read(Wire::Gemini, (0..=CHOICES).map(candidate)).1);
    }

    #[test]
    fn a_stream_of_more_calls_than_anyone_reads_is_no_stream() {
        let named = |most: usize| (0..most).map(|at| chat(0, &call(at, r#""name":"f""#)));
        assert!(read(Wire::Chat, named(CALLS)).1);
        assert!(!read(Wire::Chat, named(CALLS + 1)).1);
        // Nor one of calls that are never named.
        let unnamed = |at| chat(0, &call(at, r#""arguments":"a""#));
        assert!(!read(Wire::Chat, (0..=CALLS).map(unnamed)).1);
        let open = |at| {
            format!(
                r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"text","text":""}}}}"#
            )
        };
        let start = r#"{"type":"message_start","message":{"id":"m"}}"#.to_owned();
        let blocks = std::iter::once(start).chain((0..=CALLS).map(open));
        assert!(!read(Wire::Messages, blocks).1);
        let item = |at| {
            format!(
                r#"{{"type":"response.output_item.added","output_index":{at},"item":{{"type":"function_call","call_id":"c","name":"f"}}}}"#
            )
        };
        assert!(!read(Wire::Responses, (0..=CALLS).map(item)).1);
    }

    #[test]
    fn one_frame_of_too_many_is_read_no_further_than_it_may() {
        let mut frame = r#"{"choices":["#.to_owned();
        for at in 0..200_000 {
            write!(frame, r#"{{"index":{at},"delta":{{"content":"a"}}}},"#).unwrap();
        }
        frame.pop();
        frame.push_str("]}");
        let (heard, whole) = read(Wire::Chat, std::iter::once(frame));
        assert!(heard <= CHOICES + 1 && !whole, "{heard}");
        let line = |call: &str| format!(r#"{{"message":{{"tool_calls":[{call}]}}}}"#);
        let calls = vec![r#"{"function":{"name":"f","arguments":{}}}"#; 5 * CALLS].join(",");
        let (heard, whole) = read(Wire::OllamaChat, std::iter::once(line(&calls)));
        assert!(heard <= 2 * CALLS + 1 && !whole, "{heard}");
    }
}
