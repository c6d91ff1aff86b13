//! The proxy as its clients see it: real sockets, a simulated LLM, no mocks.

mod calls;
mod harness;
