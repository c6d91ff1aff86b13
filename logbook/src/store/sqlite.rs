//! The log in one file.
//!
//! One connection writes, others read: in WAL mode they never wait for each other. Every commit is synced, so that what is acknowledged
//! survives the machine, too. The file is the owner's alone.

use super::cell::{self, Cell};
use super::columns::{COLUMNS, Kind, values};
use super::{Options, migrations};
use crate::fault::Fault;
use crate::record::Record;
use sqlx::sqlite::{
    SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode,
    SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long a statement waits for another that writes, such as somebody's `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);
/// How many rows go into one statement, most first. Each statement is handed to the thread of its connection and waited for, which costs more
/// than a row does; and few different ones stay prepared.
const ROWS: [usize; 3] = [64, 8, 1];
/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
const STEPS: i32 = 10_000;

#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    pub(super) writer: SqlitePool,
    readers: SqlitePool,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    ready: OnceCell<()>,
    /// The statements that insert as many rows as [`ROWS`] says.
    inserts: [Arc<str>; ROWS.len()],
    max_bytes: u64,
    patience: Duration,
    /// Bytes inserted since the size was last looked at.
    unseen: AtomicU64,
}

impl Sqlite {
    pub(super) fn open(path: &Path, options: &Options) -> Self {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            // What a burst made the log of changes grow to is given back.
            .pragma("journal_size_limit", "16777216")
            .disable_statement_logging();
        let reading = connect
            .clone()
            .pragma("query_only", "on")
            .pragma("cache_size", "-16384");
        Self {
            writer: SqlitePoolOptions::new()
                .max_connections(1)
                .connect_lazy_with(connect),
            readers: SqlitePoolOptions::new()
                .max_connections(options.readers)
                .connect_lazy_with(reading),
            shared: Arc::new(Shared {
                path: path.to_owned(),
                ready: OnceCell::new(),
                inserts: ROWS.map(insert),
                max_bytes: options.max_bytes,
                patience: options.patience,
                unseen: AtomicU64::new(0),
            }),
        }
    }

    pub(super) async fn ready(&self) -> Result<(), Fault> {
        let prepare = || async {
            create(&self.shared.path)
                .map_err(|error| Fault::Away(format!("{}: {error}", self.shared.path.display())))?;
            let mut connection = self.writer.acquire().await?;
            migrations::run(&mut *connection, &migrations::SQLITE).await
        };
        self.shared.ready.get_or_try_init(prepare).await.copied()
    }

    /// Stores records and says how many were new.
    pub(super) async fn insert(
        &self,
        records: &[&Record],
        refused: &mut Vec<(String, Fault)>,
    ) -> Result<u64, Fault> {
        self.ready().await?;
        let mut stored = 0;
        let mut connection = self.writer.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut rest = records;
        for (rows, insert) in ROWS.iter().zip(&self.shared.inserts) {
            let chunks = rest.chunks_exact(*rows);
            rest = chunks.remainder();
            for chunk in chunks {
                match execute(&mut transaction, insert, chunk).await {
                    Ok(done) => stored += done,
                    // A statement that fails leaves none of its rows.
                    Err(Fault::Row(_)) => {
                        stored += self.one_by_one(&mut transaction, chunk, refused).await?;
                    }
                    Err(fault) => return Err(fault),
                }
            }
        }
        let bytes: usize = records.iter().map(|record| record.size()).sum();
        let bytes = bytes as u64;
        transaction.commit().await?;
        drop(connection);
        // Looked at often enough that a burst between two calls of `retain` does not outgrow the bound by much.
        let unseen = self.shared.unseen.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if unseen > self.shared.max_bytes / 32 {
            self.shared.unseen.store(0, Ordering::Relaxed);
            self.bound(self.shared.max_bytes).await?;
        }
        Ok(stored)
    }

    /// Finds the rows that cannot be stored, and says how many of the others were new.
    async fn one_by_one(
        &self,
        connection: &mut SqliteConnection,
        records: &[&Record],
        refused: &mut Vec<(String, Fault)>,
    ) -> Result<u64, Fault> {
        let [.., insert] = &self.shared.inserts;
        let mut stored = 0;
        for record in records {
            match execute(connection, insert, &[record]).await {
                Ok(done) => stored += done,
                Err(fault @ Fault::Row(_)) => refused.push((record.id.clone(), fault)),
                Err(fault) => return Err(fault),
            }
        }
        Ok(stored)
    }

    pub(super) async fn retain(&self, oldest: i64) -> Result<(), Fault> {
        self.ready().await?;
        self.forget_before(oldest).await?;
        self.bound(self.shared.max_bytes).await
    }

    pub(super) async fn ask(&self, sql: String, asked: Vec<Cell>) -> Result<Vec<Vec<Cell>>, Fault> {
        self.ready().await?;
        let mut arguments = SqliteArguments::default();
        for cell in asked {
            cell.bind_sqlite(&mut arguments)?;
        }
        let mut connection = self.readers.acquire().await?;
        // Whoever asked may have gone, and the question would go on.
        let until = Instant::now() + self.shared.patience;
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || Instant::now() < until);
        drop(handle);
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut *connection);
        Ok(rows
            .await?
            .iter()
            .map(cell::of_sqlite)
            .collect::<Result<_, _>>()?)
    }
}

/// The statement that inserts so many rows.
fn insert(rows: usize) -> Arc<str> {
    let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let places: Vec<_> = COLUMNS
        .iter()
        .map(|(_, kind)| match kind {
            Kind::Money => "? / 1e6",
            _ => "?",
        })
        .collect();
    let row = format!("({})", places.join(", "));
    let insert = format!(
        "INSERT INTO requests ({}) VALUES {} ON CONFLICT (id) DO NOTHING",
        names.join(", "),
        vec![row; rows].join(", ")
    );
    insert.into()
}

/// Runs one of them.
async fn execute(
    connection: &mut SqliteConnection,
    insert: &Arc<str>,
    records: &[&Record],
) -> Result<u64, Fault> {
    let mut arguments = SqliteArguments::default();
    for cell in records.iter().flat_map(|record| values(record)) {
        cell.bind_sqlite(&mut arguments)?;
    }
    let insert = sqlx::query_with(AssertSqlSafe(Arc::clone(insert)), arguments);
    Ok(insert.execute(connection).await?.rows_affected())
}

/// Makes the file if there is none, readable by its owner alone; SQLite gives the files beside it the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    options.open(path).map(drop)
}
