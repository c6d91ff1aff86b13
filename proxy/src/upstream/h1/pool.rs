//! Connections to one address that wait for the next request.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use tokio::time::Instant;

use crate::upstream::io::Io;

/// How many connections to one address may wait, per thread.
const MAX_IDLE: usize = 256;
/// How long one may wait.
const MAX_AGE: Duration = Duration::from_secs(60);
/// How often the waiting ones are looked through.
const SWEEP: Duration = Duration::from_secs(5);

/// A connection that carries one exchange at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) io: Io,
    /// Whether it has carried an exchange before, and may thus have been closed by the other side in the meantime.
    pub(crate) reused: bool,
}

/// The waiting connections to one address. The newest is used first, so that the surplus grows old and is closed.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: VecDeque<(Connection, Instant)>,
    sweeping: bool,
}

impl Pool {
    /// The newest connection that is still open.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some((mut connection, _)) = idle.connections.pop_back() {
            if connection.io.quiet() {
                connection.reused = true;
                return Some(connection);
            }
        }
        None
    }

    /// Lets a connection wait for its next request. Outside a `LocalSet` or `LocalRuntime` this panics, as `spawn_local` does.
    pub(crate) fn put(self: &Rc<Self>, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.connections.len() >= MAX_IDLE {
            idle.connections.pop_front();
        }
        idle.connections.push_back((connection, Instant::now()));
        if !idle.sweeping {
            idle.sweeping = true;
            let pool = Rc::downgrade(self);
            tokio::task::spawn_local(async move {
                loop {
                    tokio::time::sleep(SWEEP).await;
                    if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
                        return;
                    }
                }
            });
        }
    }

    /// Closes them all.
    pub(crate) fn clear(&self) {
        self.idle.borrow_mut().connections.clear();
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.idle.borrow().connections.len()
    }

    /// Closes what is too old or was closed by the other side; false, and no further sweeps, once none is left.
    fn sweep(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        let now = Instant::now();
        idle.connections
            .retain_mut(|(connection, since)| now - *since < MAX_AGE && connection.io.quiet());
        idle.sweeping = !idle.connections.is_empty();
        idle.sweeping
    }
}
