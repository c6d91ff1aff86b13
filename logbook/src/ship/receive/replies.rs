//! Replies that are on record, for the proxy that the ticket speaks for. It tells who asks, and the row tells whose the reply is.

use super::super::ticket::Claims;
use super::super::wire::{LONGEST_QUESTION, LONGEST_ROW};
use super::answer::{self, Refusal};
use super::{ARRIVAL, Receiver};
use crate::replay::{Found, Replies, Wanted};
use crate::writer::Sink;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};

impl<S: Sink> Receiver<S> {
    /// Answers a request for [`REPLIES_PATH`](crate::ship::REPLIES_PATH) from what is on record.
    pub async fn reply<B>(
        &self,
        replies: &impl Replies,
        request: Request<B>,
    ) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.look(replies, request).await {
            Ok(found) => {
                self.counts.replied();
                answer::reply(StatusCode::OK, &found)
            }
            Err(refusal) => {
                self.counts.turned_away(refusal.status());
                refusal.response()
            }
        }
    }

    async fn look<B>(&self, replies: &impl Replies, request: Request<B>) -> Result<Found, Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Refusal::Method);
        }
        let claims = self.admit(&head.headers)?;
        let room = &self.room_for_replies;
        let _turn = room.turn(&claims).ok_or(Refusal::TooMany)?;
        let collected = Limited::new(body, LONGEST_QUESTION).collect();
        let collected = tokio::time::timeout(ARRIVAL, collected).await;
        let question = collected
            .map_err(|_| Refusal::Slow)?
            .map_err(|_| Refusal::Question)?
            .to_bytes();
        let wanted = wanted(&question, claims)?;
        let _held = room.hold(LONGEST_ROW).await.ok_or(Refusal::Full)?;
        replies.reply(&wanted).await.map_err(|fault| {
            tracing::debug!(%fault, "a reply cannot be looked for now");
            Refusal::Away(fault.to_string())
        })
    }
}

/// What is asked for, by the LLMProxy that the ticket is of.
fn wanted(question: &[u8], claims: Claims) -> Result<Wanted, Refusal> {
    let asked: Wanted = serde_json::from_slice(question).map_err(|_| Refusal::Question)?;
    if !claims.namespaces.contains(&asked.namespace) {
        return Err(Refusal::Foreign);
    }
    Ok(Wanted {
        proxy: claims.sub,
        ..asked
    })
}
