//! What stands in place of an answer: silence, a closed connection, a redirect, an error.

use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};

use crate::{
    dialect::Dialect,
    reply::Reply,
    wire::{Content, Cut},
    words::{Behaviour, Fault, Hops},
};

/// Waits as the behaviour asks, then gives the reply that stands in place of an answer, if any.
pub(crate) async fn strike(
    behaviour: &Behaviour,
    head: &Parts,
    id: u64,
) -> Result<Option<Reply>, Cut> {
    if !behaviour.wire.first_byte.is_zero() {
        tokio::time::sleep(behaviour.wire.first_byte).await;
    }
    let fault = &behaviour.fault;
    if fault.drop {
        return Err(Cut);
    }
    if fault.hang {
        std::future::pending::<()>().await;
    }
    Ok(redirect(fault, head).or_else(|| status(fault, Dialect::of(head), id)))
}

/// The headers that a fault's words add, whatever the reply.
pub(crate) fn headers(dialect: Dialect, fault: &Fault, reply: &mut Reply) {
    const HOP: [(&str, &str); 3] = [
        ("connection", "x-simulator-hop"),
        ("x-simulator-hop", "of this connection only"),
        ("keep-alive", "timeout=60"),
    ];
    let hop = fault.hop_headers.then_some(HOP).into_iter().flatten();
    let hop = hop.map(|(name, value)| (HeaderName::from_static(name), value));
    for (name, value) in dialect.limits(fault).into_iter().chain(hop) {
        reply.headers.append(name, HeaderValue::from_static(value));
    }
    if let Some(seconds) = fault.retry_after {
        reply.set(header::RETRY_AFTER, seconds);
    }
}

fn redirect(fault: &Fault, head: &Parts) -> Option<Reply> {
    let redirect = fault.redirect.as_ref()?;
    let path = head.uri.path();
    let to = match &redirect.to {
        Hops::Origin(origin) => format!("http://{origin}{path}"),
        Hops::Here(hops) => {
            let query = head.uri.query().unwrap_or_default();
            let hop = query.split('&').find_map(|pair| pair.strip_prefix("hop="));
            let hop: u32 = hop.and_then(|hop| hop.parse().ok()).unwrap_or(0);
            if hop >= *hops {
                return None;
            }
            format!("{path}?hop={}", hop + 1)
        }
    };
    let status = StatusCode::from_u16(redirect.status).ok()?;
    let mut reply = Reply::new(status, "text/plain", Content::Whole("elsewhere\n".into()));
    reply.set(header::LOCATION, to);
    Some(reply)
}

fn status(fault: &Fault, dialect: Dialect, id: u64) -> Option<Reply> {
    let status = StatusCode::from_u16(fault.status?).ok()?;
    if fault.html {
        let reason = status.canonical_reason().unwrap_or("Unknown");
        let title = format!("{} {reason}", status.as_u16());
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        return Some(Reply::new(status, "text/html", Content::Whole(page.into())));
    }
    Some(dialect.fault(status, id))
}
