//! One request from its head to its reply's last byte: counted while it lasts, noted when it is over, however it ends.

use std::rc::Rc;
use std::time::Instant;

use http::HeaderMap;

use super::cors::Cross;
use super::request_id::RequestId;
use super::worker::{Pinned, Worker};

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
}

impl Tracked {
    pub(crate) fn begin(worker: &Rc<Worker>, id: RequestId) -> Self {
        worker.in_flight().enter();
        Self {
            worker: Rc::clone(worker),
            id,
            began: Instant::now(),
            route: None,
            cross: None,
            status: 0,
        }
    }

    /// The route that it is for.
    pub(crate) fn route(&mut self, state: &Pinned, route: usize) {
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

    /// The status that the client gets.
    pub(crate) fn status(&mut self, status: u16) {
        self.status = status;
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let worker = &self.worker;
        worker.in_flight().leave();
        let (took, status, id) = (self.began.elapsed(), self.status, self.id);
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
