//! Reads a client's body into memory, up to a bound on its size and on the client's silence.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::error::Refusal;

/// How long a client may be silent within its body.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a body that is read whole may take, however steadily it trickles.
const LONGEST: Duration = Duration::from_mins(10);
/// How much is set aside for a body before it has arrived, whatever its `Content-Length` says.
const AHEAD: u64 = 256 << 10;

/// The whole body.
///
/// # Errors
/// 413 for one that is longer than `limit`, 408 for a silent client, 400 for one that breaks off.
pub(crate) async fn whole(mut body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let hint = body.size_hint();
    if hint.lower() > limit {
        return Err(too_large(limit));
    }
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    // The usual body comes in one piece, which is taken as it is.
    if body.is_end_stream() {
        return if first.len() as u64 > limit {
            Err(too_large(limit))
        } else {
            Ok(first)
        };
    }
    let ahead = usize::try_from(hint.upper().unwrap_or(hint.lower()).min(AHEAD)).unwrap_or(0);
    let mut all = BytesMut::with_capacity(ahead.max(first.len()));
    all.extend_from_slice(&first);
    drop(first);
    let rest = async {
        while let Some(piece) = next(&mut body).await? {
            if all.len() as u64 + piece.len() as u64 > limit {
                return Err(too_large(limit));
            }
            // Once so much has come, the rest is believed in, so that a large body is not moved while it grows.
            if all.len() as u64 >= AHEAD && all.capacity() - all.len() < piece.len() {
                let rest = body.size_hint().lower();
                all.reserve(piece.len() + usize::try_from(rest).unwrap_or_default());
            }
            all.extend_from_slice(&piece);
        }
        Ok(())
    };
    timeout(LONGEST, rest).await.map_err(|_| silent())??;
    Ok(all.freeze())
}

/// The start of a body: at least `enough` bytes of it, or all.
///
/// # Errors
/// As for [`next`].
pub(crate) async fn start(body: &mut Incoming, enough: u64) -> Result<Bytes, Refusal> {
    let mut all = BytesMut::new();
    while (all.len() as u64) < enough {
        match next(body).await? {
            Some(piece) => all.extend_from_slice(&piece),
            None => break,
        }
    }
    Ok(all.freeze())
}

/// The next piece of a body; none at its end. Trailers are read past.
///
/// # Errors
/// 408 for a silent client, 400 for one that breaks off.
pub(crate) async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        // No timer is set for a piece that is there.
        let mut frame = std::pin::pin!(poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
        let ready = poll_fn(|cx| std::task::Poll::Ready(frame.as_mut().poll(cx))).await;
        let frame = match ready {
            std::task::Poll::Ready(frame) => frame,
            std::task::Poll::Pending => timeout(PATIENCE, frame).await.map_err(|_| silent())?,
        };
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data()
                    && !piece.is_empty()
                {
                    return Ok(Some(piece));
                }
            }
            Some(Err(_)) => return Err(broken()),
        }
    }
}

fn too_large(limit: u64) -> Refusal {
    let message = format!(
        "The request's body is larger than {limit} bytes, the most that this proxy reads (spec.limits.bodyBytes of the LLMProxy)."
    );
    Refusal::client(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

fn silent() -> Refusal {
    let message = "The request's body did not arrive in time.";
    Refusal {
        retry: true,
        ..Refusal::client(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
    }
}

fn broken() -> Refusal {
    let message = "The request's body broke off, or its framing is malformed.";
    Refusal::client(StatusCode::BAD_REQUEST, "incomplete_body", message)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::convert::Infallible;
    use std::rc::Rc;

    use http::Response;
    use http_body_util::Empty;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// What becomes of a body of which a piece comes every `pause`, and when.
    async fn read(pieces: usize, pause: Duration) -> (Result<usize, u16>, Duration) {
        let (mut client, server) = duplex(1 << 16);
        let seen = Rc::new(RefCell::new(None));
        let told = Rc::clone(&seen);
        let service = service_fn(move |request: http::Request<Incoming>| {
            let told = Rc::clone(&told);
            async move {
                let body = whole(request.into_body(), 1 << 20).await;
                let body = body.map(|body| body.len());
                *told.borrow_mut() = Some(body.map_err(|refusal| refusal.status.as_u16()));
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), service);
        let began = Instant::now();
        let sending = async {
            let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {pieces}\r\n\r\n");
            let _ = client.write_all(head.as_bytes()).await;
            for _ in 0..pieces {
                if client.write_all(b"x").await.is_err() {
                    return;
                }
                sleep(pause).await;
            }
            std::future::pending().await
        };
        let judged = async {
            while seen.borrow().is_none() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            _ = serving => {}
            () = sending => {}
            () = judged => {}
        }
        let body = seen.borrow_mut().take().unwrap();
        (body, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_come_slowly_but_neither_silently_nor_for_ever() {
        let (body, _) = read(20, Duration::from_secs(20)).await;
        assert_eq!(body, Ok(20), "a slow line");
        let (body, took) = read(3, Duration::from_secs(120)).await;
        assert_eq!((body, took.as_secs()), (Err(408), 60), "a silent client");
        let (body, took) = read(10_000, Duration::from_secs(50)).await;
        assert_eq!((body, took.as_secs()), (Err(408), 600), "a trickle");
    }
}
