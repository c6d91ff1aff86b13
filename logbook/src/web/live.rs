//! Requests that have not ended.

use futures::future::{BoxFuture, FutureExt as _};
use serde::Serialize;

/// Who knows the requests that have not ended. A proxy knows its own.
pub trait Live: Send + Sync {
    /// All of them, in any order.
    fn list(&self) -> BoxFuture<'_, Vec<Running>>;

    /// Ends one as if its client had left, and says whether it was there. Who asks has been found to be allowed to.
    fn cancel<'a>(&'a self, id: &'a str) -> BoxFuture<'a, bool>;
}

/// Where nothing runs that anybody knows of.
#[derive(Debug, Clone, Copy)]
pub struct NoneLive;

impl Live for NoneLive {
    fn list(&self) -> BoxFuture<'_, Vec<Running>> {
        std::future::ready(Vec::new()).boxed()
    }

    fn cancel<'a>(&'a self, _: &'a str) -> BoxFuture<'a, bool> {
        std::future::ready(false).boxed()
    }
}

/// A request that has not ended. What is known of it already is named as in a [record](crate::record::Record).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Running {
    /// The request's id.
    pub id: String,
    /// When its head was read, in microseconds since the epoch.
    pub started_at: i64,
    /// The LLMProxy that serves it, `namespace/name`.
    pub proxy: String,
    /// The route's name; none before it is found.
    pub route: Option<String>,
    /// The route's namespace, or the LLMProxy's. Decides who may see it.
    pub namespace: String,
    /// The client's IP address.
    pub client_address: Option<String>,
    /// Who calls.
    pub user_name: Option<String>,
    /// The HTTP method.
    pub method: String,
    /// Path and query, keys within it masked.
    pub path: String,
    /// The dialect that the client speaks.
    pub client_dialect: Option<String>,
    /// The backend that is asked, `namespace/name`.
    pub backend: Option<String>,
    /// The model as the client named it.
    pub model_requested: Option<String>,
    /// The model that the backend is asked for.
    pub model_sent: Option<String>,
    /// Whether a streamed reply was asked for.
    pub stream: bool,
    /// Milliseconds until the first byte of content went to the client; none before it did.
    pub ttft_ms: Option<i64>,
    /// Tokens written so far, or an estimate of them.
    pub completion_tokens: i64,
    /// Bytes of the reply's body so far.
    pub response_bytes: i64,
}

impl Running {
    /// Milliseconds since it began.
    pub(super) fn duration_ms(&self, now: i64) -> i64 {
        (now - self.started_at).max(0) / 1000
    }

    /// Tokens a second since the first of them, once there has been time to tell.
    pub(super) fn tokens_per_second(&self, now: i64) -> Option<f64> {
        let writing = self.duration_ms(now) - self.ttft_ms?;
        // Below a tenth of a second it says more of the clock than of the model.
        if writing < 100 || self.completion_tokens == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "for people to look at")]
        let rate = self.completion_tokens as f64 * 1000.0 / writing as f64;
        Some((rate * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_from_the_first_token() {
        let running = Running {
            started_at: 1_000_000,
            ttft_ms: Some(500),
            completion_tokens: 50,
            ..Running::default()
        };
        assert_eq!(running.tokens_per_second(3_500_000), Some(25.0));
        assert_eq!(running.tokens_per_second(1_500_000), None);
        let silent = Running {
            ttft_ms: None,
            ..running
        };
        assert_eq!(silent.tokens_per_second(3_500_000), None);
    }
}
