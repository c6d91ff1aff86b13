//! One request from its head to its reply's last byte: counted while it lasts, noted when it is over, however it ends.

use std::rc::Rc;
use std::time::Instant;

use http::{HeaderMap, Method, Response, header};
use hyper::body::Incoming;

use super::body::Body;
use super::cors::Cross;
use super::delivery::Delivery;
use super::request_id::RequestId;
use super::translated;
use super::worker::{Pinned, Worker};
use crate::log::{Draft, End, Notes};

/// A request under way. Dropped, it is over: its reply was sent, or the client left.
pub(crate) struct Tracked {
    worker: Rc<Worker>,
    id: RequestId,
    began: Instant,
    /// The state that it runs on, and the route that it is for.
    route: Option<(Pinned, usize)>,
    /// What the reply says to browsers. In a box, since few requests have it.
    cross: Option<Box<Cross>>,
    status: u16,
    notes: Notes,
    /// Where the desk has them.
    place: usize,
}

impl Tracked {
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        id: RequestId,
        request: &http::Request<Incoming>,
        delivery: &Rc<Delivery>,
    ) -> Self {
        worker.in_flight().enter();
        let began = Instant::now();
        let (notes, place) = match &worker.desk {
            Some(desk) if desk.is_open() => {
                let mut draft = Draft::new(id, began, request);
                draft.traced = desk.traced(request.headers());
                let notes = Notes::of(draft);
                let place = desk.begin(&notes, delivery);
                (notes, place)
            }
            _ => (Notes::default(), 0),
        };
        Self {
            worker: Rc::clone(worker),
            id,
            began,
            route: None,
            cross: None,
            status: 0,
            notes,
            place,
        }
    }

    /// What is noted of it.
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The route that it is for.
    pub(crate) fn route(&mut self, state: &Pinned, route: usize) {
        self.notes.note(|draft| {
            let (route, logging) = (&state.routes[route], &state.logging);
            let bodies = route.log_bodies(logging.bodies);
            draft.route(&route.key, bodies, logging.bounds(bodies));
            draft.replays = route.replays();
        });
        self.route = Some((Rc::clone(state), route));
    }

    /// What the reply will say to browsers.
    pub(crate) fn cross(&mut self, cross: Cross) {
        self.cross = Some(Box::new(cross));
    }

    /// Says it.
    pub(crate) fn mark(&mut self, headers: &mut HeaderMap) {
        if let Some(cross) = self.cross.take() {
            cross.mark(headers);
        }
    }

    /// The reply that the client gets.
    pub(crate) fn answered(&mut self, response: &Response<Body>) {
        self.status = response.status().as_u16();
        self.notes.note(|draft| {
            let headers = response.headers();
            draft.status = response.status().as_u16();
            draft.framing = translated::framing(headers);
            draft.content_type = headers.get(header::CONTENT_TYPE).cloned();
            let encoding = headers.get(header::CONTENT_ENCODING);
            let encoding = encoding.filter(|encoding| *encoding != "identity");
            draft.encoding =
                encoding.map(|encoding| String::from_utf8_lossy(encoding.as_bytes()).into_owned());
            if draft.method == Method::HEAD {
                // Nobody asks for its body.
                draft.end = End::Complete;
            }
        });
    }

    /// A piece of the reply goes to the client.
    pub(crate) fn deliver(&mut self, piece: &[u8]) {
        if let Some(desk) = &self.worker.desk {
            self.notes.note(|draft| draft.deliver(piece, desk));
        }
    }

    /// The reply is over.
    pub(crate) fn ended(&mut self, end: End) {
        self.notes.note(|draft| draft.end = end);
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let worker = &self.worker;
        worker.in_flight().leave();
        let (took, status, id) = (self.began.elapsed(), self.status, self.id);
        if let Some(desk) = &worker.desk
            && self.notes.are_kept()
        {
            desk.finish(self.place, took);
        }
        match &self.route {
            Some((state, route)) => {
                if let Some(route) = state.routes.get(*route) {
                    route.metrics.finished(worker.thread, status, took);
                    tracing::debug!(request_id = %id, route = %route.key, status, ?took, "request ended");
                }
            }
            None => {
                worker.shared.unrouted(worker.thread);
                tracing::debug!(request_id = %id, status, ?took, "request ended, of no route");
            }
        }
    }
}
