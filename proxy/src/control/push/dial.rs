//! One connection to the operator: HTTP/2 over TLS, redirected by a standby to the leader.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::wire::{CONTENT_TYPE, STREAM_PATH};
use futures::stream;
use http::{Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::trust::{Trust, TrustFault};
use super::url::OperatorUrl;

/// How long each step may take: name, connection, TLS, the answer's head.
const STEP: Duration = Duration::from_secs(3);
/// How often we ask whether the other side is there.
const PING: Duration = Duration::from_secs(10);
/// How long its answer may take. A leader that froze is given up before its successor has been there for long.
const PONG: Duration = Duration::from_secs(5);
/// How often we follow to another replica before we wait.
const REDIRECTS: usize = 4;
/// Lines that wait for the network.
const WAITING_LINES: usize = 4;
/// How much of a refusal is read.
const REFUSAL: usize = 2048;

/// Why there is no stream. Dialling again helps once the cause is gone.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialFault {
    /// The operator cannot be verified.
    #[error(transparent)]
    Trust(#[from] TrustFault),
    /// The token cannot be read.
    #[error("cannot read the token file {}: {source}", path.display())]
    Token {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operator does not answer.
    #[error("{at}: {step}: {why}")]
    Unreachable {
        /// Where.
        at: OperatorUrl,
        /// What we were about to do.
        step: &'static str,
        /// What happened instead.
        why: String,
    },
    /// The operator refused us.
    #[error("{at} answered {status}: {why}")]
    Refused {
        /// Who.
        at: OperatorUrl,
        /// How.
        status: StatusCode,
        /// What it said.
        why: String,
    },
    /// A standby sent us to a leader that does not answer: another will lead.
    #[error("the leader is away: {0}")]
    LeaderAway(#[source] Box<DialFault>),
    /// Replicas sent us in a circle: there is no leader yet.
    #[error("{0}: no replica of the operator leads")]
    NoLeader(OperatorUrl),
}

impl DialFault {
    /// Whether an operator answered that does not lead, or not yet.
    pub(super) fn is_leaderless(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::NoLeader(_) | Self::LeaderAway(_) => true,
            _ => false,
        }
    }

    /// Whether the operator could not read what we said.
    pub(super) fn is_misunderstood(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::BAD_REQUEST)
    }
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// Lines to the operator.
    pub(super) up: mpsc::Sender<Bytes>,
    /// What comes from it.
    pub(super) down: Incoming,
    /// Who answered.
    pub(super) at: OperatorUrl,
    /// Held while lines pass: dropping it closes the connection.
    pub(super) _connection: AbortOnDropHandle<()>,
}

/// Opens a stream whose first line is `hello`.
///
/// # Errors
/// [`DialFault`].
pub(super) async fn dial(
    operator: &OperatorUrl,
    token_file: &Path,
    ca_file: &Path,
    trust: &Trust,
    hello: &Bytes,
) -> Result<Stream, DialFault> {
    let tls = trust.client(ca_file)?;
    let token = std::fs::read_to_string(token_file).map_err(|source| DialFault::Token {
        path: token_file.to_owned(),
        source,
    })?;
    let mut at = operator.clone();
    for _ in 0..=REDIRECTS {
        // Whichever replica it is, it must prove to be the operator that we were told of.
        let attempt = open(
            &at,
            &operator.host,
            token.trim(),
            Arc::clone(&tls),
            hello.clone(),
        );
        let (up, answer, connection) = attempt.await.map_err(|fault| match at == *operator {
            true => fault,
            false => DialFault::LeaderAway(Box::new(fault)),
        })?;
        match answer.status() {
            StatusCode::OK => {
                return Ok(Stream {
                    up,
                    down: answer.into_body(),
                    at,
                    _connection: connection,
                });
            }
            StatusCode::TEMPORARY_REDIRECT => at = leader(&at, &answer)?,
            status => {
                return Err(DialFault::Refused {
                    at,
                    status,
                    why: reason(answer).await,
                });
            }
        }
    }
    Err(DialFault::NoLeader(at))
}

type Opened = (
    mpsc::Sender<Bytes>,
    Response<Incoming>,
    AbortOnDropHandle<()>,
);

async fn open(
    at: &OperatorUrl,
    name: &str,
    token: &str,
    tls: Arc<ClientConfig>,
    hello: Bytes,
) -> Result<Opened, DialFault> {
    let address = (at.host.as_str(), at.port);
    let tcp = step(at, "cannot connect", TcpStream::connect(address)).await?;
    tcp.set_nodelay(true)
        .map_err(|fault| unreachable(at, "cannot connect", fault))?;
    let name = ServerName::try_from(name.to_owned())
        .map_err(|fault| unreachable(at, "no name to verify", fault))?;
    let tls = step(at, "TLS failed", TlsConnector::from(tls).connect(name, tcp)).await?;
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true);
    let handshake = step(at, "HTTP/2 failed", protocol.handshake(TokioIo::new(tls)));
    let (mut requests, connection) = handshake.await?;
    // The connection's end shows in the body, where it is told.
    let connection = AbortOnDropHandle::new(tokio::spawn(async { drop(connection.await) }));
    let (up, body) = lines(hello);
    let request = Request::post(format!("{at}{STREAM_PATH}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .header(header::ACCEPT, CONTENT_TYPE)
        .body(body)
        .map_err(|fault| unreachable(at, "the token is no header's value", fault))?;
    let answer = step(at, "no answer", requests.send_request(request)).await?;
    Ok((up, answer, connection))
}

/// A body of lines, `first` first.
fn lines(first: Bytes) -> (mpsc::Sender<Bytes>, UnsyncBoxBody<Bytes, Infallible>) {
    let (up, rest) = mpsc::channel(WAITING_LINES);
    let lines = stream::unfold((Some(first), rest), |(first, mut rest)| async move {
        let line = match first {
            Some(first) => first,
            None => rest.recv().await?,
        };
        Some((Ok::<_, Infallible>(Frame::data(line)), (None, rest)))
    });
    (up, StreamBody::new(lines).boxed_unsync())
}

async fn step<T, E: std::fmt::Display>(
    at: &OperatorUrl,
    name: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, DialFault> {
    match tokio::time::timeout(STEP, work).await {
        Ok(done) => done.map_err(|fault| unreachable(at, name, fault)),
        Err(_) => Err(unreachable(
            at,
            name,
            format!("nothing happened for {} s", STEP.as_secs()),
        )),
    }
}

fn unreachable(at: &OperatorUrl, step: &'static str, why: impl std::fmt::Display) -> DialFault {
    DialFault::Unreachable {
        at: at.clone(),
        step,
        why: why.to_string(),
    }
}

fn leader(at: &OperatorUrl, answer: &Response<Incoming>) -> Result<OperatorUrl, DialFault> {
    let location = answer
        .headers()
        .get(header::LOCATION)
        .and_then(|it| it.to_str().ok());
    location
        .ok_or_else(|| unreachable(at, "redirect", "it names no leader"))?
        .parse()
        .map_err(|fault| unreachable(at, "redirect", fault))
}

/// What a refusal says, for the log.
async fn reason(answer: Response<Incoming>) -> String {
    let body = Limited::new(answer.into_body(), REFUSAL).collect();
    match tokio::time::timeout(STEP, body).await {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
        _ => String::new(),
    }
}
