//! How long the API server is waited for: one that hangs, or that a network swallowed, says nothing at all, and the client
//! itself would wait for ever.

use std::time::Duration;

/// How long one thing that is asked of the API server may take. What takes it longer is as good as no answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The API server said nothing for so long. Nobody's fault here; a retry helps, and a write may have been done or not.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {PATIENCE:?}")]
struct NoAnswer;

/// Waits for the API server, for [`PATIENCE`] at most.
///
/// # Errors
/// Those of `asked`; without an answer, one that is no refusal.
pub(crate) async fn bounded<T, E: From<kube::Error>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(kube::Error::Service(Box::new(NoAnswer)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_says_nothing_is_given_up_and_has_refused_nothing() {
        let never = std::future::pending::<kube::Result<()>>();
        let fault = bounded(never).await.unwrap_err();
        assert!(matches!(fault, kube::Error::Service(_)), "{fault:?}");
        assert!(fault.to_string().contains("did not answer"), "{fault}");
    }
}
