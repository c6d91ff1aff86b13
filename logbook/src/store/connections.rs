//! Connections to Postgres: a bounded number, kept while they are well, and thrown away when anything goes wrong.
//!
//! Not the driver's own pool: that one asks a connection how it is when it is given back, for as long as that takes, so that a server which vanished without a word would
//! hold all of them for a quarter of an hour. Here a connection that was not given back whole is closed at once.

use crate::fault::Fault;
use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How long connecting may take, or finding out whether a connection is well.
const CONNECT: Duration = Duration::from_secs(5);
/// How old a connection grows, so that what a server keeps for it, and a password that is over, do not stay for ever.
const OLDEST: Duration = Duration::from_mins(30);

/// Connections that are all set up alike.
pub(super) struct Connections {
    address: Arc<Mutex<PgConnectOptions>>,
    setup: String,
    permits: Semaphore,
    idle: Mutex<Vec<Live>>,
}

struct Live {
    connection: PgConnection,
    born: Instant,
}

/// A connection on loan. It is closed unless it is [kept](Self::keep).
pub(super) struct Lease<'a> {
    live: Live,
    home: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    /// At most so many, to an address that may change, each begun by some statements.
    pub(super) fn new(address: Arc<Mutex<PgConnectOptions>>, most: u32, setup: String) -> Self {
        let permits = Semaphore::new(most.max(1) as usize);
        Self {
            address,
            setup,
            permits,
            idle: Mutex::default(),
        }
    }

    /// One that is well.
    pub(super) async fn take(&self) -> Result<Lease<'_>, Fault> {
        let busy = |_| Fault::Away("all connections are busy".into());
        let permit = timeout(CONNECT, self.permits.acquire())
            .await
            .map_err(busy)?;
        let permit = permit.map_err(|_| Fault::Away("the log is closed".into()))?;
        let live = loop {
            let Some(mut live) = self.idle.lock().pop() else {
                break self.connect().await?;
            };
            let well = timeout(CONNECT, live.connection.ping());
            if live.born.elapsed() < OLDEST && well.await.is_ok_and(|ping| ping.is_ok()) {
                break live;
            }
        };
        Ok(Lease {
            live,
            home: self,
            _permit: permit,
        })
    }

    /// Closes those that nobody uses, because they were made with what is no longer right.
    pub(super) fn forget(&self) {
        self.idle.lock().clear();
    }

    async fn connect(&self) -> Result<Live, Fault> {
        let address = self.address.lock().clone();
        let connect = async {
            let mut connection = address.connect().await?;
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(self.setup.clone())))
                .await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let connection = timeout(CONNECT, connect).await;
        let late = |_| {
            Fault::Away(format!(
                "no connection within {} seconds",
                CONNECT.as_secs()
            ))
        };
        Ok(Live {
            connection: connection.map_err(late)??,
            born: Instant::now(),
        })
    }
}

impl Lease<'_> {
    pub(super) const fn connection(&mut self) -> &mut PgConnection {
        &mut self.live.connection
    }

    /// Nothing went wrong: somebody else may have it.
    pub(super) fn keep(self) {
        self.home.idle.lock().push(self.live);
    }
}
