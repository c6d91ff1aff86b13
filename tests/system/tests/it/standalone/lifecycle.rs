//! The process: what it writes about itself, its admin server, and its end (features E4).

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use dragoman_system::{eventually, programs};
use futures::StreamExt;
use http::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::manifests::{backend, nobody, object, received, route, simple, simulator};
use super::proxy::{Proxy, chat, client, streamed, try_answer};

#[tokio::test]
async fn json_log_lines_are_objects_with_time_level_and_message() {
    let upstream = simulator().await;
    let proxy = Proxy::start_with(
        &simple(&upstream),
        &["--log-format", "json", "--log-level", "debug"],
    )
    .await;
    proxy.chat("echo").await;
    let log = proxy.log();
    assert!(log.lines().count() >= 3, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(
            line["timestamp"].is_string()
                && line["level"].is_string()
                && line["message"].is_string(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn text_log_lines_are_for_people_and_have_no_colours_in_a_file() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    let log = proxy.log();
    assert!(
        log.contains(" INFO ") && log.contains("listening") && !log.contains('\u{1b}'),
        "{log}"
    );
}

#[tokio::test]
async fn a_log_file_is_appended_to_and_the_terminal_stays_quiet() {
    let upstream = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.log");
    fs::write(&file, "before\n").unwrap();
    let proxy =
        Proxy::start_with(&simple(&upstream), &["--log-file", file.to_str().unwrap()]).await;
    let log = fs::read_to_string(&file).unwrap();
    assert!(
        log.starts_with("before\n") && log.contains("listening"),
        "{log}"
    );
    assert_eq!(proxy.log(), "");
}

/// Whether the log has a line for each call.
async fn calls_are_logged(proxy: &Proxy) -> bool {
    let id = async || {
        proxy
            .chat("echo")
            .await
            .header("x-dragoman-request-id")
            .unwrap()
            .to_owned()
    };
    let first = id().await;
    // The next calls follow the first one's line, on either thread.
    for _ in 0..20 {
        id().await;
    }
    proxy.log().contains(&first)
}

#[tokio::test]
async fn the_level_follows_the_llmproxy_while_it_runs() {
    let upstream = simulator().await;
    let at = |level: &str| {
        simple(&upstream)
            + &object(
                "LLMProxy",
                "{name: default}",
                &format!("logging: {{level: {level}}}"),
            )
    };
    let proxy = Proxy::start(&simple(&upstream)).await;
    assert!(
        !calls_are_logged(&proxy).await,
        "info has no line for each request"
    );
    proxy.edit(&at("debug"));
    eventually("calls are logged", || async {
        if calls_are_logged(&proxy).await {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    proxy.edit(&at("error"));
    eventually("calls are not logged any more", || async {
        if calls_are_logged(&proxy).await {
            Err(proxy.log())
        } else {
            Ok(())
        }
    })
    .await;
    proxy.edit(&simple(&upstream));
    proxy.logged("log level changed").await;
}

#[tokio::test]
async fn a_fault_is_logged_once_with_the_id_that_its_reply_carries() {
    let manifest = backend(
        "main",
        &format!("http://{}/v1", nobody()),
        "retries: {attempts: 0}",
    ) + &route("");
    let proxy = Proxy::start(&manifest).await;
    let reply = proxy.chat("echo").await;
    assert_eq!(reply.status, 502);
    let id = reply.header("x-dragoman-request-id").unwrap().to_owned();
    proxy.logged(&id).await;
    let log = proxy.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("main") && lines[0].to_lowercase().contains("refused"),
        "it names backend and cause: {}",
        lines[0]
    );
}

#[tokio::test]
async fn bodies_are_in_no_log_at_any_level() {
    let upstream = simulator().await;
    let proxy = Proxy::start_with(&simple(&upstream), &["--log-level", "trace"]).await;
    for model in ["echo", "status-400", "drop", "tokens-9+cut-2"] {
        for body in [
            chat(model, "a very private prompt"),
            streamed(model, "a very private prompt"),
        ] {
            let _ = try_answer(
                proxy
                    .request(Method::POST, "/v1/chat/completions")
                    .json(&body),
            )
            .await;
        }
    }
    assert!(!proxy.log().contains("private"), "{}", proxy.log());
}

#[tokio::test]
async fn the_admin_server_answers_health_readiness_and_metrics_and_nothing_else() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    assert_eq!(proxy.admin_get("/healthz").await.status, 200);
    let ready = proxy.admin_get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    for path in ["/v1/models", "/config", "/debug/pprof"] {
        assert_eq!(proxy.admin_get(path).await.status, 404, "{path}");
    }
    // And the traffic port has none of it.
    for path in ["/healthz", "/readyz", "/metrics"] {
        let reply =
            super::proxy::answer(client().get(format!("http://{}{path}", proxy.address))).await;
        assert_eq!(reply.status, 404, "{path}");
    }
}

#[tokio::test]
async fn metrics_count_requests_faults_and_what_is_in_flight() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&simple(&upstream)).await;
    for model in ["echo", "echo", "status-404", "drop"] {
        proxy.chat(model).await;
    }
    proxy.get("/routes/no/where/x").await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("hang", "x"));
    let held = tokio::spawn(request.send());
    received(&upstream, |seen| seen.len() == 5).await;
    let wanted = [
        r#"dragoman_requests_total{namespace="default",route="chat",status="2xx"} 2"#,
        r#"dragoman_requests_total{namespace="default",route="chat",status="4xx"} 1"#,
        r#"dragoman_requests_total{namespace="default",route="chat",status="5xx"} 1"#,
        r#"dragoman_upstream_faults_total{namespace="default",route="chat",kind="closed"} 1"#,
        r#"dragoman_request_duration_seconds_count{namespace="default",route="chat"} 4"#,
        "dragoman_requests_in_flight 1",
        r#"dragoman_config_items{kind="LLMRoute"} 1"#,
    ];
    eventually("everything is counted", || async {
        let text = proxy.admin_get("/metrics").await.text();
        match wanted
            .iter()
            .find(|line| !text.lines().any(|each| each == **line))
        {
            None => Ok(()),
            Some(line) => Err(format!("no {line} in\n{text}")),
        }
    })
    .await;
    held.abort();
}

#[tokio::test]
async fn sigterm_lets_a_running_stream_finish_refuses_new_connections_and_exits_0() {
    let upstream = simulator().await;
    let mut proxy = Proxy::start(&simple(&upstream)).await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&streamed("tokens-40+token-20ms", "x"));
    let mut stream = request.send().await.unwrap().bytes_stream();
    let mut text = stream.next().await.unwrap().unwrap().to_vec();
    proxy.signal("TERM");
    eventually("new connections are refused", || async {
        match TcpStream::connect(proxy.address).await {
            Err(_) => Ok(()),
            Ok(_) => Err(()),
        }
    })
    .await;
    let ready = try_answer(client().get(format!("http://{}/readyz", proxy.admin))).await;
    assert!(ready.is_err() || ready.is_ok_and(|ready| ready.status == 503));
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("word39") && text.trim_end().ends_with("data: [DONE]"),
        "{text}"
    );
    assert_eq!(proxy.ended().await.code(), Some(0), "{}", proxy.log());
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_end_up() {
    let upstream = simulator().await;
    let mut proxy = Proxy::start(&simple(&upstream)).await;
    // One that was used, and one that never said a word.
    let mut used = TcpStream::connect(proxy.address).await.unwrap();
    used.write_all(b"GET /v1/models HTTP/1.1\r\nHost: chat\r\n\r\n")
        .await
        .unwrap();
    used.read_exact(&mut [0; 15]).await.unwrap();
    let _silent = TcpStream::connect(proxy.address).await.unwrap();
    proxy.signal("TERM");
    assert_eq!(proxy.ended().await.code(), Some(0), "{}", proxy.log());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let upstream = simulator().await;
    let mut proxy = Proxy::start(&simple(&upstream)).await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&chat("hang", "x"));
    let held = tokio::spawn(request.send());
    received(&upstream, |seen| seen.len() == 1).await;
    proxy.signal("TERM");
    proxy.logged("requests may finish").await;
    proxy.signal("TERM");
    assert_eq!(proxy.ended().await.code(), Some(0));
    let _cut_off = held.await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_option() {
    let upstream = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.yaml"), simple(&upstream)).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (option, other) in [("--listen", "--admin"), ("--admin", "--listen")] {
        let output = Command::new(programs().join("dragoman-proxy"))
            .args([
                "run",
                "--no-request-log",
                "--config",
                folder.path().to_str().unwrap(),
                option,
                &address,
                other,
                "127.0.0.1:0",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&address) && said.contains(option), "{said}");
    }
}
