//! A call whose model is known, and how its answer becomes a reply.

use bytes::Bytes;
use http::{StatusCode, header, request::Parts};
use serde_json::Value;

use crate::{
    reply::Reply,
    shared::Shared,
    wire::{self, Content, Event, Form},
    words::{Behaviour, Gzip},
};

/// A call whose model is known.
pub(crate) struct Call<'a> {
    /// The simulator's name.
    pub(crate) name: &'a str,
    /// The request's number.
    pub(crate) id: u64,
    /// As it was asked for.
    pub(crate) model: &'a str,
    pub(crate) behaviour: &'a Behaviour,
    gzip: bool,
    /// Azure's content filter has its say.
    pub(crate) filtered: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        head: &Parts,
        id: u64,
        model: &'a str,
        behaviour: &'a Behaviour,
    ) -> Self {
        let gzip = match behaviour.wire.gzip {
            None => false,
            Some(Gzip::Always) => true,
            Some(Gzip::Accepted) => {
                let accepted = head.headers.get(header::ACCEPT_ENCODING);
                accepted.is_some_and(|value| value.to_str().is_ok_and(|text| text.contains("gzip")))
            }
        };
        Self {
            name: &shared.name,
            id,
            model,
            behaviour,
            gzip,
            filtered: false,
        }
    }

    /// The same call, of Azure.
    pub(crate) fn filtered(self) -> Self {
        Self {
            filtered: true,
            ..self
        }
    }

    /// A stream of events.
    pub(crate) fn stream(
        &self,
        events: impl Iterator<Item = Event> + Send + 'static,
        form: Form,
    ) -> Reply {
        let frame = form.frame;
        let steps = wire::stream(events, form, self.behaviour.wire.clone(), self.gzip);
        let mut reply = Reply::new(StatusCode::OK, frame.kind(), Content::steps(steps));
        if frame.is_sse() {
            reply.set(header::CACHE_CONTROL, "no-cache");
        }
        reply.encoded(self.gzip)
    }

    pub(crate) fn json(&self, value: &Value) -> Reply {
        self.text(value.to_string())
    }

    pub(crate) fn text(&self, json: String) -> Reply {
        let json = if self.behaviour.wire.escaped {
            wire::escaped(&json)
        } else {
            json
        };
        self.bytes("application/json", json.into())
    }

    pub(crate) fn bytes(&self, kind: &'static str, body: Bytes) -> Reply {
        Reply::written(kind, body, &self.behaviour.wire, self.gzip)
    }
}
