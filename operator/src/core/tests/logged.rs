//! What the log warns of while something happens.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The warnings, and what is worse, that `act` logs, a line each.
pub(super) fn warnings(act: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(LevelFilter::WARN)
        .with_writer(move || sink.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let log = log.0.lock();
    String::from_utf8_lossy(&log)
        .lines()
        .map(str::to_owned)
        .collect()
}
