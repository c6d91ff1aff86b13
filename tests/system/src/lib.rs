//! What the whole-system tests share: programs under test, started and stopped.
