//! Waiting for conditions, never for time.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// The longest that a condition may take before the test says that it is false.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives `Ok`, and gives its value; asks again every 20 ms.
///
/// # Panics
/// After a minute, with the last reason.
pub async fn eventually<T, E, F>(what: &str, condition: impl FnMut() -> F) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
{
    eventually_within(PATIENCE, what, condition).await
}

/// As [`eventually`], with a bound of its own.
///
/// # Panics
/// After `patience`, with the last reason.
pub async fn eventually_within<T, E, F>(
    patience: Duration,
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
{
    let start = Instant::now();
    loop {
        match condition().await {
            Ok(value) => return value,
            Err(reason) if start.elapsed() > patience => {
                panic!("not within {patience:?}: {what}; last: {reason:?}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
