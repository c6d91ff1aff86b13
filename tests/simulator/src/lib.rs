//! A deterministic LLM for tests.
