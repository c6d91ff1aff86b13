//! A store of either kind, and rows to put into it.

use crate::server::Server;
use dragoman_logbook::record::Record;
use dragoman_logbook::store::{Options, Store, micros};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::time::SystemTime;
use tempfile::TempDir;

/// Tests of a module on both databases: each is an async function that takes a [`Fixture`].
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test(crate::fixture::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $test() { super::$test(crate::fixture::postgres().await).await; })*
        }
    };
}
pub(crate) use on_both;

/// An empty store, and where it is.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) address: String,
    _folder: Option<TempDir>,
}

pub(crate) fn sqlite() -> Fixture {
    let folder = TempDir::new().unwrap();
    let address = format!("sqlite:{}", folder.path().join("log/requests.db").display());
    let store = Store::open(&address, &Options::default()).unwrap();
    Fixture {
        store,
        address,
        _folder: Some(folder),
    }
}

pub(crate) async fn postgres() -> Fixture {
    let address = Server::shared().database().await;
    let store = Store::open(&address, &Options::default()).unwrap();
    Fixture {
        store,
        address,
        _folder: None,
    }
}

impl Fixture {
    /// Another store on the same database, with connections of its own.
    pub(crate) fn again(&self) -> Store {
        Store::open(&self.address, &Options::default()).unwrap()
    }

    /// Runs a statement behind the store's back.
    pub(crate) async fn run(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        if self.address.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.address).await.unwrap();
            sql.execute(&mut connection).await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&self.address).await.unwrap();
            sql.execute(&mut connection).await.unwrap();
        }
    }

    /// The only column of some rows.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.address.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.address).await.unwrap();
            sqlx::query_scalar(sql)
                .fetch_all(&mut connection)
                .await
                .unwrap()
        } else {
            let mut connection = PgConnection::connect(&self.address).await.unwrap();
            sqlx::query_scalar(sql)
                .fetch_all(&mut connection)
                .await
                .unwrap()
        }
    }
}

/// Noon (UTC) of yesterday: a time that every store takes, and that is not near midnight.
pub(crate) fn noon() -> i64 {
    const DAY: i64 = 86_400_000_000;
    (micros(SystemTime::now()) / DAY - 1) * DAY + DAY / 2
}

/// An ordinary request, so many seconds after [`noon`].
pub(crate) fn at(seconds: i64) -> Record {
    let started_at = noon() + seconds * 1_000_000;
    Record {
        id: uuid::Uuid::now_v7().to_string(),
        started_at,
        completed_at: started_at + 250_000,
        proxy: "team/proxy".into(),
        route: Some("chat".into()),
        namespace: "team".into(),
        client_address: Some("10.0.0.7".into()),
        user_name: Some("alice".into()),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        client_dialect: Some("openai".into()),
        model_requested: Some("gpt-4o".into()),
        model_sent: Some("llama".into()),
        status: Some(200),
        prompt_tokens: Some(10),
        completion_tokens: Some(5),
        cost: Some(1_250),
        duration_ms: 250,
        ttft_ms: Some(40),
        request_body: Some(r#"{"model":"gpt-4o"}"#.into()),
        response_content: Some("Hello".into()),
        ..Record::default()
    }
}
