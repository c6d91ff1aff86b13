//! Real Postgres servers on sockets of their own, which end with the tests.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A server. A shell stands between it and us, and ends it when our end of its input closes, however we end; then it clears up.
pub(crate) struct Server {
    folder: PathBuf,
    most_connections: u32,
    shell: Option<Child>,
}

impl Server {
    /// One that all tests share, each with a database of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of the test's own, which it may stop.
    pub(crate) fn start() -> Self {
        Self::with(60)
    }

    /// The same with so many connections at most, three of them for the superuser that `log` is.
    pub(crate) fn with(most_connections: u32) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dragoman-pg-{}-{number}", std::process::id());
        let mut server = Self {
            folder: std::env::temp_dir().join(name),
            most_connections,
            shell: None,
        };
        // The server refuses to be root, so that the folder is its user's.
        let mut made = server.shell("mkdir -m 700 \"$0\" && cd \"$0\" && initdb -D data -U log -A trust -N -E UTF8 --locale=C.UTF-8 >log 2>&1");
        assert!(
            made.status().unwrap().success(),
            "initdb failed: see {}",
            server.folder.display()
        );
        server.up();
        server
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn up(&mut self) {
        let mut run = self.shell(&format!(
            "cd \"$0\"; rm -f keep; env --default-signal=INT postgres -D data -k \"$0\" -c listen_addresses= -c fsync=off -c max_connections={} >>log 2>&1 & \
             cat >/dev/null; kill -INT $!; wait $!; [ -e keep ] || rm -rf \"$0\"",
            self.most_connections
        ));
        self.shell = Some(
            run.stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let began = Instant::now();
        while !self
            .shell("pg_isready -q -h \"$0\"")
            .status()
            .unwrap()
            .success()
        {
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "Postgres does not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it; connections end, and what is committed stays.
    pub(crate) fn down(&mut self) {
        assert!(self.shell("touch \"$0/keep\"").status().unwrap().success());
        self.end();
    }

    /// The address of a new database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("log{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.address("postgres"))
            .await
            .unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create)
            .execute(&mut connection)
            .await
            .unwrap();
        self.address(&name)
    }

    /// The address of a new database on a disk of so many bytes, and where that is. Disk and database are gone with the server; whoever wants them must be root.
    pub(crate) async fn database_on_a_disk_of(&self, bytes: u64) -> (String, PathBuf) {
        let disk = self.folder.join("disk");
        let disk = disk.display();
        let mount = format!(
            "mkdir {disk} && mount -t tmpfs -o size={bytes},mode=0777 tmpfs {disk} && mkdir {disk}/space && chown postgres {disk}/space"
        );
        let mounted = Command::new("sh").args(["-c", &mount]).status().unwrap();
        assert!(mounted.success(), "a disk of its own needs root");
        let mut connection = PgConnection::connect(&self.address("postgres"))
            .await
            .unwrap();
        for create in [
            format!("CREATE TABLESPACE small LOCATION '{disk}/space'"),
            "CREATE DATABASE small TABLESPACE small".to_owned(),
        ] {
            let create = sqlx::raw_sql(AssertSqlSafe(create));
            create.execute(&mut connection).await.unwrap();
        }
        (self.address("small"), self.folder.join("disk"))
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    fn address(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?user=log&host={}",
            self.folder.display()
        )
    }

    /// A command as a user who may run the server, with the folder as `$0`.
    fn shell(&self, script: &str) -> Command {
        let versions = std::fs::read_dir("/usr/lib/postgresql");
        let versions =
            versions.expect("Postgres is to be installed: tests/postgres does it on Debian");
        let programs = versions
            .map(|entry| entry.unwrap().path().join("bin"))
            .max();
        let programs = programs
            .expect("/usr/lib/postgresql has a version")
            .display()
            .to_string();
        let root = std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .contains("\nUid:\t0\t");
        let mut command = Command::new(if root { "runuser" } else { "sh" });
        if root {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command
            .arg("-c")
            .arg(format!("PATH={programs}:$PATH; {script}"))
            .arg(&self.folder);
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn end(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let disk = self.folder.join("disk");
        if disk.exists() {
            let unmount = Command::new("umount").arg("--lazy").arg(&disk).status();
            assert!(unmount.is_ok_and(|status| status.success()));
        }
        self.end();
    }
}
