//! A Redis of a test's own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually;

/// A redis-server that keeps nothing on disk. Dropped, it is gone.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: TempDir,
    options: Vec<String>,
    address: String,
    /// Its port.
    pub port: u16,
}

impl Redis {
    /// At a free port of an address of this machine, with options that may name the port and files in its folder.
    ///
    /// # Panics
    /// When redis-server is not installed.
    #[must_use]
    pub fn start(address: &str, options: impl FnOnce(u16, &Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((address, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let options = options(port, folder.path());
        Self {
            child: spawn(&options, folder.path()),
            folder,
            options,
            address: address.into(),
            port,
        }
    }

    /// Without TLS, for everybody, or for who knows the password that `more` asks for.
    #[must_use]
    pub fn plain(address: &str, more: &str) -> Self {
        Self::start(address, |port, _| {
            let mut options = words(&format!("--bind {address} --save  --port {port}"));
            options.extend(more.split_whitespace().map(str::to_owned));
            options
        })
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it, with all that it knew.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) {
        self.stop();
        self.child = spawn(&self.options, self.folder.path());
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it says to a command what is wanted.
    pub async fn says(&self, command: &str, wanted: &str) {
        eventually(&format!("{command} says {wanted}"), || async {
            let address = (self.address.as_str(), self.port);
            let mut stream = TcpStream::connect(address)
                .await
                .map_err(|it| it.to_string())?;
            let line = format!("{command}\r\n");
            stream.write_all(line.as_bytes()).await.unwrap();
            let mut said = [0; 4096];
            let length = stream.read(&mut said).await.map_err(|it| it.to_string())?;
            let said = String::from_utf8_lossy(&said[..length]).into_owned();
            if said.contains(wanted) {
                Ok(())
            } else {
                Err(said)
            }
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(options: &[String], folder: &Path) -> Child {
    Command::new("redis-server")
        .args(options)
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is to be installed: tests/redis does it on Debian")
}

/// The words of a line. Two spaces have an empty one between them.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
