//! What the data path notes of a request while it lasts.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use dragoman_config::{ObjectKey, PriceItem};
use dragoman_crds::{Dialect, LogBodies};
use dragoman_dialects::{Framing, Wire};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

use super::desk::Desk;
use super::kept::Kept;
use crate::access::caller::User;
use crate::serve::request_id::RequestId;
use crate::state::backend::Backend;
use crate::trace::Traced;
use crate::upstream::{Fault, Reply};

/// A request that is being noted; nothing where no log is kept. A clone notes the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Option<Rc<RefCell<Option<Draft>>>>);

impl Notes {
    pub(crate) fn of(draft: Draft) -> Self {
        Self(Some(Rc::new(RefCell::new(Some(draft)))))
    }

    /// Whether anything is noted.
    pub(crate) fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Notes something.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Draft)) {
        if let Some(draft) = &self.0
            && let Some(draft) = draft.borrow_mut().as_mut()
        {
            note(draft);
        }
    }

    /// All that was noted, when the request is over.
    pub(crate) fn take(&self) -> Option<Draft> {
        self.0.as_ref()?.borrow_mut().take()
    }
}

/// One request, as far as it is known.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) id: RequestId,
    pub(crate) began: Instant,
    pub(crate) started: SystemTime,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// The client's headers, as [`copied`] has them.
    pub(crate) headers: Vec<u8>,
    pub(crate) route: Option<ObjectKey>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) user: Option<Arc<User>>,
    /// What errors are told in.
    pub(crate) speaks: Wire,
    /// Azure's paths are OpenAI's with a part of their own.
    pub(crate) azure: bool,
    /// What the reply is read in, where it is a model's.
    pub(crate) wire: Option<Wire>,
    pub(crate) model_requested: Option<String>,
    /// Whether a stream is asked for, where the path says it.
    pub(crate) streams: Option<bool>,
    /// As what the backend that was asked last knows the model.
    pub(crate) model_sent: Option<String>,
    /// What that costs.
    pub(crate) price: Option<PriceItem>,
    /// Who answers, or was asked last.
    pub(crate) answering: Option<Answering>,
    pub(crate) tried: Vec<Tried>,
    /// How much is kept of what is asked and answered.
    pub(crate) bodies: LogBodies,
    pub(crate) request: Kept,
    pub(crate) status: u16,
    /// What is wrong with the request, or with whoever should answer.
    pub(crate) fault: Option<String>,
    pub(crate) reply: Kept,
    /// How much of the desk's room it has.
    pub(crate) room: usize,
    /// In how many pieces it came so far; of a stream about as many tokens.
    pub(crate) pieces: u32,
    /// How the reply is cut, where it is a stream.
    pub(crate) framing: Option<Framing>,
    /// Whether the route replays.
    pub(crate) replays: bool,
    /// The reply's content type.
    pub(crate) content_type: Option<HeaderValue>,
    /// How the reply is compressed, so that nobody here reads it.
    pub(crate) encoding: Option<String>,
    /// When its first byte was given to the client.
    pub(crate) first: Option<Duration>,
    pub(crate) end: End,
    /// How long all of it took.
    pub(crate) took: Duration,
    /// Its place in a trace, where traces are made.
    pub(crate) traced: Option<Box<Traced>>,
}

/// A backend that is asked.
#[derive(Debug)]
pub(crate) struct Answering {
    /// An LLMBackend's `namespace/name`, or a route's with the backend's name within it.
    pub(crate) backend: String,
    pub(crate) dialect: Dialect,
}

/// One try of one backend, or of the log for a reply that it has.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) backend: String,
    pub(crate) url: String,
    pub(crate) status: Option<u16>,
    pub(crate) fault: Option<String>,
    /// After the request's start.
    pub(crate) from: Duration,
    pub(crate) took: Duration,
}

/// How a reply ended.
#[derive(Debug, Default)]
pub(crate) enum End {
    /// The client left before.
    #[default]
    Left,
    Complete,
    /// It could not be completed.
    Broke(String),
}

