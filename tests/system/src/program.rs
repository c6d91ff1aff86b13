//! Programs under test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

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

/// A program that runs, and the lines that it wrote so far. It is killed when this is dropped.
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
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
        let mut child = Command::new(&path)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|fault| {
                panic!(
                    "{} does not start ({fault}); `make build` builds it",
                    path.display()
                )
            });
        let lines = Arc::new(Mutex::new(Vec::new()));
        let outputs: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        for output in outputs.into_iter().flatten() {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    lines
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push(line);
                }
            });
        }
        Self { child, lines }
    }

    /// Everything that it wrote so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
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
