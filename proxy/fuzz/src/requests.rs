//! What holds for every request: what reads is refused or written as its upstream reads it, and writing what was read settles.

use dragoman_dialects::form::Request;

use crate::wires::{SIDES, Side, json, same};

/// Reads a body as a request of every dialect.
///
/// # Panics
/// If a promise is broken.
pub fn judge(body: &[u8]) {
    for client in &SIDES {
        client.codec().read_error(400, body);
        if let Ok(request) = client.read(body) {
            client.codec().echo(body);
            for upstream in &SIDES {
                written(client, upstream, &request);
            }
        }
    }
}

/// A request of `client` for `upstream`.
///
/// # Panics
/// If a promise is broken.
pub fn written(client: &Side, upstream: &Side, request: &Request) {
    let codec = upstream.codec();
    let target = upstream.target(request.stream);
    let first = match codec.write_request(request, target) {
        Ok(first) => first,
        Err(refused) => {
            assert!(!refused.message.is_empty());
            client.codec().name_of(&refused.field);
            return;
        }
    };
    json(&first);
    let shown = || String::from_utf8_lossy(&first);
    // What the form does not know and the upstream's dialect does is passed on as it stands, for the upstream to judge.
    if client.wire != upstream.wire && !request.extra.is_empty() {
        return;
    }
    upstream.read(&first).unwrap_or_else(|fault| {
        panic!(
            "{:?} to {:?} is not read: {fault}\n{}",
            client.wire,
            upstream.wire,
            shown()
        )
    });
    if client.wire != upstream.wire {
        return;
    }
    // Its second writing may still join what stood apart.
    let second = rewritten(upstream, &first);
    let third = rewritten(upstream, &second);
    let (second, third) = (json(&second), json(&third));
    assert!(
        same(&second, &third),
        "{:?} does not settle\n{second}\n{third}",
        client.wire
    );
}

/// What was written, read and written again.
fn rewritten(side: &Side, body: &[u8]) -> Vec<u8> {
    let shown = || String::from_utf8_lossy(body);
    let request = side.read(body);
    let request = request.unwrap_or_else(|fault| {
        panic!(
            "{:?} does not read its own: {fault}\n{}",
            side.wire,
            shown()
        )
    });
    let again = side
        .codec()
        .write_request(&request, side.target(request.stream));
    again.unwrap_or_else(|refused| {
        panic!("{:?} refuses its own: {refused:?}\n{}", side.wire, shown())
    })
}
