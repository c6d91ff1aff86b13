//! What the operator renders and the proxy runs.
