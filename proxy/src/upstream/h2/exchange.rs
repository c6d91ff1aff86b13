//! One request over HTTP/2, and the head of its reply.

use std::{cell::Cell, error::Error as _, rc::Rc};

use http::{HeaderMap, StatusCode, Uri, header, uri::Scheme};

use super::{
    body::{Body, Outgoing, in_full},
    session::Session,
};
use crate::upstream::{
    endpoint::Endpoint,
    fault::Fault,
    h1::head,
    hop,
    request::{Request, RequestBody},
};

/// Why there is no head, and whether the upstream certainly did nothing with the request.
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) unprocessed: bool,
}

/// Sends `request`, whose body it takes, and waits for the head of the reply. `taken` counts what is taken of the body.
/// Dropping the future resets the stream.
pub(crate) async fn send(
    mut session: Session,
    request: &mut Request,
    endpoint: &Endpoint,
    taken: Rc<Cell<u32>>,
) -> Result<(StatusCode, HeaderMap, Body), Failed> {
    let active = session.enter();
    let body = std::mem::replace(&mut request.body, RequestBody::Empty);
    let message =
        message(request, endpoint, Outgoing::new(body, taken)).map_err(|fault| Failed {
            fault,
            unprocessed: true,
        })?;
    let reply = session.sender.try_send_request(message).await;
    let reply = reply.map_err(|mut failed| {
        let unsent = failed.take_message().is_some();
        explain(&failed.into_error(), unsent)
    })?;
    let (mut parts, incoming) = reply.into_parts();
    hop::strip(&mut parts.headers);
    head::check_length(&mut parts.headers).map_err(|reason| Failed {
        fault: Fault::Protocol {
            reason,
            replying: false,
        },
        unprocessed: false,
    })?;
    Ok((parts.status, parts.headers, Body::new(incoming, active)))
}

fn message(
    request: &Request,
    endpoint: &Endpoint,
    body: Outgoing,
) -> Result<http::Request<Outgoing>, Fault> {
    let invalid = |reason: String| Fault::RequestBody(reason.into());
    let mut headers = request.headers.clone();
    hop::strip(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::EXPECT);
    // What HTTP/1.1 says in `Host` is a part of the target here.
    let authority = match headers.remove(header::HOST) {
        Some(host) => host
            .as_bytes()
            .try_into()
            .map_err(|_| invalid(format!("Host is {host:?}")))?,
        None => endpoint.authority().clone(),
    };
    let scheme = if endpoint.tls() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(request.path.clone())
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    let mut message = http::Request::new(body);
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    Ok(message)
}

fn explain(error: &hyper::Error, unsent: bool) -> Failed {
    let text = in_full(error);
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<h2::Error>());
    if error.is_user() {
        return Failed {
            fault: Fault::RequestBody(text.into()),
            unprocessed: false,
        };
    }
    let Some(cause) = cause else {
        let unprocessed = unsent || error.is_canceled() || error.is_closed();
        return Failed {
            fault: Fault::Closed(text),
            unprocessed,
        };
    };
    // Detected on our side, and not a broken connection: what came was no HTTP/2.
    if cause.is_library() && !cause.is_io() {
        return Failed {
            fault: Fault::Protocol {
                reason: text,
                replying: false,
            },
            unprocessed: unsent,
        };
    }
    let refused = cause.reason() == Some(h2::Reason::REFUSED_STREAM);
    let unprocessed = unsent || refused || cause.is_go_away() || cause.is_io();
    Failed {
        fault: Fault::Closed(text),
        unprocessed,
    }
}
