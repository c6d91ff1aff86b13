//! What of an answer a client's dialect has no place for, and whether the answer can go without it.
//!
//! Images, sound, documents and calls of custom tools are the answer, or a part of it: without them it is another one. What a server's own tools did on the way, such as code
//! that it ran, and what it looked up, may be left out as long as the answer says something besides.

use serde_json::Value;

use super::event::Event;
use super::message::{Part, Source};
use super::reply::Reply;
use crate::codec::Codec;

/// An answer that cannot be told in the client's dialect. Nobody's fault; no retry helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the answer holds {what}, for which the API that was called has no place: call the model in its own vendor's API"
)]
pub struct Untold {
    /// What there is no place for: `an image (image/png)`.
    pub what: String,
}

/// What has been told of an answer so far.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    said: bool,
    left_out: bool,
}

impl Telling {
    /// Notes an event that is about to be told.
    ///
    /// # Errors
    /// [`Untold`], if the answer ends here without having said anything but what was left out.
    pub fn event(&mut self, event: &Event<'_>) -> Result<(), Untold> {
        match event {
            Event::Text { .. } | Event::Refusal { .. } | Event::ToolStart { .. } => {
                self.said = true;
            }
            Event::Finish { .. } => return self.end(),
            _ => {}
        }
        Ok(())
    }

    /// Notes a part, which a client has a `place` for or not.
    ///
    /// # Errors
    /// [`Untold`], if the answer is another without it.
    pub fn part(&mut self, part: &Part, place: bool) -> Result<(), Untold> {
        if place {
            self.said |= !matches!(part, Part::Reasoning { .. });
            return Ok(());
        }
        if let Some(what) = made(part) {
            return Err(Untold { what });
        }
        self.left_out = true;
        Ok(())
    }

    /// The answer is over.
    ///
    /// # Errors
    /// [`Untold`], if all that it said was left out.
    pub fn end(&self) -> Result<(), Untold> {
        if self.said || !self.left_out {
            return Ok(());
        }
        let what = "nothing but what its server's own tools did".to_owned();
        Err(Untold { what })
    }
}

/// Whether a client can be told the whole of an answer.
///
/// # Errors
/// [`Untold`].
pub fn tellable(reply: &Reply, client: &dyn Codec) -> Result<(), Untold> {
    for choice in &reply.choices {
        let mut telling = Telling::default();
        for part in &choice.parts {
            telling.part(part, client.has_place_for(part))?;
        }
        telling.end()?;
    }
    Ok(())
}

/// What a part is that a model made, besides words; none where it is something else.
fn made(part: &Part) -> Option<String> {
    let source = match part {
        Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source } => {
            source
        }
        Part::Other { kind, value } => return others(kind, value),
        _ => return None,
    };
    let what = part.described();
    Some(match source {
        Source::Inline {
            media_type: Some(media_type),
            ..
        } => format!("{what} ({media_type})"),
        _ => what.to_owned(),
    })
}

/// The same of a kind that only one dialect knows, such as a video. What Gemini drafted while it thought is no part of the answer.
fn others(kind: &str, value: &Value) -> Option<String> {
    if ["audio", "document", "image", "video"].contains(&kind) {
        return Some(format!("a part of kind {kind:?}"));
    }
    if kind == "custom" {
        return Some("a call of a custom tool".to_owned());
    }
    let part = value.get("part")?;
    let made = ["inlineData", "fileData"].map(|name| part.get(name));
    let made = made.into_iter().flatten().next()?;
    let drafted = part.get("thought").is_some_and(|thought| thought == true);
    let media_type = made.get("mimeType").or_else(|| made.get("mime_type"));
    let media_type = media_type
        .and_then(Value::as_str)
        .unwrap_or("no media type");
    (!drafted).then(|| format!("a file ({media_type})"))
}
