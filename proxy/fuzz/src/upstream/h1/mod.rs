//! Where a reply's head ends, and where its body does.

#[path = "../../../../src/upstream/h1/chunked.rs"]
pub(crate) mod chunked;
#[path = "../../../../src/upstream/h1/framing.rs"]
pub(crate) mod framing;
#[path = "../../../../src/upstream/h1/head.rs"]
pub(crate) mod head;
