//! The resources of Dragoman: Rust types, validation, generated YAML.
