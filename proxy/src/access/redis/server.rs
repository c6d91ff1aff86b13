//! A Redis of a test's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A server on a socket of its own. Dropped, it is gone.
pub(crate) struct Server {
    folder: TempDir,
    options: Vec<&'static str>,
    child: Child,
}

impl Server {
    pub(crate) fn start(options: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = options.to_vec();
        let child = spawn(&folder, &options);
        let server = Self {
            folder,
            options,
            child,
        };
        server.await_up();
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A connection of the test's own.
    pub(crate) fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_connection().unwrap()
    }

    fn await_up(&self) {
        let client = redis::Client::open(self.url()).unwrap();
        let began = Instant::now();
        loop {
            let up = client.get_connection();
            // One that wants a password is up too.
            if !matches!(&up, Err(fault) if fault.is_io_error()) {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "redis-server does not come up"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// It answers nothing, and keeps its connections.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// It dies.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_file(self.socket()).ok();
    }

    /// It lives again, and remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.folder, &self.options);
        self.await_up();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(folder: &TempDir, options: &[&str]) -> Child {
    let socket = folder.path().join("s");
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--unixsocket"]);
    command.arg(socket).args(options);
    command.current_dir(folder.path()).stdout(Stdio::null());
    let child = command.spawn();
    child.expect("redis-server is to be installed: tests/redis does it on Debian")
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
