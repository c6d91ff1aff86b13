//! The bytes that go over the wire: requests as the vendors' SDKs for Python send them, and replies as vLLM and Anthropic do.
//!
//! - [`openai`], [`anthropic`]: what is said in either API.
//! - [`way`]: which of them an exchange begins in, and which it ends in.

mod anthropic;
mod openai;
mod way;

use std::net::SocketAddr;

pub(crate) use openai::reply_body;
pub(crate) use way::Way;

/// The name that clients ask for.
pub(crate) const REQUESTED_MODEL: &str = "gpt-4";
/// The name that the upstream knows.
pub(crate) const UPSTREAM_MODEL: &str = "llama";
/// The key that clients send, which the upstream must not see from the proxy. A policy knows it as a user's token.
pub(crate) const CLIENT_KEY: &str = "sk-the-clients-own-placeholder";
/// The key that the upstream wants from the proxy.
pub(crate) const UPSTREAM_KEY: &str = "sk-bench-0123456789abcdef0123456789abcdef";
/// The text of every event.
pub(crate) const TOKEN: &str = " court";
/// Events of a stream at full speed, without those that begin and end it.
pub(crate) const FULL_EVENTS: usize = FULL_BLOCKS * EVENTS_PER_BLOCK;
/// Writes of a stream at full speed.
pub(crate) const FULL_BLOCKS: usize = 32;
/// Events in one write of a stream at full speed, as a socket gathers them when the reader is slower.
pub(crate) const EVENTS_PER_BLOCK: usize = 64;

/// What a request asks the upstream for; it travels as the user's name, which both APIs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole reply of about 2 KiB.
    Plain,
    /// A stream of one event.
    Single,
    /// A stream with an event every 20 ms, until the client leaves.
    Paced,
    /// A stream of [`FULL_EVENTS`] as fast as the socket takes them.
    Full,
    /// A stream that falls silent after its first event, until the client leaves.
    Idle,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 5] = [
        Self::Plain,
        Self::Single,
        Self::Paced,
        Self::Full,
        Self::Idle,
    ];

    /// The user's name in the body.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Single => "single",
            Self::Paced => "paced",
            Self::Full => "full",
            Self::Idle => "idle",
        }
    }
}

/// An API that a stream may be spoken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// OpenAI's chat completions, as vLLM serves them.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

impl Api {
    /// Every API.
    pub(crate) const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// Where requests of it go.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// The header of a key, up to the key.
    pub(crate) fn key_mark(self) -> &'static str {
        match self {
            Self::OpenAi => "Bearer ",
            Self::Anthropic => "x-api-key: ",
        }
    }

    /// The field of the user's name, up to the name.
    pub(crate) fn user_mark(self) -> &'static str {
        match self {
            Self::OpenAi => "\"user\":\"",
            Self::Anthropic => "\"user_id\":\"",
        }
    }

    /// What stands before a stream's events.
    pub(crate) fn start(self) -> String {
        match self {
            // The first event says the role too, which nobody needs.
            Self::OpenAi => String::new(),
            Self::Anthropic => anthropic::start(),
        }
    }

    /// One event of a stream, with the empty line that ends it.
    pub(crate) fn event(self) -> String {
        match self {
            Self::OpenAi => openai::event(),
            Self::Anthropic => anthropic::event(),
        }
    }

    /// What stands after a stream's events.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::OpenAi => openai::END,
            Self::Anthropic => anthropic::END,
        }
    }

    /// What begins an event that holds text, and nothing else.
    pub(crate) fn event_mark(self) -> &'static str {
        match self {
            Self::OpenAi => "\"delta\":{\"content\":\" ",
            Self::Anthropic => "\"type\":\"text_delta\"",
        }
    }
}

/// A request with a body of about 1 KiB, for the way's host at `address`.
pub(crate) fn request(address: SocketAddr, way: Way, kind: Kind) -> Vec<u8> {
    let host = format!("{}:{}", way.host(), address.port());
    match way.client {
        Api::OpenAi => openai::request(&host, kind),
        Api::Anthropic => anthropic::request(&host, kind),
    }
}

/// One chunk of the chunked coding.
pub(crate) fn chunk(payload: &str) -> String {
    format!("{:x}\r\n{payload}\r\n", payload.len())
}

/// What every request asks.
fn question() -> String {
    let sentence =
        "Summarise what an interpreter at a royal court did, whom he served, and how he was paid. ";
    sentence.repeat(8).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

    fn body(request: &[u8]) -> &[u8] {
        let end = memchr::memmem::find(request, b"\r\n\r\n").unwrap();
        &request[end + 4..]
    }

    #[test]
    fn sizes_are_those_that_the_report_names() {
        for way in Way::ALL {
            let request = request(ADDRESS, way, Kind::Plain);
            let length = body(&request).len();
            assert!((900..=1150).contains(&length), "{way:?}: {length}");
        }
        let length = reply_body().len();
        assert!((1900..=2200).contains(&length), "{length}");
        assert_eq!(Api::OpenAi.event().len(), 218);
        assert_eq!(Api::Anthropic.event().len(), 121);
    }

    #[test]
    fn bodies_are_json() {
        for api in Api::ALL {
            let request = request(ADDRESS, Way::within(api), Kind::Full);
            let body = body(&request);
            let value: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert_eq!(value["model"], REQUESTED_MODEL);
            let user = format!("{}full\"", api.user_mark());
            assert!(memchr::memmem::find(body, user.as_bytes()).is_some());
            let stream = api.start() + &api.event() + api.end();
            let data = stream
                .lines()
                .filter_map(|line| line.strip_prefix("data: "));
            for data in data.filter(|data| *data != "[DONE]") {
                assert!(serde_json::from_str::<serde_json::Value>(data).is_ok());
            }
        }
        assert!(serde_json::from_str::<serde_json::Value>(&reply_body()).is_ok());
    }
}
