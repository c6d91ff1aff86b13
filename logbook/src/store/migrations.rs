//! The schema's steps, built into the program.
//!
//! Steps are only ever added, and each leaves what older programs use, so that logbooks of two versions run side by side while one replaces the other.

use crate::fault::Fault;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

pub(crate) const SQLITE: [(&str, &str); 4] = [
    (
        "requests",
        include_str!("../../migrations/sqlite/0001_requests.sql"),
    ),
    (
        "views",
        include_str!("../../migrations/sqlite/0002_views.sql"),
    ),
    (
        "figures",
        include_str!("../../migrations/sqlite/0003_figures.sql"),
    ),
    (
        "replay",
        include_str!("../../migrations/sqlite/0004_replay.sql"),
    ),
];

pub(crate) const POSTGRES: [(&str, &str); 4] = [
    (
        "requests",
        include_str!("../../migrations/postgres/0001_requests.sql"),
    ),
    (
        "views",
        include_str!("../../migrations/postgres/0002_views.sql"),
    ),
    (
        "figures",
        include_str!("../../migrations/postgres/0003_figures.sql"),
    ),
    (
        "replay",
        include_str!("../../migrations/postgres/0004_replay.sql"),
    ),
];

/// Brings the schema up to date. On Postgres one program does so at a time, by an advisory lock that goes with the connection: close it
/// if this fails, because a step that fails leaves the lock taken.
pub(crate) async fn run<C: Migrate>(
    connection: &mut C,
    steps: &[(&'static str, &'static str)],
) -> Result<(), Fault> {
    let steps = (1..).zip(steps).map(|(version, (name, sql))| {
        Migration::new(
            version,
            (*name).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(steps.collect());
    // A newer logbook may have been here.
    migrator.set_ignore_missing(true);
    Ok(migrator.run_direct(None, connection, false).await?)
}
