//! The proxy as its clients see it: real sockets, a simulated LLM, no mocks.

mod calls;
mod control_files;
mod control_operator;
mod control_process;
mod control_push;
mod failures;
mod framing;
mod harness;
mod models;
mod publishing;
mod relays;
mod thinking;
