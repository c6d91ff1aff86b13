//! The process that compiles files: it reads them from standard input, answers on standard output, and ends.
//!
//! Both are one JSON value each. Secrets are among them, so they travel over these pipes and nowhere else.

use std::io::{self, Read, Write};
use std::time::Duration;
use std::{fs, process, thread};

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::compile::{Failure, LONGEST, Refusal};
use super::{Fault, Files, Loaded, Loader};
use crate::control::cli;

/// The command that asks for it; it is for this program alone.
pub const COMMAND: &str = "compile";
/// How much longer than its parent waits it may run: where there is a parent, that one ends it.
const GRACE: Duration = Duration::from_secs(5);
/// Memory that it may have, as address space in bytes. Ten thousand objects take a fraction of it.
const MEMORY: u64 = 1 << 30;

/// What came of the files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    /// What to run.
    Loaded(Loaded),
    /// What is wrong with them.
    Faults(Vec<Fault>),
}

impl From<Answer> for Result<Loaded, Refusal> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Loaded(loaded) => Ok(loaded),
            Answer::Faults(faults) => Err(Refusal::Faults(faults)),
        }
    }
}

/// Compiles the files on `input`, and writes the answer to `output` once `input` has ended.
///
/// # Errors
/// [`Failure`] when there is no answer.
pub fn compile(mut input: impl Read, mut output: impl Write) -> Result<(), Failure> {
    let mut files = Vec::new();
    input.read_to_end(&mut files)?;
    let files: Files = serde_json::from_slice(&files)?;
    let answer = match Loader::new()?.load(files) {
        Ok(loaded) => Answer::Loaded(loaded),
        Err(faults) => Answer::Faults(faults),
    };
    serde_json::to_writer(&mut output, &answer)?;
    Ok(output.flush()?)
}

/// Keeps this process from outliving its use and from taking the machine: it ends by itself, fails where it wants more memory
/// than manifests need, leaves no core file with Secrets in it, and is the first to go where memory is short.
///
/// # Errors
/// When the system refuses a limit.
pub fn limit() -> io::Result<()> {
    for (resource, most) in [(Resource::As, MEMORY), (Resource::Core, 0)] {
        let most = Some(most);
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(resource, limit)?;
    }
    // To be preferred as a victim is everybody's right; without /proc the kernel chooses for itself.
    let _preferred = fs::write("/proc/self/oom_score_adj", "1000");
    thread::spawn(|| {
        thread::sleep(LONGEST + GRACE);
        process::exit(cli::FAULT.into());
    });
    Ok(())
}

/// [`limit`] and [`compile`] on the process's own pipes.
///
/// # Errors
/// As [`compile`].
pub fn run() -> Result<(), Failure> {
    limit()?;
    compile(io::stdin().lock(), io::BufWriter::new(io::stdout().lock()))
}
