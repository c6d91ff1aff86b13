//! What a model's name asks for: words joined by `+`, each one a behaviour.
//!
//! The table of all words is in the crate's documentation.

mod parse;

use std::time::Duration;

/// Everything that a model name asks for. The default is that of `echo`: the right answer at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Behaviour {
    /// What the answer says.
    pub answer: Answer,
    /// What stands in place of an answer.
    pub fault: Fault,
    /// How the answer is written, and where the writing goes wrong.
    pub wire: Wire,
    /// `times-N`: the fault and the wire's faults strike the first N requests of this model name only.
    pub times: Option<u64>,
}

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Where its text comes from.
    pub source: Source,
    /// `think`: a `<think>` block stands before the text.
    pub think: bool,
    /// `reasoning`: thoughts go to `reasoning_content`.
    pub reasoning: bool,
    /// `tools`, `parallel-tools`: how many tools are called.
    pub tools: usize,
    /// A word that names a text was given, so that text and tool calls go together.
    pub text: bool,
    /// `chunk-N`: characters of a streamed piece; absent: a word a piece.
    pub chunk: Option<usize>,
    /// `no-usage`: no figures of usage, even if asked.
    pub no_usage: bool,
    /// `extras`: fields and spellings that no schema knows, to see them survive.
    pub extras: bool,
    /// `filtered`, `blocked`: what the content filter stops.
    pub filter: Option<Filter>,
    /// `strict`: unknown fields of the request are refused, as OpenAI itself does.
    pub strict: bool,
    /// `remembers`: calls without what the model reasoned before them are refused, as DeepSeek does.
    pub remembers: bool,
}

/// What the content filter stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `filtered`: the answer, at its end.
    Answer,
    /// `blocked`: the prompt, where the dialect tells them apart; else the answer.
    Prompt,
}

/// Where the text of an answer comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Source {
    /// The last user message, streamed by words (`echo`) or characters (`say`).
    #[default]
    User,
    /// `tokens-N`: that many words.
    Tokens(usize),
    /// `huge-SIZE`: that many bytes.
    Bytes(usize),
}

/// What stands in place of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fault {
    /// `status-N`: an error of that status.
    pub status: Option<u16>,
    /// `retry-after-N`: seconds of a `Retry-After` header.
    pub retry_after: Option<u64>,
    /// `html`: the error's body is a web page.
    pub html: bool,
    /// `headers`: the rate-limit headers of OpenAI.
    pub headers: bool,
    /// `hop-headers`: headers that concern this connection only.
    pub hop_headers: bool,
    /// `redirect-…`: another place is named first.
    pub redirect: Option<Redirect>,
    /// `hang`: no byte of an answer, ever.
    pub hang: bool,
    /// `drop`: the connection closes without an answer.
    pub drop: bool,
}

/// `redirect-STATUS-N` (N hops here) or `redirect-STATUS-to-HOST:PORT` (one hop to another origin).
#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    /// The status of each hop.
    pub status: u16,
    /// Where to.
    pub to: Hops,
}

/// Where redirects lead.
#[derive(Debug, Clone, PartialEq)]
pub enum Hops {
    /// Here, so many times; then the answer.
    Here(u32),
    /// To the same path of `http://` this host and port, at once and always.
    Origin(String),
}

/// How the answer is written, and where the writing goes wrong.
///
/// Events are counted from the first; the role's, the finish and `[DONE]` count too, comments do not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wire {
    /// `first-byte-TIME`: before the status line.
    pub first_byte: Duration,
    /// `first-token-TIME`: after the head, before the first event.
    pub first_token: Duration,
    /// `token-TIME`: before each piece of text, thought or arguments.
    pub token: Duration,
    /// `cut-N`: the connection breaks after so many events (a plain reply in its middle).
    pub cut: Option<usize>,
    /// `stall-N`: silence for ever after so many events (a plain reply in its middle).
    pub stall: Option<usize>,
    /// `error-N`: an error event after so many events, then the end.
    pub error: Option<usize>,
    /// `malformed`: the third event, or the plain body, is cut-off JSON.
    pub malformed: bool,
    /// `coalesced`: all events in one write.
    pub coalesced: bool,
    /// `split`: each byte its own write.
    pub split: bool,
    /// `crlf`: lines of the event stream end in CR LF.
    pub crlf: bool,
    /// `gzip`, `gzip-always`: compressed if the client accepts it, or regardless.
    pub gzip: Option<Gzip>,
    /// `keepalive-comments`: a comment before each event.
    pub comments: bool,
    /// `chunked`: a plain reply without a `Content-Length`.
    pub chunked: bool,
    /// `no-done`: the stream ends without `[DONE]`.
    pub no_done: bool,
    /// `escaped`: what is not ASCII, and `<`, `>`, `&`, stand as `\uXXXX`.
    pub escaped: bool,
}

/// When a reply is compressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gzip {
    /// If the client's `Accept-Encoding` names gzip.
    Accepted,
    /// Whatever the client accepts.
    Always,
}

impl Behaviour {
    /// The same without what goes wrong: what `times-N` leaves after N requests.
    pub(crate) fn healed(mut self) -> Self {
        self.fault = Fault {
            headers: self.fault.headers,
            hop_headers: self.fault.hop_headers,
            ..Fault::default()
        };
        self.wire.cut = None;
        self.wire.stall = None;
        self.wire.error = None;
        self.wire.malformed = false;
        self.wire.first_byte = Duration::ZERO;
        self
    }
}
