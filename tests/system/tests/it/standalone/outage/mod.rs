//! The request log while its database is away, slow or full, and while processes die (feature C7). The programs as they run, and a real Postgres.
//!
//! `make soak` runs the first of these for ten minutes with a thousand requests a second: `DRAGOMAN_OUTAGE_SECONDS`, `DRAGOMAN_OUTAGE_RATE`.

mod installation;
mod load;
mod operator;
mod slow;

use std::path::Path;
use std::time::{Duration, Instant};

use dragoman_logbook::record::Record;
use dragoman_logbook::store::micros;
use dragoman_logbook::writer::{self, Writer};
use dragoman_system::{eventually, eventually_within};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::manifests::{simple, simulator};
use super::proxy::Proxy;
use crate::server::Server;
use installation::{Installation, Logbook, PATIENCE, all_once};
use load::Load;
use operator::Operator;
use slow::Slow;

/// What proxy and logbook may have in memory, whatever happens, in KiB: the queue's 64 MiB or batches' 64 MiB, as much again while they are written, and the program.
const MOST_MEMORY: u64 = 256 << 10;

fn setting(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(usual, |set| set.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_under_load_costs_no_request_and_no_row() {
    let seconds = Duration::from_secs(setting("DRAGOMAN_OUTAGE_SECONDS", 25));
    let rate = u32::try_from(setting("DRAGOMAN_OUTAGE_RATE", 100)).unwrap();
    let mut server = Server::start();
    let database = server.database().await;
    let mut running = Installation::start(&database).await;
    let load = Load::start(running.port, rate);
    let before = (seconds / 4).max(Duration::from_secs(5));
    tokio::time::sleep(before).await;
    server.down();
    let away = load.began.elapsed();
    // Rows wait on disk.
    eventually("rows are spooled", || async {
        let spooled = running.rows("spooled").await;
        if spooled > 0 { Ok(()) } else { Err(spooled) }
    })
    .await;
    tokio::time::sleep(seconds).await;
    let back = load.began.elapsed();
    let spool = running.metric("dragoman_request_log_spool_bytes").await;
    server.up();
    let again = Instant::now();
    let sample = "dragoman_request_log_spool_bytes";
    eventually_within(
        PATIENCE,
        "the spool is empty while requests go on",
        || async {
            let left = running.metric(sample).await;
            if left > 0.0 { Err(left) } else { Ok(()) }
        },
    )
    .await;
    let caught_up = again.elapsed();
    let (after, asked) = (load.began.elapsed(), load.end().await);
    assert!(asked.failed.is_empty(), "{:?}", asked.failed);
    all_once(&database, &asked.ids).await;
    for outcome in ["dropped", "refused"] {
        assert_eq!(running.rows(outcome).await, 0, "{outcome}");
    }
    let (proxy, logbook) = (running.peak(), running.logbook.peak());
    println!(
        "Postgres away for {:.0} s of {} requests: p99 {:.1} ms before, {:.1} ms while it was away, {:.1} ms while rows caught up; at most {} MiB (proxy) and {} MiB (logbook); \
         {:.0} MiB spooled, {:.0} bytes a row; caught up in {:.1} s; 0 rows lost",
        (back - away).as_secs_f64(),
        asked.ids.len(),
        asked.p99(Duration::from_secs(1), away).as_secs_f64() * 1e3,
        asked.p99(away, back).as_secs_f64() * 1e3,
        asked.p99(back, after).as_secs_f64() * 1e3,
        proxy >> 10,
        logbook >> 10,
        spool / f64::from(1 << 20),
        spool / (back - away).as_secs_f64() / f64::from(rate),
        caught_up.as_secs_f64(),
    );
    assert!(
        proxy < MOST_MEMORY && logbook < MOST_MEMORY,
        "{proxy} {logbook} KiB"
    );
    running.kill_proxy();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_database_makes_rows_wait_and_nobody_else() {
    let server = Server::start();
    let database = server.database().await;
    let slow = Slow::before(server.socket()).await;
    let name = database
        .trim_start_matches("postgres:///")
        .split('?')
        .next()
        .unwrap();
    let port = slow.port;
    let behind = format!("postgres://log@127.0.0.1:{port}/{name}?sslmode=disable");
    let running = Installation::start(&behind).await;
    let load = Load::start(running.port, 50);
    eventually("rows come", || async {
        let rows = running.rows("committed").await;
        if rows > 20 { Ok(()) } else { Err(rows) }
    })
    .await;
    slow.delay(Duration::from_millis(700));
    let so_far = load.so_far();
    eventually("requests go on", || async {
        let asked = load.so_far();
        if asked > so_far + 400 {
            Ok(())
        } else {
            Err(asked)
        }
    })
    .await;
    slow.delay(Duration::ZERO);
    let asked = load.end().await;
    assert!(asked.failed.is_empty(), "{:?}", asked.failed);
    all_once(&database, &asked.ids).await;
    assert_eq!(running.rows("dropped").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_database_makes_rows_wait_until_there_is_room() {
    let server = Server::start();
    let (database, disk) = server.database_on_a_disk_of(64 << 20).await;
    let running = Installation::start(&database).await;
    let load = Load::start(running.port, 50);
    eventually("rows come", || async {
        let rows = running.rows("committed").await;
        if rows > 20 { Ok(()) } else { Err(rows) }
    })
    .await;
    let filler = disk.join("filler");
    fill(&filler);
    eventually("the database takes no more", || async {
        let away = running.metric("dragoman_request_log_away").await;
        if away > 0.0 {
            Ok(())
        } else {
            Err(running.rows("committed").await)
        }
    })
    .await;
    let so_far = load.so_far();
    eventually("requests go on", || async {
        let asked = load.so_far();
        if asked > so_far + 200 {
            Ok(())
        } else {
            Err(asked)
        }
    })
    .await;
    std::fs::remove_file(&filler).unwrap();
    let asked = load.end().await;
    assert!(asked.failed.is_empty(), "{:?}", asked.failed);
    all_once(&database, &asked.ids).await;
    assert_eq!(
        running.rows("dropped").await + running.rows("refused").await,
        0
    );
}

/// Takes all that is left of a disk.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut filler = std::fs::File::create(path).unwrap();
    for size in [1 << 20, 4096] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_proxy_spooled_before_kill_9_is_stored_once_when_it_runs_again() {
    let mut server = Server::start();
    let database = server.database().await;
    let mut running = Installation::start(&database).await;
    let load = Load::start(running.port, 100);
    eventually("rows come", || async {
        let rows = running.rows("committed").await;
        if rows > 50 { Ok(()) } else { Err(rows) }
    })
    .await;
    server.down();
    let so_far = load.so_far();
    eventually("requests go on", || async {
        let asked = load.so_far();
        if asked > so_far + 300 {
            Ok(())
        } else {
            Err(asked)
        }
    })
    .await;
    let asked = load.end().await;
    assert!(asked.failed.is_empty(), "{:?}", asked.failed);
    let total = asked.ids.len() as u64;
    eventually("each row is stored or on disk", || async {
        let (committed, spooled) = (
            running.rows("committed").await,
            running.rows("spooled").await,
        );
        let queued = running.metric("dragoman_request_log_queue_bytes").await;
        let all = committed + spooled >= total && queued == 0.0;
        if all {
            Ok(())
        } else {
            Err((committed, spooled, queued))
        }
    })
    .await;
    // Killed while it writes what comes now, of which the last rows may be in memory alone.
    let torn = Load::start(running.port, 200);
    eventually("more is written", || async {
        let asked = torn.so_far();
        if asked > 100 { Ok(()) } else { Err(asked) }
    })
    .await;
    running.kill_proxy();
    torn.end().await;
    running.start_proxy();
    server.up();
    all_once(&database, &asked.ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logbook_that_is_killed_while_it_writes_loses_nothing_and_stores_nothing_twice() {
    let server = Server::start();
    let database = server.database().await;
    let mut running = Installation::start(&database).await;
    let load = Load::start(running.port, 200);
    for _ in 0..4 {
        let rows = running.rows("committed").await;
        eventually("rows come", || async {
            let now = running.rows("committed").await;
            if now > rows + 50 { Ok(()) } else { Err(now) }
        })
        .await;
        running.logbook.kill();
        running.logbook.start();
    }
    let asked = load.end().await;
    assert!(asked.failed.is_empty(), "{:?}", asked.failed);
    all_once(&database, &asked.ids).await;
    assert_eq!(
        running.rows("dropped").await + running.rows("refused").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_ones_own_that_is_killed_has_each_row_that_was_committed_once() {
    let upstream = simulator().await;
    let data = tempfile::tempdir().unwrap();
    let mut committed = Vec::new();
    for _ in 0..3 {
        let options = ["--data", data.path().to_str().unwrap()];
        let proxy = Proxy::start_with(&simple(&upstream), &options).await;
        let load = Load::start(proxy.address.port(), 200);
        eventually("rows come", || async {
            let metrics = proxy.admin_get("/metrics").await.text();
            let sample = "dragoman_request_log_rows_total{outcome=\"committed\"} ";
            let rows = metrics.lines().find_map(|line| line.strip_prefix(sample));
            let rows: u64 = rows.unwrap_or("0").parse().unwrap();
            if rows > 100 { Ok(()) } else { Err(rows) }
        })
        .await;
        // What anybody may have seen is there for good.
        let seen = proxy.admin_get("/api/logs?limit=1000").await.json();
        let seen = seen["logs"].as_array().unwrap().iter();
        committed.extend(seen.map(|log| log["id"].as_str().unwrap().to_owned()));
        proxy.signal("KILL");
        load.end().await;
    }
    let _again = Proxy::start_with(
        &simple(&upstream),
        &["--data", data.path().to_str().unwrap()],
    )
    .await;
    let path = format!("sqlite:{}", data.path().join("requests.db").display());
    let mut connection = SqliteConnection::connect(&path).await.unwrap();
    let mut found: Vec<String> = sqlx::query_scalar("SELECT id FROM requests")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let rows = found.len();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), rows);
    assert!(committed.len() > 300);
    assert!(committed.iter().all(|id| found.binary_search(id).is_ok()));
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
}

fn row(pod: usize, number: u64) -> Record {
    let now = micros(std::time::SystemTime::now());
    Record {
        id: format!("{pod}-{number}"),
        started_at: now,
        completed_at: now + 300_000,
        namespace: "default".into(),
        route: Some("chat".into()),
        user_name: Some(format!("user-{}", number % 50)),
        model_requested: Some("llama3-70b".into()),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        status: Some(200),
        duration_ms: 300,
        ttft_ms: Some(40),
        prompt_tokens: Some(100),
        completion_tokens: Some(50),
        request_headers: vec![
            ("authorization".into(), "Bearer [masked]".into()),
            ("content-type".into(), "application/json".into()),
            ("user-agent".into(), "OpenAI/Python 2.8.1".into()),
        ],
        request_body: Some("{\"role\":\"user\",\"content\":\"a question\"},".repeat(20)),
        response_content: Some("an answer of some words ".repeat(10)),
        ..Record::default()
    }
}

/// A figure for people, too: `cargo test --release -p dragoman-system --test it -- three_hundred --nocapture` with `DRAGOMAN_SENDERS_ROWS=1000`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_proxies_ship_into_a_postgres_of_twenty_connections() {
    const PROXIES: usize = 300;
    let rows = setting("DRAGOMAN_SENDERS_ROWS", 20);
    let server = Server::with(20);
    let database = server.database().await;
    let folder = tempfile::tempdir().unwrap();
    let operator = Operator::new();
    // Two of them, that bring the schema up to date at once.
    let second = tempfile::tempdir().unwrap();
    let logbooks = [
        Logbook::new(&operator, folder.path(), &database),
        Logbook::new(&operator, second.path(), &database),
    ];
    for logbook in &logbooks {
        logbook.ready().await;
    }
    let began = Instant::now();
    let mut writers = Vec::new();
    for pod in 0..PROXIES {
        let logbook = &logbooks[pod % 2];
        let remote = operator.remote(logbook.port, &format!("pod-{pod}"));
        let (writer, _task) = Writer::start(remote, None, writer::Options::default());
        (0..rows).for_each(|number| writer.offer(row(pod, number)).unwrap());
        writers.push(writer);
    }
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let counting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dragoman-logbook'";
    eventually_within(PATIENCE, "all rows are committed", || {
        let left = writers
            .iter()
            .filter(|writer| writer.progress().committed < rows)
            .count();
        async move { if left == 0 { Ok(()) } else { Err(left) } }
    })
    .await;
    let took = began.elapsed();
    let most: i64 = sqlx::query_scalar(counting)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let all = PROXIES as u64 * rows;
    println!(
        "{PROXIES} senders, two logbooks: {:.0} rows a second into Postgres, {most} connections",
        all as f64 / took.as_secs_f64()
    );
    let ids: Vec<_> = (0..PROXIES)
        .flat_map(|pod| (0..rows).map(move |number| format!("{pod}-{number}")))
        .collect();
    all_once(&database, &ids).await;
    // Three to write and make room, three to answer questions, of each.
    assert!(most <= 12, "{most} connections");
    assert!(writers.iter().all(|writer| writer.progress().dropped == 0));
}
