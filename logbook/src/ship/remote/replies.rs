//! Replies that the logbook has on record.

use super::super::wire::{LONGEST_ROW, REPLIES_PATH};
use super::{Remote, reason};
use crate::fault::Fault;
use crate::replay::{Found, Replies, Wanted};
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use std::time::Duration;
use tokio::time::timeout;

/// How long a reply may take to be found and sent.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer: a row's bodies, as JSON.
const LONGEST: usize = 2 * LONGEST_ROW;

impl Replies for Remote {
    async fn reply(&self, wanted: &Wanted) -> Result<Found, Fault> {
        let destination = self.shared.destination.lock().clone();
        let destination = destination.ok_or_else(|| {
            Fault::Away("no ticket for the logbook came from the operator yet".into())
        })?;
        let question = serde_json::to_vec(wanted).unwrap_or_default();
        let asked = async {
            let response = self
                .post(&destination, REPLIES_PATH, question.into())
                .await?;
            let status = response.status();
            if status != StatusCode::OK {
                let why = reason(response).await;
                return Err(Fault::Away(format!("the logbook answered {status}: {why}")));
            }
            let body = Limited::new(response.into_body(), LONGEST).collect().await;
            let body = body.map_err(|fault| destination.away(&fault))?;
            serde_json::from_slice(&body.to_bytes())
                .map_err(|_| Fault::Away("the logbook's answer is not understood".into()))
        };
        let answer = timeout(PATIENCE, asked).await;
        answer.unwrap_or_else(|_| Err(destination.away(&"no answer in time")))
    }
}
