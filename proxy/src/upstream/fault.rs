//! Why an upstream gave no reply, or only a part of one: whose fault it is, and whether another try may help.

use std::{fmt, io, net::SocketAddr, time::Duration};

use super::request::BoxError;

/// What ended an exchange with an upstream. An HTTP status, whatever it says, is a reply and never a fault.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The name has no address, or no name server answered.
    #[error("cannot resolve {host}: {reason}")]
    Dns {
        /// The name that was looked up.
        host: String,
        /// The resolver's own words.
        reason: String,
    },
    /// The name leads only to addresses that this proxy must not call.
    #[error("{host} resolves to {address}: {rule}")]
    DeniedAddress {
        /// The name that was looked up.
        host: String,
        /// The first of its addresses.
        address: std::net::IpAddr,
        /// The rule that denied it: "the range 10.0.0.0/8 is denied".
        rule: String,
    },
    /// No TCP connection: refused, unreachable, out of sockets.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The address that was dialled last.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No TLS session: an unknown issuer, another name, no common version.
    #[error("TLS with {host} ({address}) failed: {reason}")]
    Tls {
        /// The name that the certificate had to bear.
        host: String,
        /// The address that was dialled.
        address: SocketAddr,
        /// What was wrong, in rustls's words.
        reason: String,
    },
    /// A bound on time passed.
    #[error("no {phase} from the upstream within {after:?}")]
    Timeout {
        /// Which bound.
        phase: Phase,
        /// How long it was.
        after: Duration,
        /// Whether a part of the reply had arrived.
        replying: bool,
    },
    /// The upstream closed the connection before the head of a reply.
    #[error("the upstream closed the connection before it replied: {0}")]
    Closed(String),
    /// The reply is not HTTP, or is framed ambiguously.
    #[error("the upstream's reply is malformed: {reason}")]
    Protocol {
        /// What is wrong with it.
        reason: String,
        /// Whether its head had been accepted.
        replying: bool,
    },
    /// The connection broke within the reply's body.
    #[error("the upstream's reply broke off: {0}")]
    Truncated(String),
    /// The body to be sent broke off, or is not as long as it said.
    #[error("the request's body failed: {0}")]
    RequestBody(BoxError),
    /// A Mapper could not change the reply.
    #[error("the reply could not be mapped: {0}")]
    Mapper(String),
    /// There is nothing to authenticate with.
    #[error("the request could not be authenticated: {0}")]
    Credential(String),
    /// As many requests as `maxConcurrency` allows are on their way.
    #[error("the upstream already has {limit} requests in flight, its maxConcurrency")]
    Saturated {
        /// The bound.
        limit: usize,
    },
}

/// Which bound on time passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `timeouts.connect`: name, TCP and TLS.
    Connect,
    /// `timeouts.firstByte`: from the sent request to the head of the reply.
    FirstByte,
    /// `timeouts.idle`: between two parts of the reply.
    Idle,
    /// `timeouts.request`: everything.
    Request,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Connect => "connection",
            Phase::FirstByte => "reply",
            Phase::Idle => "further part of the reply",
            Phase::Request => "complete reply",
        })
    }
}

/// Whose fault something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller sent something broken.
    Client,
    /// The upstream, or the network before it.
    Upstream,
    /// This proxy's configuration.
    Config,
}

impl Fault {
    /// One stable word for logs, metrics and error codes.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Dns { .. } => "dns",
            Fault::DeniedAddress { .. } => "denied_address",
            Fault::Connect { .. } => "connect",
            Fault::Tls { .. } => "tls",
            Fault::Timeout { phase, .. } => match phase {
                Phase::Connect => "connect_timeout",
                Phase::FirstByte => "first_byte_timeout",
                Phase::Idle => "idle_timeout",
                Phase::Request => "request_timeout",
            },
            Fault::Closed(_) => "closed",
            Fault::Protocol { .. } => "protocol",
            Fault::Truncated(_) => "truncated",
            Fault::RequestBody(_) => "request_body",
            Fault::Saturated { .. } => "saturated",
            Fault::Credential(_) => "credential",
            Fault::Mapper(_) => "mapper",
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Fault::RequestBody(_) => Blame::Client,
            Fault::DeniedAddress { .. }
            | Fault::Saturated { .. }
            | Fault::Credential(_)
            | Fault::Mapper(_) => Blame::Config,
            _ => Blame::Upstream,
        }
    }

    /// Whether the same request may succeed on another try, here or at another backend. Whether its body can be sent again is the caller's to know.
    pub fn retryable(&self) -> bool {
        match self {
            Fault::Dns { .. }
            | Fault::Connect { .. }
            | Fault::Tls { .. }
            | Fault::Closed(_)
            | Fault::Saturated { .. }
            | Fault::Credential(_) => true,
            Fault::Timeout { phase, .. } => matches!(phase, Phase::Connect | Phase::FirstByte),
            Fault::DeniedAddress { .. }
            | Fault::Protocol { .. }
            | Fault::Truncated(_)
            | Fault::Mapper(_)
            | Fault::RequestBody(_) => false,
        }
    }

    /// Whether the upstream cannot have seen the request: no connection to it was ever usable.
    pub fn before_sending(&self) -> bool {
        matches!(
            self,
            Fault::Dns { .. }
                | Fault::DeniedAddress { .. }
                | Fault::Connect { .. }
                | Fault::Tls { .. }
                | Fault::Saturated { .. }
                | Fault::Credential(_)
                | Fault::Timeout {
                    phase: Phase::Connect,
                    ..
                }
        )
    }

    /// Whether the head of the reply had arrived.
    pub fn reply_began(&self) -> bool {
        match self {
            Fault::Timeout { replying, .. } | Fault::Protocol { replying, .. } => *replying,
            Fault::Truncated(_) | Fault::Mapper(_) => true,
            _ => false,
        }
    }
}
