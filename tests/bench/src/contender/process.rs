//! A child process with a directory of its own, which ends with it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::fault::Fault;
use crate::pin;

/// Where its standard error goes, in its directory.
const LOG: &str = "bench-stderr.log";
/// How much of the log a fault quotes, in lines.
const QUOTED: usize = 20;

/// A running child.
pub(super) struct Process {
    child: Mutex<Child>,
    pid: u32,
    directory: TempDir,
}

impl Process {
    /// Starts `program` on one core; it may use `directory` for as long as it runs.
    pub(super) fn start(
        core: usize,
        program: &Path,
        arguments: &[&str],
        directory: TempDir,
    ) -> Result<Self, Fault> {
        let start = || {
            let log = fs::File::create(directory.path().join(LOG))?;
            pin::command(core, program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
        };
        let child =
            start().map_err(|e| Fault::machine(format!("start {}", program.display()), e))?;
        Ok(Self {
            pid: child.id(),
            child: Mutex::new(child),
            directory,
        })
    }

    /// Its process id: `taskset` and `setpriv` become the program.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&self) -> bool {
        self.child
            .lock()
            .is_ok_and(|mut child| !matches!(child.try_wait(), Ok(None)))
    }

    /// The end of what it wrote to standard error.
    pub(super) fn log(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(QUOTED)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Ok(child) = self.child.get_mut() else {
            return;
        };
        // SIGTERM, since nginx's worker outlives a master that is killed; what has ended already needs none.
        let asked = Command::new("kill")
            .arg(self.pid.to_string())
            .stderr(Stdio::null())
            .status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}
