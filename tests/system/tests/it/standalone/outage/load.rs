//! Requests at a steady rate, whatever becomes of those before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

/// What was asked so far: each answer's id, when it was asked since the start, and how long it took.
#[derive(Debug, Default, Clone)]
pub(super) struct Asked {
    pub(super) ids: Vec<String>,
    pub(super) took: Vec<(Duration, Duration)>,
    /// Requests that were not answered with 200.
    pub(super) failed: Vec<String>,
}

impl Asked {
    /// The time that 99 of 100 requests stayed within, of those between two moments.
    pub(super) fn p99(&self, from: Duration, until: Duration) -> Duration {
        let mut took: Vec<_> = self
            .took
            .iter()
            .filter(|(at, _)| *at >= from && *at < until)
            .map(|(_, took)| *took)
            .collect();
        took.sort_unstable();
        let at = took.len() * 99 / 100;
        took.get(at).copied().unwrap_or_default()
    }
}

/// Requests that go on until they are stopped.
pub(super) struct Load {
    asked: Arc<Mutex<Asked>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
    pub(super) began: Instant,
}

impl Load {
    /// So many a second to the route `chat` at a port.
    pub(super) fn start(port: u16, rate: u32) -> Self {
        let (asked, stop) = (
            Arc::new(Mutex::new(Asked::default())),
            Arc::new(AtomicBool::new(false)),
        );
        let began = Instant::now();
        let task = tokio::spawn(send(
            port,
            rate,
            Arc::clone(&asked),
            Arc::clone(&stop),
            began,
        ));
        Self {
            asked,
            stop,
            task,
            began,
        }
    }

    pub(super) fn so_far(&self) -> usize {
        self.asked.lock().ids.len()
    }

    /// Waits for the last answers.
    pub(super) async fn end(self) -> Asked {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.asked.lock().clone()
    }
}

async fn send(
    port: u16,
    rate: u32,
    asked: Arc<Mutex<Asked>>,
    stop: Arc<AtomicBool>,
    began: Instant,
) {
    let http = super::super::proxy::client();
    let body =
        json!({"model": "echo", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    // A tick of at least ten milliseconds carries several requests.
    let each = (rate / 100).max(1);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) * each / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        while running.try_join_next().is_some() {}
        // A proxy that does not answer is found out by what failed, and not by this process's memory.
        for _ in 0..each.min(2000_u32.saturating_sub(u32::try_from(running.len()).unwrap())) {
            let request = http
                .post(format!("http://127.0.0.1:{port}/v1/chat/completions"))
                .header("host", "chat")
                .header("content-type", "application/json")
                .timeout(Duration::from_secs(60))
                .body(body.clone());
            let asked = Arc::clone(&asked);
            running.spawn(async move {
                let sent = Instant::now();
                let answered = async {
                    let reply = request.send().await?;
                    let status = reply.status();
                    let id = reply.headers().get("x-dragoman-request-id");
                    let id = id
                        .and_then(|id| id.to_str().ok())
                        .unwrap_or_default()
                        .to_owned();
                    reply.bytes().await?;
                    Ok::<_, reqwest::Error>((status, id))
                };
                let answered = answered.await;
                let took = sent.elapsed();
                let mut asked = asked.lock();
                match answered {
                    Ok((status, id)) if status == 200 => {
                        asked.ids.push(id);
                        asked.took.push((sent - began, took));
                    }
                    Ok((status, _)) => asked.failed.push(status.to_string()),
                    Err(fault) => asked.failed.push(fault.to_string()),
                }
            });
        }
    }
    while running.join_next().await.is_some() {}
}
