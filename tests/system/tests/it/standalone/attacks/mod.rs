//! What somebody with bad intent may send, and what must happen (features A3, A4, A20). Requests that two servers could read in two ways are in `smuggling`.

mod bombs;
mod crowds;
mod guarded;
mod headers;
mod kept;
mod paths;
mod policies;
mod sizes;
mod slow;

use super::proxy::Proxy;

/// How much memory the proxy has in use, in bytes.
fn memory(proxy: &Proxy) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
