//! Benchmarks against nginx.
