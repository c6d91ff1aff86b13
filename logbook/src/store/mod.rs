//! Where records are kept: SQLite in a file, or Postgres.

mod cell;
mod columns;
mod connections;
mod migrations;
mod partitions;
mod postgres;
mod retention;
mod sqlite;

use crate::fault::Fault;
use crate::record::Record;
use std::time::{Duration, SystemTime};

pub(crate) use cell::Cell;
pub(crate) use columns::{COLUMNS, Kind, LARGE, record};

/// How much longer than a question may take we wait for the database to say that it gave up.
const GRACE: Duration = Duration::from_secs(5);
/// How long making room may take.
const HOUSEKEEPING: Duration = Duration::from_mins(10);
/// A day in microseconds, which times are counted in.
const DAY: i64 = 86_400_000_000;
/// The first moment that a request may have started at: the year 2000. What says otherwise has no clock.
const EARLIEST: i64 = 946_684_800_000_000;

/// How much is kept, and how many connections may be open.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a request is kept after it started. On Postgres the whole day (UTC) of it must be over that.
    pub retention: Duration,
    /// What SQLite's file may hold, in bytes; the oldest requests go first. The file itself may be a few per cent larger for a moment.
    pub max_bytes: u64,
    /// Connections for questions at once. One more writes, and up to two more make room now and then.
    pub readers: u32,
    /// How long a batch or a question may take before the database counts as away.
    pub patience: Duration,
}

impl Default for Options {
    /// Seven days, 4 GiB, three readers, half a minute.
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(168),
            max_bytes: 4 << 30,
            readers: 3,
            patience: Duration::from_secs(30),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Rows that are committed now.
    pub stored: u64,
    /// Rows that had been stored before.
    pub known: u64,
    /// Rows that can never be stored, by id, and why.
    pub refused: Vec<(String, Fault)>,
}

/// The table `requests` of one database. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    retention: Duration,
    patience: Duration,
}

#[derive(Debug, Clone)]
enum Database {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// A store at `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full`.
    ///
    /// Connects to nothing yet. The first use does, and brings the schema up to date, so that a program starts while its database is away.
    ///
    /// # Errors
    /// [`Fault::Unusable`] when the address is of neither kind. It is not quoted, because it may hold a password.
    pub fn open(address: &str, options: &Options) -> Result<Self, Fault> {
        let database = if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            Database::Sqlite(sqlite::Sqlite::open(path.as_ref(), options))
        } else if address.starts_with("postgres:") || address.starts_with("postgresql:") {
            Database::Postgres(postgres::Postgres::open(address, options)?)
        } else {
            return Err(Fault::Unusable(
                "its address begins neither with sqlite: nor postgres:".into(),
            ));
        };
        Ok(Self {
            database,
            retention: options.retention,
            patience: options.patience,
        })
    }

    /// Takes another address of the same Postgres for the connections that are made from now on: another password, or another host.
    ///
    /// # Errors
    /// [`Fault::Unusable`] when it is no address of Postgres, or this store is SQLite.
    pub fn readdress(&self, address: &str) -> Result<(), Fault> {
        match &self.database {
            Database::Postgres(postgres) => postgres.readdress(address),
            Database::Sqlite(_) => Err(Fault::Unusable("SQLite has no password to change".into())),
        }
    }

    /// Stores the records that are not stored yet, by id; all of them are committed when this returns. A record that cannot be stored is told, and
    /// the others of its batch are stored.
    ///
    /// # Errors
    /// [`Fault::Away`] or [`Fault::Unusable`]: nothing is known of any row, and the same batch may be inserted again.
    pub async fn insert(&self, records: &[Record]) -> Result<Inserted, Fault> {
        let latest = micros(SystemTime::now()) + DAY;
        let mut refused = Vec::new();
        let good: Vec<&Record> = records
            .iter()
            .filter(|record| {
                let fault = misplaced(record, latest);
                refused.extend(fault.clone().map(|fault| (record.id.clone(), fault)));
                fault.is_none()
            })
            .collect();
        let insert = async {
            match &self.database {
                Database::Sqlite(sqlite) => sqlite.insert(&good, &mut refused).await,
                Database::Postgres(postgres) => postgres.insert(&good, &mut refused).await,
            }
        };
        let stored = within(self.patience, insert)
            .await
            .map_err(|fault| match fault {
                // A batch is not a question: nothing is wrong with it.
                Fault::Slow => Fault::Away("a batch took too long".into()),
                fault => fault,
            })?;
        let known = (records.len() - refused.len()) as u64 - stored;
        Ok(Inserted {
            stored,
            known,
            refused,
        })
    }

    /// Forgets what is older than the retention, and, on SQLite, the oldest beyond the size. Call it now and then; several logbooks may do so at once.
    ///
    /// # Errors
    /// Those of the database; what was forgotten by then stays so.
    pub async fn retain(&self, now: SystemTime) -> Result<(), Fault> {
        let oldest =
            micros(now) - i64::try_from(self.retention.as_micros()).unwrap_or(i64::MAX / 2);
        let retain = async {
            match &self.database {
                Database::Sqlite(sqlite) => sqlite.retain(oldest).await,
                Database::Postgres(postgres) => postgres.retain(oldest, micros(now)).await,
            }
        };
        within(HOUSEKEEPING, retain).await
    }

    /// Forgets what is over its time, now and once every so often, for ever. Failures are logged, and tried again the next time.
    pub async fn keep(self, every: Duration) {
        loop {
            if let Err(fault) = self.retain(SystemTime::now()).await {
                tracing::warn!(%fault, "the request log could not forget what is over its time");
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Connects, and brings the schema up to date.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ready(&self) -> Result<(), Fault> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.ready().await,
            Database::Postgres(postgres) => postgres.ready().await,
        }
    }

    /// How long a question may take.
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether this is Postgres, for the few places where a question is put differently.
    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// The rows that a question gives.
    pub(crate) async fn ask(
        &self,
        sql: String,
        values: Vec<Cell>,
    ) -> Result<Vec<Vec<Cell>>, Fault> {
        let ask = async {
            match &self.database {
                Database::Sqlite(sqlite) => sqlite.ask(sql, values).await,
                Database::Postgres(postgres) => postgres.ask(sql, values).await,
            }
        };
        // What the database gives up by itself comes first, and says so.
        within(self.patience + GRACE, ask).await
    }
}

/// What a database answers in time.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let silent = |_| Fault::Away(format!("no answer within {} ms", patience.as_millis()));
    tokio::time::timeout(patience, answer)
        .await
        .map_err(silent)?
}

/// Why a record has no place in any database.
fn misplaced(record: &Record, latest: i64) -> Option<Fault> {
    let why = if record.id.is_empty() {
        "it has no id"
    } else if record.started_at < EARLIEST || record.completed_at < EARLIEST {
        "its time is before the year 2000"
    } else if record.started_at > latest || record.completed_at > latest {
        "its time is more than a day ahead"
    } else {
        return None;
    };
    Some(Fault::Row(why.into()))
}

/// A time as microseconds since the epoch, which is how records count.
#[must_use]
pub fn micros(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX / 2)
        })
}
