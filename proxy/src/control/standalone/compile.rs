//! Compiles files in a process of its own, so that the one that serves never runs the readers and validators of manifests.
//!
//! They are most of the program, and what has run stays resident. Besides, a manifest that drives them to a crash, into an
//! endless loop or to the bound of their memory then costs an edit and not everybody's requests.
//! Decision: `docs/decisions/0008-compile-files-in-a-child.md`.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Fault, Files, Loaded, Loader, child};

/// This very program, also where its file was replaced or deleted meanwhile.
/// Source: [proc_pid_exe(5)](https://man7.org/linux/man-pages/man5/proc_pid_exe.5.html).
const OURSELVES: &str = "/proc/self/exe";
/// How long files may take to compile; thousands of objects take seconds.
pub(super) const LONGEST: Duration = Duration::from_mins(1);
/// What a compilation may take.
const LIMITS: Limits = Limits {
    time: LONGEST,
    bytes: 256 << 20,
};

/// How much of what the process says on standard error is logged, in bytes.
const MOST_SAID: u64 = 16 << 10;
/// How long its last words may take once it has ended; they are in the pipe already.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a compilation may take.
#[derive(Clone, Copy)]
struct Limits {
    time: Duration,
    /// Length of the answer.
    bytes: u64,
}

/// Where files are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process.
    Here,
    /// In a run of this program that ends with the answer. Where none can be started, in this process.
    Child(PathBuf),
}

/// Why files were not compiled.
#[derive(Debug)]
pub enum Refusal {
    /// They have these faults.
    Faults(Vec<Fault>),
    /// There is no answer.
    Failed(Failure),
}

/// Why there is no answer. Files that ask too much, or the machine; trying again may help in the second case only.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The compiling process ended too soon.
    #[error(
        "the process that compiles the files ended without an answer ({0}); undo the last edit if this stays"
    )]
    Ended(ExitStatus),
    /// It took too long.
    #[error("the files take longer than {} s to compile; undo the last edit if this stays", LONGEST.as_secs())]
    Late,
    /// Its answer is too long.
    #[error("the compiled files have more than {} MiB; split them over several proxies", LIMITS.bytes >> 20)]
    Large,
    /// Its answer cannot be read: a fault of this program, or something stood in for it.
    #[error("the compiled files cannot be read back: {0}")]
    Garbled(#[from] serde_json::Error),
    /// The machine refuses something.
    #[error("the files cannot be compiled: {0}")]
    Io(#[from] io::Error),
    /// This program's schemas are of no use.
    #[error(transparent)]
    Build(#[from] super::Unprepared),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Compiler {
    /// Another run of this program.
    #[must_use]
    pub fn child() -> Self {
        // Under a profiler, /proc/self/exe is the profiler. Never in a release: whoever sets the environment would be given every Secret.
        #[cfg(dragoman_profiling)]
        if let Some(program) = std::env::var_os("DRAGOMAN_COMPILER") {
            return Self::Child(program.into());
        }
        Self::Child(OURSELVES.into())
    }

    /// Makes items of `files`. Must be called within a runtime; a compilation that is dropped ends.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn compile(&self, files: Files) -> Result<Loaded, Refusal> {
        let Self::Child(program) = self else {
            return here(files).await;
        };
        match start(program) {
            Ok(process) => within(process, &files, LIMITS).await,
            Err(fault) => {
                tracing::warn!(
                    program = %program.display(), %fault,
                    "no process can be started to compile the files; compiling in this one, which takes more memory"
                );
                here(files).await
            }
        }
    }
}

/// Compiles in this process, beside what it serves.
async fn here(files: Files) -> Result<Loaded, Refusal> {
    let load = spawn_blocking(move || {
        let loader = Loader::new().map_err(Failure::from)?;
        loader.load(files).map_err(Refusal::Faults)
    });
    load.await
        .unwrap_or_else(|fault| Err(Failure::Io(io::Error::other(fault)).into()))
}

fn start(program: &PathBuf) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg0("dragoman-proxy")
        .arg(child::COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // The log may be a file, and of another form.
        .stderr(Stdio::piped())
        // A terminal's Ctrl-C is for the process that serves, which says when this one goes.
        .process_group(0)
        .kill_on_drop(true);
    command.spawn()
}

/// Has `process` compile `files` within `limits`. It has ended, and was waited for, when this returns.
async fn within(mut process: Child, files: &Files, limits: Limits) -> Result<Loaded, Refusal> {
    let listening = process
        .stderr
        .take()
        .map(|stderr| tokio::spawn(tell(stderr)));
    let answer = timeout(limits.time, converse(&mut process, files, limits.bytes)).await;
    let answer = answer.unwrap_or(Err(Failure::Late));
    if answer.is_err() {
        // It may have ended already.
        let _ended = process.start_kill();
    }
    let status = process.wait().await.map_err(Failure::from)?;
    if let Some(listening) = listening {
        // What it said stands before what came of it.
        let _told = timeout(LAST_WORDS, listening).await;
    }
    match answer {
        // What it says before it fails is no answer.
        Ok(_) | Err(Failure::Io(_)) if !status.success() => Err(Failure::Ended(status).into()),
        Err(failure) => Err(failure.into()),
        Ok(answer) => {
            let answer: child::Answer = serde_json::from_slice(&answer).map_err(Failure::from)?;
            answer.into()
        }
    }
}

async fn converse(process: &mut Child, files: &Files, most: u64) -> Result<Vec<u8>, Failure> {
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut stdin = process.stdin.take().ok_or_else(gone)?;
    let stdout = process.stdout.take().ok_or_else(gone)?;
    // The other side reads to the end before it writes.
    stdin.write_all(&serde_json::to_vec(files)?).await?;
    stdin.shutdown().await?;
    drop(stdin);
    let mut answer = Vec::new();
    stdout.take(most + 1).read_to_end(&mut answer).await?;
    if answer.len() as u64 > most {
        return Err(Failure::Large);
    }
    Ok(answer)
}

/// Logs what the process says of itself: a panic, or that memory ran out.
async fn tell(stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr.take(MOST_SAID)).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let said = String::from_utf8_lossy(&line);
        tracing::warn!("the process that compiles the files says: {said}");
    }
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;
