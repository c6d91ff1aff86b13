//! The official SDKs, unmodified, in their own languages.

use std::path::Path;
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

/// Asks every path of an OpenAPI document for everything that it says can be asked, and for much that it says cannot.
///
/// # Panics
/// With what the fuzzer found, when an answer is not as the document says.
pub fn fuzz(document: &str, token: &str, folder: &Path) {
    let mut command = Command::new(root().join("target/sdk/python/bin/schemathesis"));
    command
        .args(["run", document, "--checks", "all", "--max-examples", "30"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // The same questions each time, and no verdict on a slow machine.
        .args(["--seed", "1", "--request-timeout", "120"])
        .args(["--suppress-health-check", "all", "--no-color"])
        .current_dir(folder);
    let output = command.output().unwrap_or_else(|fault| {
        panic!("{command:?} does not start ({fault}); `make sdk` installs it")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(" passed"), "it asked nothing: {said}");
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
