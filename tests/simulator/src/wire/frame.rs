//! What stands around each event of a stream, by dialect.

use bytes::Bytes;

use super::{event_stream, steps::escaped};
use crate::words::Wire;

/// What stands around an event's data, and before each as a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Server-sent events, with comments between them.
    Events,
    /// The same, with Anthropic's pings.
    Pinged,
    /// The same without a space after the colon, and comments that say nothing, as axum writes them.
    Tight,
    /// Server-sent events whose lines end in CR LF, as Google writes them.
    Google,
    /// The elements of one JSON array.
    Array,
    /// A line each, and nothing between them.
    Lines,
    /// AWS's binary frames.
    EventStream,
}

impl Frame {
    /// The media type.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Events | Self::Pinged => "text/event-stream; charset=utf-8",
            Self::Tight | Self::Google => "text/event-stream",
            Self::Array => "application/json; charset=UTF-8",
            Self::Lines => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }

    /// Whether it is one of server-sent events.
    pub(crate) fn is_sse(self) -> bool {
        match self {
            Self::Events | Self::Pinged | Self::Tight | Self::Google => true,
            Self::Array | Self::Lines | Self::EventStream => false,
        }
    }

    /// What ends the whole, if anything.
    pub(super) fn close(self) -> Option<&'static str> {
        (self == Self::Array).then_some("]")
    }

    /// An event as it is written; `first`: none was before it.
    pub(super) fn around(self, name: Option<&str>, data: &str, wire: &Wire, first: bool) -> Bytes {
        if self == Self::EventStream {
            let name = name.unwrap_or_default();
            return if wire.escaped {
                event_stream::message(name, escaped(data).as_bytes())
            } else {
                event_stream::message(name, data.as_bytes())
            };
        }
        let line = if wire.crlf || self == Self::Google {
            "\r\n"
        } else {
            "\n"
        };
        let mut text = String::with_capacity(data.len() + 64);
        if wire.comments {
            match self {
                Self::Events | Self::Google => text.extend([": keep-alive", line, line]),
                Self::Tight => text.extend([":", line, line]),
                Self::Pinged => text.extend([
                    "event: ping",
                    line,
                    "data: {\"type\": \"ping\"}",
                    line,
                    line,
                ]),
                Self::Array | Self::Lines | Self::EventStream => {}
            }
        }
        if let Some(name) = name {
            text.extend(["event: ", name, line]);
        }
        match self {
            Self::Events | Self::Pinged | Self::Google => text.push_str("data: "),
            Self::Tight => text.push_str("data:"),
            Self::Array => text.push_str(if first { "[" } else { "," }),
            Self::Lines | Self::EventStream => {}
        }
        if wire.escaped {
            text.push_str(&escaped(data));
        } else {
            text.push_str(data);
        }
        text.push_str(line);
        if self.is_sse() {
            text.push_str(line);
        }
        text.into()
    }
}
