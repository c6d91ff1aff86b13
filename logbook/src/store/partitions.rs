//! The days of Postgres: made ahead and on demand, dropped when they are over their retention.
//!
//! Several logbooks may do this at once. Making holds an advisory lock for its transaction; retention, which cannot run in one, holds
//! another while its connection lives, and whoever does not get it leaves the work to the one who has it.

use super::postgres::Postgres;
use super::{DAY, micros};
use crate::fault::Fault;
use crate::record::Record;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

/// Days ahead of today that have their partition already, so that midnight finds one.
const AHEAD: i64 = 3;
/// Names of the advisory locks; any numbers that nobody else in this database uses.
const MAKING: i64 = 0x6c6f_6762_6f6f_6b01;
const DROPPING: i64 = 0x6c6f_6762_6f6f_6b02;

/// Tables that bear a partition's name, whether they are attached (`t`), half detached (`p`) or not at all (`f`).
const PARTITIONS: &str = "SELECT c.relname::text, \
        CASE WHEN i.inhrelid IS NULL THEN 'f' WHEN i.inhdetachpending THEN 'p' ELSE 't' END \
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'requests'::regclass \
    WHERE c.relkind = 'r' AND c.relname ~ '^requests_day_[0-9]+$' \
      AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'requests'::regclass) \
    ORDER BY c.relname";

impl Postgres {
    /// Makes the partitions that some records need and that are not known to be there.
    pub(super) async fn make_room(&self, records: &[&Record]) -> Result<(), Fault> {
        let days: BTreeSet<i64> = {
            let known = self.days().lock();
            let days = records
                .iter()
                .map(|record| record.started_at.div_euclid(DAY));
            days.filter(|day| !known.contains(day)).collect()
        };
        if days.is_empty() {
            return Ok(());
        }
        let today = micros(SystemTime::now()).div_euclid(DAY);
        self.make(days.into_iter().chain(today..=today + AHEAD))
            .await
    }

    async fn make(&self, days: impl Iterator<Item = i64>) -> Result<(), Fault> {
        let mut lease = self.keeper().await?;
        let mut transaction = lease.connection().begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(MAKING)
            .execute(&mut *transaction)
            .await?;
        let there = attached(&mut transaction).await?;
        let mut made = HashSet::new();
        for day in days {
            if !there.contains(&name(day)) && made.insert(day) {
                sqlx::raw_sql(AssertSqlSafe(create(day)))
                    .execute(&mut *transaction)
                    .await?;
            }
            made.insert(day);
        }
        transaction.commit().await?;
        lease.keep();
        self.days().lock().extend(made);
        Ok(())
    }

    /// Drops the days that were over before a time, and makes those that come.
    pub(super) async fn retain(&self, oldest: i64, now: i64) -> Result<(), Fault> {
        self.ready().await?;
        // Where something fails, the lock goes with the connection.
        let mut lease = self.keeper().await?;
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(DROPPING);
        let alone: bool = lock.fetch_one(lease.connection()).await?;
        if alone {
            self.drop_before(lease.connection(), oldest.div_euclid(DAY))
                .await?;
            let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(DROPPING);
            unlock.execute(lease.connection()).await?;
        }
        lease.keep();
        let today = now.div_euclid(DAY);
        self.make(today..=today + AHEAD).await
    }

    async fn drop_before(&self, connection: &mut PgConnection, first: i64) -> Result<(), Fault> {
        for (partition, state) in partitions(connection).await? {
            let Some(day) = day(&partition).filter(|day| *day < first) else {
                continue;
            };
            self.days().lock().remove(&day);
            // Concurrently: readers and writers of other days never wait. One that was interrupted has to be brought to its end first.
            let detach = match state.as_str() {
                "t" => Some("CONCURRENTLY"),
                "p" => Some("FINALIZE"),
                _ => None,
            };
            if let Some(how) = detach {
                let detach = format!("ALTER TABLE requests DETACH PARTITION {partition} {how}");
                sqlx::raw_sql(AssertSqlSafe(detach))
                    .execute(&mut *connection)
                    .await?;
            }
            let drop = format!("DROP TABLE {partition}");
            sqlx::raw_sql(AssertSqlSafe(drop))
                .execute(&mut *connection)
                .await?;
            tracing::info!(
                partition,
                "dropped a day of the request log that is over its retention"
            );
        }
        Ok(())
    }
}

async fn partitions(connection: &mut PgConnection) -> Result<Vec<(String, String)>, Fault> {
    Ok(sqlx::query_as(PARTITIONS).fetch_all(connection).await?)
}

async fn attached(connection: &mut PgConnection) -> Result<HashSet<String>, Fault> {
    let partitions = partitions(connection).await?;
    Ok(partitions
        .into_iter()
        .filter(|(_, state)| state == "t")
        .map(|(name, _)| name)
        .collect())
}

/// A partition's name: the day's number since the epoch. Its bounds, which people look at, are dates.
fn name(day: i64) -> String {
    format!("requests_day_{day}")
}

fn day(partition: &str) -> Option<i64> {
    partition.strip_prefix("requests_day_")?.parse().ok()
}

/// Statements that make a partition. Made beside the table and then attached, which locks out nobody; made in place it would lock out everybody.
/// One that an interrupted retention left detached is dropped first: what it held is over its time.
///
/// Vacuumed more often than usual, since an index answers alone only for what was vacuumed.
fn create(day: i64) -> String {
    let name = name(day);
    let bound = |day: i64| {
        format!(
            "(timestamptz 'epoch' + interval '{} seconds')",
            day * 86_400
        )
    };
    format!(
        "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (LIKE requests INCLUDING ALL) \
           WITH (autovacuum_vacuum_insert_scale_factor = 0.05); \
         ALTER TABLE requests ATTACH PARTITION {name} FOR VALUES FROM ({}) TO ({});",
        bound(day),
        bound(day + 1)
    )
}