impl Draft {
    /// Of a request whose head has come.
    pub(crate) fn new<B>(id: RequestId, began: Instant, request: &Request<B>) -> Self {
        Self {
            id,
            began,
            started: SystemTime::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: copied(request.headers()),
            route: None,
            address: None,
            user: None,
            speaks: Wire::Chat,
            azure: false,
            wire: None,
            model_requested: None,
            streams: None,
            model_sent: None,
            price: None,
            answering: None,
            tried: Vec::new(),
            bodies: LogBodies::None,
            request: Kept::default(),
            status: 0,
            fault: None,
            reply: Kept::default(),
            room: 0,
            pieces: 0,
            framing: None,
            replays: false,
            content_type: None,
            encoding: None,
            first: None,
            end: End::Left,
            took: Duration::ZERO,
            traced: None,
        }
    }

    /// It is for this route, and so much of it is kept.
    pub(crate) fn route(
        &mut self,
        route: &ObjectKey,
        bodies: LogBodies,
        (asked, told): (usize, usize),
    ) {
        self.route = Some(route.clone());
        self.bodies = bodies;
        self.request = Kept::bounded(asked);
        self.reply = Kept::bounded(told);
    }

    /// A backend is about to be tried, and told of the trace, if there is one.
    pub(crate) fn trying(&mut self, headers: &mut HeaderMap) {
        if let Some(traced) = &mut self.traced {
            traced.try_next(headers, self.began.elapsed());
        }
    }

    /// A backend was tried.
    pub(crate) fn tried(
        &mut self,
        backend: &Backend,
        path: &PathAndQuery,
        from: Instant,
        outcome: &Result<Reply, Fault>,
    ) {
        let name = backend.name.shown();
        self.tried.push(Tried {
            backend: name.clone(),
            url: backend.settings.endpoint.url(path),
            status: outcome.as_ref().ok().map(|reply| reply.status.as_u16()),
            fault: outcome.as_ref().err().map(ToString::to_string),
            from: from.saturating_duration_since(self.began),
            took: from.elapsed(),
        });
        self.answering = Some(Answering {
            backend: name,
            dialect: backend.dialect,
        });
    }

    /// Keeps a request's body that is there in one piece, if there is room at the desk.
    pub(crate) fn asked(&mut self, body: &Bytes, desk: &Desk) {
        if desk.has_room() {
            let more = self.request.whole(body);
            self.take_room(more, desk);
        } else {
            self.request.pass(body.len());
        }
    }

    /// Keeps a piece of a request's body that is relayed as it comes.
    pub(crate) fn asking(&mut self, piece: &[u8], desk: &Desk) {
        if desk.has_room() {
            let more = self.request.push(piece);
            self.take_room(more, desk);
        } else {
            self.request.pass(piece.len());
        }
    }

    /// Keeps a piece of the reply that goes to the client.
    pub(crate) fn deliver(&mut self, piece: &[u8], desk: &Desk) {
        if self.first.is_none() {
            self.first = Some(self.began.elapsed());
        }
        self.pieces += 1;
        if desk.has_room() {
            let more = self.reply.push(piece);
            self.take_room(more, desk);
        } else {
            self.reply.pass(piece.len());
        }
    }

    fn take_room(&mut self, more: usize, desk: &Desk) {
        self.room += more;
        desk.hold(more);
    }

    /// How many bytes of memory it holds, about.
    pub(crate) fn held(&self) -> usize {
        size_of::<Self>() + self.headers.len() + self.request.held() + self.reply.held()
    }
}

/// Headers, each as its name, a colon, its value and a line feed, which no value holds.
fn copied(headers: &HeaderMap) -> Vec<u8> {
    let pairs = || {
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
    };
    let length = pairs()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    let mut copied = Vec::with_capacity(length);
    for (name, value) in pairs() {
        copied.extend_from_slice(name.as_bytes());
        copied.push(b':');
        copied.extend_from_slice(value);
        copied.push(b'\n');
    }
    copied
}
