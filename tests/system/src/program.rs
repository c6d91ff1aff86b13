//! Programs under test.

use std::fs::{File, read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

/// The project's folder.
///
/// # Panics
/// When the test binary was moved out of the project without `DRAGOMAN_ROOT` saying where it is.
#[must_use]
pub fn root() -> PathBuf {
    let root = std::env::var_os("DRAGOMAN_ROOT").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."),
        PathBuf::from,
    );
    root.canonicalize()
        .unwrap_or_else(|fault| panic!("no project at {}: {fault}", root.display()))
}

/// The folder of the release build.
#[must_use]
pub fn programs() -> PathBuf {
    std::env::var_os("DRAGOMAN_PROGRAMS")
        .map_or_else(|| root().join("target/release"), PathBuf::from)
}

/// A program that runs, and what it wrote so far. It is killed when this is dropped.
pub struct Program {
    child: Child,
    /// A file rather than a pipe that someone must read: what the program wrote before it answered is there when the answer is.
    output: NamedTempFile,
}

impl Program {
    /// Starts a program of the release build.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_in(name, arguments, &[])
    }

    /// The same with variables in its environment.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_in(name: &str, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let path = programs().join(name);
        let output =
            NamedTempFile::new().unwrap_or_else(|fault| panic!("no temporary file: {fault}"));
        let append = || -> File {
            let opened = File::options().append(true).open(output.path());
            opened.unwrap_or_else(|fault| panic!("{}: {fault}", output.path().display()))
        };
        let child = Command::new(&path)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(append())
            .stderr(append())
            .spawn()
            .unwrap_or_else(|fault| {
                panic!(
                    "{} does not start ({fault}); `make build` builds it",
                    path.display()
                )
            });
        Self { child, output }
    }

    /// Everything that it wrote so far.
    ///
    /// # Panics
    /// When its output cannot be read.
    #[must_use]
    pub fn output(&self) -> String {
        let path = self.output.path();
        let output = read(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, as Kubernetes does.
    pub fn terminate(&self) {
        let _ = Command::new("kill")
            .args(["-TERM", &self.id().to_string()])
            .status();
    }

    /// How it ended, once it has.
    ///
    /// # Panics
    /// When it still runs after `patience`.
    pub async fn ended(&mut self, patience: Duration) -> ExitStatus {
        crate::eventually_within(patience, "the program ends", || {
            let ended = self.child.try_wait().map_err(|fault| fault.to_string());
            async move { ended?.ok_or_else(|| "it still runs".to_owned()) }
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
