//! Binding processes to cores, by util-linux' `taskset` (the system call has no safe wrapper in the standard library).

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fault::Fault;

/// Binds this process, and every thread that it starts from now on, to one core.
pub(crate) fn this_process(core: usize) -> Result<(), Fault> {
    let what = || format!("bind this process to core {core} with taskset (two cores are needed)");
    let status = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid"])
        .args([core.to_string(), std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()
        .map_err(|e| Fault::machine(what(), e))?;
    if status.success() {
        Ok(())
    } else {
        Err(Fault::machine(what(), io::Error::other(status.to_string())))
    }
}

/// A command that runs `program` on one core, in the process that it starts, and ends it when this process dies.
pub(crate) fn command(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command
        .args([
            "--cpu-list",
            &core.to_string(),
            "setpriv",
            "--pdeathsig",
            "TERM",
        ])
        .arg(program);
    command
}
