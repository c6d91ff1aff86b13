//! The streams of one connection of HTTP/2, and how long it may have none.
//!
//! A connection of HTTP/1.1 that sends no head ends by hyper's own timer. One of HTTP/2 need only answer pings, so it is told to end (GOAWAY, while
//! whatever it has begun goes on) when it has had no stream for [`HEAD_PATIENCE`]; one that does not go is ended after the same time again.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::Executor;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connections, HEAD_PATIENCE};
use super::delivery::Delivery;

/// Serves a connection until it ends; none where it had no stream for too long. `shutdown` tells it to end after what it has begun, which it is
/// also told once `drains` says so.
pub(super) async fn unless_idle<C: Future>(
    mut connection: Pin<&mut C>,
    shutdown: impl Fn(Pin<&mut C>),
    mut drains: impl FnMut(&Context<'_>) -> bool,
    streams: &Streams,
) -> Option<C::Output> {
    let mut timer = pin!(sleep_until(streams.idle_at(Instant::now())));
    let mut told = false;
    let served = poll_fn(|cx| {
        if drains(cx) {
            shutdown(connection.as_mut());
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let idle_at = streams.idle_at(now);
            if idle_at > now {
                timer.as_mut().reset(idle_at);
                continue;
            }
            if std::mem::replace(&mut told, true) {
                return Poll::Ready(None);
            }
            shutdown(connection.as_mut());
            timer.as_mut().reset(now + HEAD_PATIENCE);
        }
        connection.as_mut().poll(cx).map(Some)
    });
    served.await
}

/// The streams of one connection.
pub(super) struct Streams {
    connections: Rc<Connections>,
    /// How many there are.
    live: Cell<usize>,
    /// Since when there is none, where there is none.
    none_since: Cell<Instant>,
    /// That of the request which hyper has just asked about, and whose task it begins next.
    next: RefCell<Option<Rc<Delivery>>>,
}

impl Streams {
    pub(super) fn of(connections: &Rc<Connections>) -> Rc<Self> {
        Rc::new(Self {
            connections: Rc::clone(connections),
            live: Cell::new(0),
            none_since: Cell::new(Instant::now()),
            next: RefCell::default(),
        })
    }

    /// What the client is given on the stream that begins.
    pub(super) fn next(&self) -> Rc<Delivery> {
        let delivery = Rc::<Delivery>::default();
        self.next.replace(Some(Rc::clone(&delivery)));
        delivery
    }

    /// When there will have been none for too long, as far as can be told.
    fn idle_at(&self, now: Instant) -> Instant {
        let since = if self.live.get() > 0 {
            now
        } else {
            self.none_since.get()
        };
        since + HEAD_PATIENCE
    }
}

/// One of them.
struct Stream(Rc<Streams>);

impl Stream {
    fn begins(streams: &Rc<Streams>) -> Self {
        streams.live.set(streams.live.get() + 1);
        Self(Rc::clone(streams))
    }

    /// Serves it. Given up, it is reset, and the others of the connection go on.
    async fn serve(self, delivery: Rc<Delivery>, stream: impl Future<Output = ()>) {
        let deliveries = &self.0.connections.deliveries;
        deliveries.watch(&delivery, stream).await;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
        self.0.none_since.set(Instant::now());
    }
}

/// Runs the tasks of a connection's streams on the thread's own runtime.
#[derive(Clone)]
pub(super) struct Local(pub(super) Rc<Streams>);

impl<F> Executor<F> for Local
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        match self.0.next.take() {
            Some(delivery) => {
                tokio::task::spawn_local(Stream::begins(&self.0).serve(delivery, future));
            }
            None => {
                tokio::task::spawn_local(future);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// The client's end of a connection on which an answer takes ten minutes.
    fn connected() -> DuplexStream {
        let (client, server) = duplex(64 << 10);
        let streams = Streams::of(&Connections::new());
        spawn_local(async move {
            let next = Rc::clone(&streams);
            let service = service_fn(move |_| {
                next.next();
                async {
                    tokio::time::sleep(10 * MINUTE).await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("late"))))
                }
            });
            let builder = http2::Builder::new(Local(Rc::clone(&streams)));
            let connection = pin!(builder.serve_connection(TokioIo::new(server), service));
            let shutdown = http2::Connection::graceful_shutdown;
            unless_idle(connection, shutdown, |_| false, &streams).await
        });
        client
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_stream_ends_in_time() {
        let test = async {
            let began = Instant::now();
            let (_requests, connection) = h2::client::handshake(connected()).await.unwrap();
            connection.await.unwrap();
            let lasted = began.elapsed();
            assert!((HEAD_PATIENCE..2 * MINUTE).contains(&lasted), "{lasted:?}");
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_lasts_as_long_as_it_takes_and_its_end_begins_the_time_anew() {
        let test = async {
            let (requests, connection) = h2::client::handshake(connected()).await.unwrap();
            let connection = spawn_local(connection);
            for _ in 0..2 {
                let request = Request::get("http://chat/").body(()).unwrap();
                let mut requests = requests.clone().ready().await.unwrap();
                let (reply, _) = requests.send_request(request, true).unwrap();
                let mut body = reply.await.unwrap().into_body();
                assert_eq!(body.data().await.unwrap().unwrap(), "late");
                drop(body);
                tokio::time::sleep(MINUTE).await;
                assert!(!connection.is_finished());
            }
            let rest = Instant::now();
            connection.await.unwrap().unwrap();
            assert!(rest.elapsed() < MINUTE, "{:?}", rest.elapsed());
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_begun_in_time_is_answered_after_goaway() {
        let test = async {
            let (mut requests, connection) = h2::client::handshake(connected()).await.unwrap();
            let connection = spawn_local(connection);
            tokio::time::sleep(HEAD_PATIENCE - Duration::from_millis(1)).await;
            let request = Request::get("http://chat/").body(()).unwrap();
            let (reply, _) = requests.send_request(request, true).unwrap();
            assert_eq!(reply.await.unwrap().status(), 200);
            connection.abort();
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_nothing_is_not_waited_for() {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
        let test = async {
            for said in [PREFACE[..9].to_vec(), [PREFACE, SETTINGS].concat()] {
                let (mut client, began) = (connected(), Instant::now());
                client.write_all(&said).await.unwrap();
                let mut heard = Vec::new();
                client.read_to_end(&mut heard).await.unwrap();
                let lasted = began.elapsed();
                let most = 2 * HEAD_PATIENCE + Duration::from_secs(1);
                assert!((HEAD_PATIENCE..=most).contains(&lasted), "{lasted:?}");
            }
        };
        LocalSet::new().run_until(test).await;
    }
}
