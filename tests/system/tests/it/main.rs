//! The whole system, driven from outside: the binary with files, and the chart on a real cluster.
//!
//! `make test-standalone` and `make test-cluster` prepare what these need and run them.

mod cluster;
mod standalone;
