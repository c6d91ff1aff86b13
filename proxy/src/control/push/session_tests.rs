use std::convert::Infallible;

use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;
use crate::state::Shared;

/// Follows what sends `lines`, and then nothing, without ever ending.
async fn follow_then_silence(lines: &'static [&'static str]) -> (End, bool) {
    let lines =
        stream::iter(lines).map(|line| Ok(Frame::data(Bytes::from_static(line.as_bytes()))));
    let body = StreamBody::new(lines.chain(stream::pending::<Result<_, Infallible>>()));
    let mut progress = Progress {
        store: Store::default(),
        trust: Trust::default(),
        refused: BTreeMap::new(),
        snapshots: None,
        remote: Remote::new(),
        all: true,
    };
    let publisher = Publisher::new(Shared::new(1), None);
    let (up, _network) = mpsc::channel(4);
    let following = follow_lines(Lines::new(body), &up, &mut progress, &publisher, true);
    let hour = Duration::from_secs(3600);
    match tokio::time::timeout(hour, following).await {
        Ok(ended) => ended,
        Err(_) => (End::Closed, true),
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_answers_and_never_syncs_is_given_up() {
    let begun = Instant::now();
    let (end, synced) =
        follow_then_silence(&["{\"type\":\"transaction\",\"digest\":\"d\"}\n"]).await;
    assert!(matches!(end, End::Silent) && !synced, "{end:?}");
    assert_eq!(begun.elapsed(), SILENCE);
}

#[tokio::test(start_paused = true)]
async fn after_the_first_sync_silence_is_no_fault() {
    let begun = Instant::now();
    let (_, synced) = follow_then_silence(&["{\"type\":\"synced\"}\n"]).await;
    assert!(synced && begun.elapsed() > SILENCE * 2);
}
