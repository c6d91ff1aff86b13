//! Replies that their clients do not take.
//!
//! A reply that nobody takes holds what was reserved for it and a connection to its upstream: places among requests at once that others wait for. Nobody polls
//! its body meanwhile, so the bounds on time that a body keeps by itself do not run. Each thread looks at its replies now and then, and ends
//! those of which nothing was taken for [`PATIENCE`]; on the way of a reply that costs a write to memory for each piece.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::body::{Body, Cut};
use super::exchanges::Exchange;

/// How long a client may leave a piece of a reply untaken, and up to a [`PERIOD`] longer. What the system's buffers took counts as taken.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a thread looks.
pub(crate) const PERIOD: Duration = Duration::from_secs(10);

/// The deliveries of one thread.
#[derive(Default)]
pub(crate) struct Deliveries {
    next: Cell<u64>,
    all: RefCell<HashMap<u64, Rc<Delivery>>>,
}

/// What a client is given: on a connection of HTTP/1.1 one reply after another, on a stream of HTTP/2 one.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// How often the thread has looked since a piece was given; none while there is nothing to take.
    untaken: Cell<Option<u32>>,
    stuck: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Deliveries {
    /// Does `work`, which gives replies to a client, until it is done. None where the client has taken nothing for too long.
    pub(crate) async fn watch<T>(
        &self,
        delivery: &Rc<Delivery>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let _entered = self.enter(delivery);
        let mut work = pin!(work);
        let done = poll_fn(|cx| {
            if delivery.stuck.get() {
                return Poll::Ready(None);
            }
            // A task's waker stays the same.
            let mut waker = delivery.waker.borrow_mut();
            if waker.is_none() {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            work.as_mut().poll(cx).map(Some)
        });
        let done = done.await;
        if done.is_none() {
            tracing::debug!("a client takes nothing of a reply, or somebody cancelled it: it ends");
        }
        done
    }

    /// Looks at all, and ends those that are stuck.
    pub(crate) fn look(&self) {
        for delivery in self.all.borrow().values() {
            delivery.look();
        }
    }

    fn enter<'d>(&'d self, delivery: &Rc<Delivery>) -> Entered<'d> {
        let id = self.next.get();
        self.next.set(id + 1);
        self.all.borrow_mut().insert(id, Rc::clone(delivery));
        Entered(self, id)
    }
}

/// A delivery's place among them.
struct Entered<'d>(&'d Deliveries, u64);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.all.borrow_mut().remove(&self.1);
    }
}

impl Delivery {
    fn look(&self) {
        let Some(times) = self.untaken.get() else {
            return;
        };
        self.untaken.set(Some(times + 1));
        if PERIOD * times >= PATIENCE {
            self.cut();
        }
    }

    /// Ends whatever is under way: on a connection of HTTP/1.1 the connection, on one of HTTP/2 the stream.
    pub(crate) fn cut(&self) {
        self.stuck.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// A reply's body, watched while it is delivered.
pub(crate) struct Reply {
    body: Body,
    delivery: Rc<Delivery>,
    /// Of HTTP/1.1; it ends with the body.
    _exchange: Option<Exchange>,
}

impl Reply {
    pub(crate) fn new(body: Body, delivery: Rc<Delivery>, exchange: Option<Exchange>) -> Self {
        Self {
            body,
            delivery,
            _exchange: exchange,
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.delivery.untaken.set(None);
    }
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // Whoever asks for more has taken what there was.
        let given = matches!(polled, Poll::Ready(Some(Ok(_))));
        self.delivery.untaken.set(given.then_some(0));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    /// Whether it ends when the thread has looked so often.
    fn ends(deliveries: &Deliveries, delivery: &Rc<Delivery>, looks: u32) -> bool {
        let mut watched = pin!(deliveries.watch(delivery, pending::<()>()));
        assert!(watched.as_mut().now_or_never().is_none());
        for _ in 0..looks {
            deliveries.look();
        }
        watched.now_or_never() == Some(None)
    }

    #[test]
    fn what_nobody_takes_ends_and_what_is_waited_for_does_not() {
        let deliveries = Deliveries::default();
        let delivery = Rc::<Delivery>::default();
        assert!(!ends(&deliveries, &delivery, 100), "nothing is given yet");
        let pieces = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let mut reply = Reply::new(Body::segments(pieces), Rc::clone(&delivery), None);
        for _ in 0..2 {
            assert!(reply.frame().now_or_never().is_some());
            assert!(!ends(&deliveries, &delivery, 6), "within a minute");
        }
        assert!(ends(&deliveries, &delivery, 1));
        assert!(deliveries.all.borrow().is_empty());
        let delivery = Rc::<Delivery>::default();
        let whole = Body::whole(Bytes::from_static(b"a"));
        let mut reply = Reply::new(whole, Rc::clone(&delivery), None);
        assert!(reply.frame().now_or_never().is_some());
        drop(reply);
        assert!(
            !ends(&deliveries, &delivery, 100),
            "it was taken to its end"
        );
    }
}
