//! The process log: text or JSON, to standard error or a file, at a level that can change while it runs.
//!
//! Only our own crates follow the level. Everything else is heard from `warn` up, because what HTTP libraries say
//! below that quotes headers, and headers hold keys.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::ValueEnum;
use dragoman_crds::LogLevel;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// The prefix of our own crates' targets.
const OURS: &str = "dragoman";

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The level at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartLevel {
    /// Faults of ours.
    Error,
    /// Faults of others that somebody should look at.
    Warn,
    /// Transitions.
    Info,
    /// One line a request.
    Debug,
    /// Everything but bodies and secrets.
    Trace,
}

impl From<StartLevel> for LogLevel {
    fn from(level: StartLevel) -> Self {
        match level {
            StartLevel::Error => Self::Error,
            StartLevel::Warn => Self::Warn,
            StartLevel::Info => Self::Info,
            StartLevel::Debug => Self::Debug,
            StartLevel::Trace => Self::Trace,
        }
    }
}

/// What is logged, and where to.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The level until an LLMProxy names another.
    pub level: StartLevel,
    /// How lines are written.
    pub format: LogFormat,
    /// The file that lines are appended to; absent: standard error.
    pub file: Option<PathBuf>,
}

/// The log cannot start. The command line's fault, or the machine's.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The file cannot be opened.
    #[error("cannot append to the log file {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else in this process logs already.
    #[error("a log was started before")]
    Started,
}

/// Changes the level of a running log.
#[derive(Clone, Debug)]
pub struct LevelSwitch {
    start: LogLevel,
    targets: reload::Handle<Targets, Registry>,
}

impl LevelSwitch {
    /// Logs from `level` up; `None` goes back to the level of the start.
    pub fn set(&self, level: Option<LogLevel>) {
        let wanted = targets(level.unwrap_or(self.start));
        let same = self
            .targets
            .with_current(|now| *now == wanted)
            .unwrap_or(true);
        if !same && self.targets.reload(wanted).is_ok() {
            tracing::info!(level = ?level.unwrap_or(self.start), "log level changed");
        }
    }
}

/// Starts the process log.
///
/// # Errors
/// [`LogFault`] when the file cannot be opened, or a log was started before.
pub fn start(options: &LogOptions) -> Result<LevelSwitch, LogFault> {
    let (subscriber, switch) = subscriber(options)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogFault::Started)?;
    Ok(switch)
}

/// The subscriber behind [`start`], and the switch of its level.
fn subscriber(
    options: &LogOptions,
) -> Result<(impl tracing::Subscriber + Send + Sync, LevelSwitch), LogFault> {
    let start = options.level.into();
    let (filter, handle) = reload::Layer::new(targets(start));
    let lines = match &options.file {
        None => lines(
            options.format,
            io::stderr,
            io::IsTerminal::is_terminal(&io::stderr()),
        ),
        Some(path) => lines(options.format, Mutex::new(open(path)?), false),
    };
    let subscriber = Registry::default().with(lines.with_filter(filter));
    Ok((
        subscriber,
        LevelSwitch {
            start,
            targets: handle,
        },
    ))
}

fn lines<W>(format: LogFormat, to: W, colour: bool) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(to).with_ansi(colour);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn open(path: &PathBuf) -> Result<File, LogFault> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|source| LogFault::File {
        path: path.clone(),
        source,
    })
}

fn targets(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target(OURS, ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `act` logs with these options.
    fn logged(format: LogFormat, level: StartLevel, act: impl FnOnce(&LevelSwitch)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let options = LogOptions {
            level,
            format,
            file: Some(path.clone()),
        };
        let (subscriber, switch) = subscriber(&options).unwrap();
        tracing::subscriber::with_default(subscriber, || act(&switch));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_level_changes_while_the_log_runs() {
        let log = logged(LogFormat::Text, StartLevel::Info, |switch| {
            tracing::debug!("first");
            switch.set(Some(LogLevel::Debug));
            tracing::debug!("second");
            switch.set(None);
            tracing::debug!("third");
        });
        assert!(!log.contains("first") && log.contains("second") && !log.contains("third"));
    }

    #[test]
    fn json_lines_are_objects_with_the_fields_on_top() {
        let log = logged(LogFormat::Json, StartLevel::Info, |_| {
            tracing::info!(n = 1, "one")
        });
        let line: serde_json::Value = serde_json::from_str(log.trim()).unwrap();
        assert_eq!((&line["message"], &line["n"]), (&"one".into(), &1.into()));
    }

    #[test]
    fn libraries_that_would_quote_headers_stay_silent() {
        let log = logged(LogFormat::Text, StartLevel::Trace, |_| {
            tracing::trace!(target: "h2::frame", "authorization");
            tracing::warn!(target: "h2::frame", "broken");
        });
        assert!(!log.contains("authorization") && log.contains("broken"));
    }

    #[test]
    fn a_log_file_is_appended_to_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\n");
        let fault = open(&folder.path().join("no/log")).unwrap_err();
        assert!(fault.to_string().contains("no/log"), "{fault}");
    }
}
