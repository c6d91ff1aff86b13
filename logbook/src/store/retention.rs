//! Room in SQLite: the oldest requests go, in steps so small that inserts pass between them.

use super::sqlite::Sqlite;
use crate::fault::Fault;

/// Rows that one step deletes.
const STEP: i64 = 500;
/// How far below its bound a file is brought, so that not every insert has to make room: to fifteen sixteenths.
const SLACK: u64 = 16;

impl Sqlite {
    /// Deletes what started before a time.
    pub(super) async fn forget_before(&self, oldest: i64) -> Result<(), Fault> {
        while self.delete_oldest(oldest).await? > 0 {}
        self.give_back().await
    }

    /// Deletes the oldest until the file holds no more than it may.
    pub(super) async fn bound(&self, max_bytes: u64) -> Result<(), Fault> {
        if self.held().await? <= max_bytes {
            return Ok(());
        }
        let aim = max_bytes - max_bytes / SLACK;
        while self.held().await? > aim && self.delete_oldest(i64::MAX).await? > 0 {}
        self.give_back().await
    }

    /// Deletes one step's rows of those that started before a time, and says how many.
    async fn delete_oldest(&self, before: i64) -> Result<u64, Fault> {
        const DELETE: &str = "DELETE FROM requests WHERE id IN \
            (SELECT id FROM requests WHERE started_at < ?1 ORDER BY started_at, id LIMIT ?2)";
        let done = sqlx::query(DELETE)
            .bind(before)
            .bind(STEP)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }

    /// Bytes of pages that are in use.
    async fn held(&self) -> Result<u64, Fault> {
        const HELD: &str = "SELECT (page_count - freelist_count) * page_size \
            FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let held: i64 = sqlx::query_scalar(HELD).fetch_one(&self.writer).await?;
        Ok(held.unsigned_abs())
    }

    /// Gives pages that are free back to the disk, some at a time.
    async fn give_back(&self) -> Result<(), Fault> {
        let mut before = i64::MAX;
        loop {
            let free: i64 = sqlx::query_scalar("PRAGMA freelist_count")
                .fetch_one(&self.writer)
                .await?;
            // A database that somebody made without incremental vacuum keeps its free pages, and uses them again.
            if free == 0 || free >= before {
                return Ok(());
            }
            before = free;
            sqlx::raw_sql("PRAGMA incremental_vacuum(2000)")
                .execute(&self.writer)
                .await?;
        }
    }
}
