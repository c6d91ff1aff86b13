//! The official SDKs, unmodified, in their own languages.

use std::process::Command;

use crate::root;

/// Runs a Python script, such as `walk`, against `base_url`.
///
/// # Panics
/// With what it printed, when an answer was not as expected.
pub fn python_walk(script: &str, base_url: &str) {
    let root = root();
    run(Command::new(root.join("target/sdk/python/bin/python"))
        .arg(root.join(format!("tests/system/sdk/python/{script}.py")))
        .arg(base_url));
}

/// Runs a Node script, such as `walk`, against `base_url`.
///
/// # Panics
/// With what it printed, when an answer was not as expected.
pub fn node_walk(script: &str, base_url: &str) {
    let root = root();
    run(Command::new("node")
        .arg(root.join(format!("tests/system/sdk/node/{script}.mjs")))
        .arg(base_url)
        .env("SDK_FOLDER", root.join("target/sdk/node")));
}

/// Runs a script of `tests/system/browser` with a browser.
///
/// # Panics
/// With what it printed, when it fails.
pub fn browse(script: &str, arguments: &[&str]) {
    let root = root();
    run(Command::new("node")
        .arg(root.join(format!("tests/system/browser/{script}.mjs")))
        .args(arguments)
        .env("SDK_FOLDER", root.join("target/sdk/node")));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|fault| {
        panic!("{command:?} does not start ({fault}); `make sdk` installs it")
    });
    assert!(
        output.status.success() && output.stdout.ends_with(b"ok\n"),
        "{command:?} failed:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
