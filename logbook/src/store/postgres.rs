//! The log in Postgres, version 14 or newer.
//!
//! One connection writes, a few read, and two make partitions and drop them.
//! A batch is one statement over arrays, which needs no temporary table, and so passes through poolers.

use super::cell::{self, Cell};
use super::columns::{COLUMNS, Kind, values};
use super::connections::{Connections, Lease};
use super::{Options, migrations};
use crate::fault::Fault;
use crate::record::Record;
use parking_lot::Mutex;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions};
use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;
use tokio::sync::OnceCell;

#[derive(Clone)]
pub(super) struct Postgres {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Postgres {
    /// Without the address, which holds the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

struct Shared {
    address: Arc<Mutex<PgConnectOptions>>,
    /// What writes, what reads, and what makes and drops days.
    writer: Connections,
    readers: Connections,
    keeper: Connections,
    ready: OnceCell<()>,
    insert: String,
    /// Days since the epoch whose partitions are known to be there.
    days: Mutex<HashSet<i64>>,
}

impl Postgres {
    pub(super) fn open(address: &str, options: &Options) -> Result<Self, Fault> {
        let address = Arc::new(Mutex::new(parse(address)?));
        let patience = options.patience.as_millis();
        // Questions are short for the compiler that Postgres has and long for the memory that it gives.
        let reading = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {patience}; \
             SET jit = off; SET work_mem = '32MB'"
        );
        // Less than the patience with a batch, which may wait for what the keeper does.
        let keeping = format!("SET lock_timeout = {}", patience * 2 / 3);
        let connections = |most, setup| Connections::new(Arc::clone(&address), most, setup);
        Ok(Self {
            shared: Arc::new(Shared {
                writer: connections(1, format!("SET statement_timeout = {patience}")),
                readers: connections(options.readers, reading),
                // One may wait for locks while the other is needed for an insert.
                keeper: connections(2, keeping),
                address,
                ready: OnceCell::new(),
                insert: insert(),
                days: Mutex::default(),
            }),
        })
    }

    pub(super) fn readdress(&self, address: &str) -> Result<(), Fault> {
        *self.shared.address.lock() = parse(address)?;
        for connections in [
            &self.shared.writer,
            &self.shared.readers,
            &self.shared.keeper,
        ] {
            connections.forget();
        }
        Ok(())
    }

    pub(super) async fn ready(&self) -> Result<(), Fault> {
        let prepare = || async {
            // A migration that fails leaves its lock with the connection, which is closed then.
            let mut lease = self.keeper().await?;
            migrations::run(lease.connection(), &migrations::POSTGRES).await?;
            lease.keep();
            Ok(())
        };
        self.shared.ready.get_or_try_init(prepare).await.copied()
    }

    /// A connection for what holds locks.
    pub(super) async fn keeper(&self) -> Result<Lease<'_>, Fault> {
        self.shared.keeper.take().await
    }

    pub(super) fn days(&self) -> &Mutex<HashSet<i64>> {
        &self.shared.days
    }

    /// Stores records and says how many were new.
    pub(super) async fn insert(
        &self,
        records: &[&Record],
        refused: &mut Vec<(String, Fault)>,
    ) -> Result<u64, Fault> {
        self.ready().await?;
        self.make_room(records).await?;
        let mut stored = 0;
        // Halves that are still to be stored; what fails by a row's fault is halved until that row is alone.
        let mut parts = vec![records];
        let mut remade = false;
        while let Some(part) = parts.pop() {
            match self.insert_all(part).await {
                Ok(new) => stored += new,
                // Somebody dropped a partition that was there: one more try tells that from a fault of the row.
                Err(Fault::Row(_)) if !remade => {
                    remade = true;
                    self.days().lock().clear();
                    self.make_room(part).await?;
                    parts.push(part);
                }
                Err(fault @ Fault::Row(_)) => match part {
                    [record] => refused.push((record.id.clone(), fault)),
                    _ => {
                        let (first, last) = part.split_at(part.len() / 2);
                        parts.extend([last, first]);
                    }
                },
                Err(fault) => return Err(fault),
            }
        }
        Ok(stored)
    }

    async fn insert_all(&self, records: &[&Record]) -> Result<u64, Fault> {
        if records.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = records.iter().map(|record| values(record)).collect();
        let arguments = by_column(rows).map_err(sqlx::Error::Encode)?;
        let insert = sqlx::query_with(AssertSqlSafe(self.shared.insert.as_str()), arguments);
        let mut lease = self.shared.writer.take().await?;
        let done = insert
            .execute(lease.connection())
            .await
            .map_err(Fault::from);
        if done.as_ref().err().is_none_or(|fault| !fault.may_retry()) {
            lease.keep();
        }
        Ok(done?.rows_affected())
    }

    pub(super) async fn ask(&self, sql: String, asked: Vec<Cell>) -> Result<Vec<Vec<Cell>>, Fault> {
        self.ready().await?;
        let mut arguments = PgArguments::default();
        for cell in asked {
            cell.bind_postgres(&mut arguments)?;
        }
        // Not kept prepared: a plan that fits every value fits none of these questions well.
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false);
        let mut lease = self.shared.readers.take().await?;
        let rows = query.fetch_all(lease.connection()).await?;
        lease.keep();
        Ok(rows
            .iter()
            .map(cell::of_postgres)
            .collect::<Result<_, _>>()?)
    }
}

fn parse(address: &str) -> Result<PgConnectOptions, Fault> {
    let parsed = PgConnectOptions::from_str(address);
    // The parser's own words may quote the address.
    let options =
        parsed.map_err(|_| Fault::Unusable("its address is no URL of Postgres".into()))?;
    Ok(options
        .application_name("dragoman-logbook")
        .disable_statement_logging())
}

/// One array for each column.
fn by_column<const N: usize>(
    rows: Vec<[Cell; N]>,
) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut columns: Vec<Vec<Cell>> = COLUMNS
        .iter()
        .map(|_| Vec::with_capacity(rows.len()))
        .collect();
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    let mut arguments = PgArguments::default();
    for ((_, kind), column) in COLUMNS.iter().zip(columns) {
        match kind {
            Kind::Text | Kind::Json => {
                arguments.add(column.into_iter().map(Cell::text).collect::<Vec<_>>())?;
            }
            _ => arguments.add(column.iter().map(Cell::int).collect::<Vec<_>>())?,
        }
    }
    Ok(arguments)
}

/// The statement that stores a batch.
fn insert() -> String {
    let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let (mut arrays, mut exprs) = (Vec::new(), Vec::new());
    for (at, (name, kind)) in (1..).zip(COLUMNS) {
        arrays.push(match kind {
            Kind::Text | Kind::Json => format!("${at}::text[]"),
            _ => format!("${at}::int8[]"),
        });
        exprs.push(match kind {
            Kind::Text | Kind::Int => name.to_owned(),
            Kind::Bool => format!("{name} <> 0"),
            Kind::Json => format!("{name}::jsonb"),
            Kind::Time => format!("timestamptz 'epoch' + {name} * interval '1 microsecond'"),
            Kind::Money => format!("{name} * 0.000001"),
        });
    }
    let (names, arrays, exprs) = (names.join(", "), arrays.join(", "), exprs.join(", "));
    format!(
        "INSERT INTO requests ({names}) SELECT {exprs} FROM UNNEST({arrays}) AS batch ({names}) \
         ON CONFLICT (id, started_at) DO NOTHING"
    )
}
