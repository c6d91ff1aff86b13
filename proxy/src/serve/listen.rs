//! Request threads, each with its own listener on the one address, its own runtime and connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::connection::{self, Connections};
use super::delivery;
use super::https::{Change, Https};
use super::worker::Worker;
use crate::state::Shared;

/// Connections that may wait to be accepted, per thread.
const BACKLOG: i32 = 4096;
/// After so long a silence the system asks whether a client is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// How long a client may leave what was sent to it unacknowledged.
#[cfg(target_os = "linux")]
const STUCK: Duration = Duration::from_mins(5);
/// The pause after an accept that failed for want of descriptors or memory: trying at once would only burn the CPU.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a thread looks for what it need not keep.
const SWEEP: Duration = Duration::from_secs(30);

/// Threads that serve.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    /// How each thread is told of a listener for HTTPS.
    https: Vec<mpsc::UnboundedSender<Change>>,
    /// How many threads still run.
    left: watch::Receiver<usize>,
}

impl Running {
    /// The address that is listened on, with the port that the system gave for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves HTTPS besides, at `address`, once it is told to.
    #[must_use]
    pub fn https(&self, address: SocketAddr) -> Https {
        Https::new(address, self.https.clone())
    }

    /// Waits until every connection is gone, which [`Shared::drain`] leads to.
    pub async fn drained(&self) {
        let mut left = self.left.clone();
        // An error means that every thread is gone, which is what is waited for.
        let _ = left.wait_for(|left| *left == 0).await;
    }

    /// Waits for the threads to end. Blocks: call it after [`Running::drained`].
    pub fn join(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// Serves `address` on so many threads.
///
/// # Errors
/// When the address cannot be listened on or a thread cannot be made.
pub fn start(shared: &Arc<Shared>, address: SocketAddr, threads: usize) -> io::Result<Running> {
    refuse_taken(address)?;
    let first = listener(address)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..threads.max(1) {
        listeners.push(listener(address)?);
    }
    let (left, receiver) = watch::channel(listeners.len());
    let left = Arc::new(left);
    let mut handles = Vec::with_capacity(listeners.len());
    let mut https = Vec::with_capacity(listeners.len());
    for (thread, listener) in listeners.into_iter().enumerate() {
        let runtime = Builder::new_current_thread();
        let (shared, left) = (Arc::clone(shared), Arc::clone(&left));
        let (tell, told) = mpsc::unbounded_channel();
        https.push(tell);
        let named = std::thread::Builder::new().name(format!("serve-{thread}"));
        handles.push(named.spawn(move || {
            run(runtime, shared, listener, told, thread);
            left.send_modify(|left| *left -= 1);
        })?);
    }
    Ok(Running {
        address,
        threads: handles,
        https,
        left: receiver,
    })
}

/// Fails when somebody listens at `address` already: with `SO_REUSEPORT` the system would share connections out between the two.
pub(super) fn refuse_taken(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

pub(super) fn listener(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if let SocketAddr::V6(v6) = address
        && v6.ip().is_unspecified()
    {
        // `[::]` means every address, of either family.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Linux hands these on to each accepted connection: a client that is gone, or takes nothing any more, must not hold its upstream.
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE / 4),
    )?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(STUCK))?;
    // Small replies and events must not wait for an acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn run(
    mut runtime: Builder,
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
    https: mpsc::UnboundedReceiver<Change>,
    thread: usize,
) {
    let built = runtime.enable_all().build_local(LocalOptions::default());
    let served = built.and_then(|runtime| {
        let _entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        runtime.block_on(serve(Worker::new(shared, thread), listener, https));
        Ok(())
    });
    if let Err(fault) = served {
        tracing::error!(%fault, thread, "a request thread cannot run");
    }
}

async fn serve(
    worker: Rc<Worker>,
    listener: TcpListener,
    mut told: mpsc::UnboundedReceiver<Change>,
) {
    let connections = Connections::new();
    let mut https = None;
    let mut asked = worker.shared.threads_that_serve().enter();
    let mut draining = worker.shared.draining();
    let mut sweep = tokio::time::interval(SWEEP);
    let mut deliveries = tokio::time::interval(delivery::PERIOD);
    deliveries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connection::spawn(&worker, &connections, stream, peer.ip()),
                Err(fault) => pause(&fault).await,
            },
            accepted = accept(https.as_ref()) => match accepted {
                Ok((stream, peer)) => connection::spawn_tls(&worker, &connections, stream, peer.ip()),
                Err(fault) => pause(&fault).await,
            },
            Some(change) = told.recv() => {
                let closed = std::mem::replace(&mut https, change.and_then(open));
                answer_waiting(closed, |stream, peer| connection::spawn_tls(&worker, &connections, stream, peer));
            }
            Some(ask) = asked.recv() => if let Some(desk) = &worker.desk {
                desk.answer(ask, &worker.state().key);
            },
            _ = draining.wait_for(|draining| *draining) => break,
            _ = sweep.tick() => {
                worker.state();
                worker.forget();
            }
            _ = deliveries.tick() => connections.deliveries.look(),
        }
    }
    answer_waiting(Some(listener), |stream, peer| {
        connection::spawn(&worker, &connections, stream, peer);
    });
    answer_waiting(https, |stream, peer| {
        connection::spawn_tls(&worker, &connections, stream, peer);
    });
    connections.drain();
    loop {
        tokio::select! {
            () = connections.gone() => return,
            Some(ask) = asked.recv() => if let Some(desk) = &worker.desk {
                desk.answer(ask, &worker.state().key);
            },
            _ = deliveries.tick() => connections.deliveries.look(),
        }
    }
}

/// The next connection of a listener that there may be.
async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

fn open(listener: std::net::TcpListener) -> Option<TcpListener> {
    let opened = TcpListener::from_std(listener);
    opened
        .inspect_err(|fault| tracing::error!(%fault, "HTTPS cannot be served"))
        .ok()
}

/// Accepting failed: trying at once would not help if it was for want of something.
async fn pause(fault: &io::Error) {
    if !is_the_clients(fault) {
        tracing::warn!(%fault, "a connection cannot be accepted");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Closes a listener. Connections that the system has accepted already would be reset with it, and are served first.
fn answer_waiting(listener: Option<TcpListener>, mut spawn: impl FnMut(TcpStream, IpAddr)) {
    let Some(listener) = listener else { return };
    while let Some((stream, peer)) = waiting(&listener) {
        spawn(stream, peer.ip());
    }
}

fn waiting(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let accept = std::pin::pin!(listener.accept());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match accept.poll(&mut cx) {
        std::task::Poll::Ready(Ok(accepted)) => Some(accepted),
        _ => None,
    }
}

fn is_the_clients(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_served_already_is_refused() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        refuse_taken(any).unwrap();
        let first = listener(any).unwrap();
        let taken = refuse_taken(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
