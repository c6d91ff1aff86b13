//! A lean HTTP/1.1 client: one exchange at a time on one connection, framed strictly as
//! [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112) says, and nothing held while a connection waits.
//!
//! - [`encode`]: the request's head as bytes
//! - [`upload`]: writing head and body, joined in as few writes as the socket takes
//! - [`head`]: the reply's head, parsed and judged
//! - [`framing`]: where the reply's body ends
//! - [`chunked`]: the chunked coding
//! - [`exchange`]: from the first written byte to the head of the reply
//! - [`body`]: the reply's body, and the connection's way back to its pool
//! - [`pool`]: connections that wait for the next request

pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod encode;
pub(crate) mod exchange;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod pool;
pub(crate) mod upload;
