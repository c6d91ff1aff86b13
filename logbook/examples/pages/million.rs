//! A database of very many requests, made at once.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// Every page and figure, by each filter: one that lets all but everything through, one that lets a part through, and one that nothing gets through.
pub(crate) const FILTERS: [&str; 20] = [
    "",
    "from=7d",
    "namespace=team-3",
    "namespace=team-3&namespace=team-4",
    "route=route-7",
    "route=nobodys",
    "user=user-77",
    "user=nobody",
    "model=model-5",
    "status=failed",
    "status=succeeded",
    "status=502",
    "status=418",
    "min_duration_ms=1000",
    "min_duration_ms=9999999",
    "attribute=team%3Dteam-2",
    "attribute=team%3Dnobodys",
    "model=model-5&min_duration_ms=9999999&status=succeeded",
    "text=an+answer",
    "text=nobody+said+that",
];

/// Requests of the last 24 hours, evenly spread: ten namespaces, twenty routes, five hundred users, 25 models, every fortieth failed, every other with attributes, some
/// 600 bytes of bodies. The schema is there, and the table empty.
///
/// # Panics
/// When the database does not take them.
pub(crate) async fn fill(address: &str, rows: u64) {
    if address.starts_with("sqlite") {
        sqlite(address, rows).await;
    } else {
        postgres(address, rows).await;
    }
}

const COLUMNS: &str = "id, started_at, completed_at, proxy, route, namespace, client_address, user_name, method, path, client_dialect, upstream_dialect, \
    backend, upstream_url, model_requested, model_sent, model_reported, stream, status, error, finish_reason, prompt_tokens, completion_tokens, \
    tokens_estimated, cost, attempts, request_bytes, response_bytes, ttft_ms, duration_ms, upstream_ms, request_headers, request_body, response_body, \
    response_content, attributes, failed";

/// What is written alike in both: `h` is a number that looks drawn.
const ALIKE: &str = "'team/proxy', 'route-' || (h % 20), 'team-' || (h % 10), '10.0.0.' || (h % 250), 'user-' || (h / 7 % 500), 'POST', \
    '/v1/chat/completions', 'OpenAI', 'OpenAI', 'models/vllm', 'http://vllm.models.svc:8000/v1/chat/completions', 'model-' || (h / 11 % 25), \
    'llama', 'llama'";
const ATTEMPTS: &str = r#"'[{"backend":"models/vllm","url":"http://vllm.models.svc:8000/v1/chat/completions","status":200,"error":null,"started_ms":2,"duration_ms":300}]'"#;
const HEADERS: &str = r#"'[["host","chat.team.svc"],["authorization","Bearer [masked]"],["content-type","application/json"],["user-agent","OpenAI/Python 2.8.1"]]'"#;
const BODY: &str = r#"'{"model":"m","messages":[{"role":"user","content":"'"#;

async fn sqlite(address: &str, rows: u64) {
    let mut connection = SqliteConnection::connect(address).await.expect("a file");
    let indexes: Vec<String> = sqlx::query_scalar(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid",
    )
    .fetch_all(&mut connection)
    .await
    .expect("a schema");
    // Rows first, and indexes from all of them at once, which takes a third of the time.
    let mut script = "PRAGMA synchronous = off; PRAGMA cache_size = -200000; BEGIN;".to_owned();
    for index in &indexes {
        let name = index.split_whitespace().nth(2).unwrap_or_default();
        script += &format!("DROP INDEX {name};");
    }
    script += &format!(
        "INSERT INTO requests ({COLUMNS}) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows}), \
           r AS (SELECT i, (i * 2654435761) % 1000003 AS h, (strftime('%s', 'now') - 86340) * 1000000 + i * 86280000000 / {rows} AS t FROM n) \
         SELECT printf('019a2b3c-0000-7000-8000-%012x', i), t, t + 1000000, {ALIKE}, 1, CASE WHEN h % 40 = 0 THEN 502 ELSE 200 END, \
           CASE WHEN h % 40 = 0 THEN 'the upstream refused' END, 'stop', 100 + h % 3000, h % 700, 0, (h % 9000) / 1e6, {ATTEMPTS}, 700, 900, \
           60 + h % 900, 100 + h / 13 % 30000, 300, {HEADERS}, {BODY} || hex(randomblob(150)) || '\"}}]}}', NULL, \
           'an answer ' || hex(randomblob(80)), CASE WHEN h % 2 = 0 THEN json_object('team', 'team-' || (h % 10), 'tier', h % 3) END, h % 40 = 0 FROM r;"
    );
    script += &indexes.join(";");
    script += "; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)";
    sqlx::raw_sql(AssertSqlSafe(script))
        .execute(&mut connection)
        .await
        .expect("rows");
}

async fn postgres(address: &str, rows: u64) {
    let mut connection = PgConnection::connect(address).await.expect("a server");
    let mut script = "SET maintenance_work_mem = '256MB'; SET synchronous_commit = off;".to_owned();
    // Two days, each filled before its indexes are made, which attaching it does.
    let today: i64 = sqlx::query_scalar("SELECT floor(extract(epoch FROM now()) / 86400)::int8")
        .fetch_one(&mut connection)
        .await
        .expect("a time");
    for day in [today - 1, today] {
        let bound = |day: i64| {
            format!(
                "(timestamptz 'epoch' + interval '{} seconds')",
                day * 86_400
            )
        };
        let (low, high) = (bound(day), bound(day + 1));
        script += &format!(
            "ALTER TABLE IF EXISTS requests_day_{day} RENAME TO requests_other_{day};
             DO $$ BEGIN IF to_regclass('requests_other_{day}') IS NOT NULL THEN
               EXECUTE 'ALTER TABLE requests DETACH PARTITION requests_other_{day}; DROP TABLE requests_other_{day}'; END IF; END $$;
             CREATE TABLE requests_day_{day} (LIKE requests INCLUDING ALL EXCLUDING INDEXES);
             INSERT INTO requests_day_{day} ({COLUMNS})
             SELECT '019a2b3c-0000-7000-8000-' || lpad(to_hex(i), 12, '0'), t, t + interval '1 second', {ALIKE}, true,
               CASE WHEN h % 40 = 0 THEN 502 ELSE 200 END, CASE WHEN h % 40 = 0 THEN 'the upstream refused' END, 'stop', 100 + h % 3000, h % 700,
               false, (h % 9000) * 0.000001, {ATTEMPTS}, 700, 900, 60 + h % 900, 100 + h / 13 % 30000, 300, {HEADERS},
               {BODY} || repeat(md5(i::text), 10) || '\"}}]}}', NULL, 'an answer ' || repeat(md5(i::text), 5),
               CASE WHEN h % 2 = 0 THEN jsonb_build_object('team', 'team-' || (h % 10), 'tier', h % 3) END, h % 40 = 0
             FROM (SELECT i, (i * 2654435761) % 1000003 AS h, date_trunc('second', now()) - interval '86340 seconds' + i * interval '86280 seconds' / {rows} AS t
                   FROM generate_series(0::int8, {rows} - 1) AS i) AS n
             WHERE t >= {low} AND t < {high};
             ALTER TABLE requests ATTACH PARTITION requests_day_{day} FOR VALUES FROM ({low}) TO ({high});"
        );
    }
    for script in [script.as_str(), "VACUUM (ANALYZE) requests"] {
        sqlx::raw_sql(AssertSqlSafe(script))
            .execute(&mut connection)
            .await
            .expect("rows");
    }
}
