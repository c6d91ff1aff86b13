//! Who may come in: by a token with each request, by a session that a token began, or, where only this machine reaches the server, anybody.
//!
//! - `attempts`: refused tokens, and who waits for having brought too many
//! - `door`: what tells from a token who somebody is
//! - `sessions`: who is signed in
//! - `origin`: whose page a browser asks for

mod attempts;
mod door;
mod origin;
mod sessions;

use super::problem::Problem;
use super::viewer::Viewer;
use http::{HeaderValue, Method, Request, StatusCode, header};
use sessions::{Found, Sessions};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

pub use attempts::{Attempts, Peer};
pub use door::{AdminToken, Door, Refusal};

/// The longest token that a door is asked about, in bytes. Those of Kubernetes are about one thousand.
const LONGEST_TOKEN: usize = 16 * 1024;
/// What those are told whose token is good and shows nothing.
const NOTHING: &str = "nothing_granted";
const COOKIE: &str = "dragoman_session";

/// Who may come in.
pub struct Entrance(Kind);

enum Kind {
    /// Only this machine reaches the server.
    Open,
    Guarded {
        doors: Vec<Arc<dyn Door>>,
        sessions: Sessions,
        attempts: Arc<Attempts>,
    },
}

impl std::fmt::Debug for Entrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entrance")
            .field("guards", &self.guards())
            .finish_non_exhaustive()
    }
}

/// Why somebody stays outside.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) problem: Problem,
    /// Whether a token would help, so that a browser is shown where to give one.
    pub(super) sign_in: bool,
}

impl Denied {
    fn for_good(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            problem: Problem::new(StatusCode::FORBIDDEN, code, message),
            sign_in: false,
        }
    }

    fn no_token(message: &str) -> Self {
        Self {
            problem: Problem::new(StatusCode::UNAUTHORIZED, "no_token", message),
            sign_in: true,
        }
    }
}

impl Entrance {
    /// Everybody who reaches the server sees everything: for one that listens on a loopback address. Pages of other sites, which a browser on this
    /// machine may show, are kept out: they ask by a name that is not this machine's, or say that they are another origin.
    #[must_use]
    pub const fn open() -> Self {
        Self(Kind::Open)
    }

    /// Whoever has a token that one of the doors opens to. Without any door nobody comes in.
    #[must_use]
    pub fn behind(doors: Vec<Arc<dyn Door>>) -> Self {
        Self(Kind::Guarded {
            doors,
            sessions: Sessions::default(),
            attempts: Arc::default(),
        })
    }

    /// Counts refused tokens together with another server's.
    #[must_use]
    pub fn counting(mut self, together: Arc<Attempts>) -> Self {
        if let Kind::Guarded { attempts, .. } = &mut self.0 {
            *attempts = together;
        }
        self
    }

    /// Whether a token has to be brought.
    pub(super) const fn guards(&self) -> bool {
        matches!(self.0, Kind::Guarded { .. })
    }

    /// Who asks.
    pub(super) async fn enter<B>(
        &self,
        request: &Request<B>,
        now: Instant,
    ) -> Result<Viewer, Denied> {
        let Kind::Guarded {
            doors,
            sessions,
            attempts,
        } = &self.0
        else {
            if !origin::names_this_machine(request) {
                let message = "without a token, ask by an address or as localhost";
                return Err(Denied::for_good("name", message));
            }
            return not_led(request, false).map(|()| Viewer::All);
        };
        if let Some(token) = bearer(request) {
            let viewer = show(doors, token, attempts, peer(request), now).await;
            return viewer.map_err(|denied| Denied {
                sign_in: false,
                ..denied
            });
        }
        let Some(cookie) = cookie(request) else {
            return Err(Denied::no_token(
                "this needs a token as Authorization: Bearer",
            ));
        };
        let viewer = match sessions.find(cookie, now) {
            None => return Err(Denied::no_token("the session is over; sign in again")),
            Some(Found::Viewer(viewer)) => viewer,
            Some(Found::Stale(token)) => match ask(doors, &token).await {
                Ok(viewer) => {
                    sessions.renew(cookie, viewer.clone(), now);
                    viewer
                }
                Err(denied) => {
                    if denied.problem.status == StatusCode::UNAUTHORIZED {
                        sessions.end(cookie);
                    }
                    return Err(denied);
                }
            },
        };
        not_led(request, true).map(|()| viewer)
    }

    /// Begins a session for the bearer of a token, and says its cookie.
    pub(super) async fn sign_in<B>(
        &self,
        request: &Request<B>,
        token: &str,
        secure: bool,
        now: Instant,
    ) -> Result<HeaderValue, Denied> {
        let Kind::Guarded {
            doors,
            sessions,
            attempts,
        } = &self.0
        else {
            return Err(Denied::for_good("open", "no token is needed here"));
        };
        not_led(request, false)?;
        let viewer = show(doors, token, attempts, peer(request), now).await?;
        Ok(set_cookie(&sessions.begin(token, viewer, now), secure))
    }

    /// Ends the session, and says what makes the browser forget it.
    pub(super) fn sign_out<B>(&self, request: &Request<B>) -> Result<HeaderValue, Denied> {
        not_led(request, false)?;
        if let (Kind::Guarded { sessions, .. }, Some(cookie)) = (&self.0, cookie(request)) {
            sessions.end(cookie);
        }
        Ok(set_cookie("", false))
    }
}

/// Shows the doors a token that somebody brings, unless they brought too many that were refused.
async fn show(
    doors: &[Arc<dyn Door>],
    token: &str,
    attempts: &Attempts,
    peer: IpAddr,
    now: Instant,
) -> Result<Viewer, Denied> {
    if let Some(wait) = attempts.wait(peer, now) {
        return Err(Denied {
            problem: Problem::wait(wait),
            sign_in: false,
        });
    }
    let said = ask(doors, token).await;
    match &said {
        Ok(_) => attempts.opened(peer, now),
        Err(Denied { problem, .. })
            if problem.status == StatusCode::UNAUTHORIZED || problem.code == NOTHING =>
        {
            attempts.refused(peer, now);
        }
        Err(_) => {}
    }
    said
}

fn peer<B>(request: &Request<B>) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(address)| *address)
}

/// Asks one door after the other.
async fn ask(doors: &[Arc<dyn Door>], token: &str) -> Result<Viewer, Denied> {
    if doors.is_empty() {
        let message = "nobody may come in, because no token is set: set DRAGOMAN_ADMIN_TOKEN, or bind to a loopback address";
        return Err(Denied::for_good("closed", message));
    }
    let mut why = Denied::no_token("this needs another token; the one given is unknown, or over");
    if token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err(why);
    }
    for door in doors {
        match door.open(token).await {
            Ok(viewer) => return Ok(viewer),
            Err(Refusal::Unknown) => {}
            Err(Refusal::Nothing(message)) => {
                return Err(Denied::for_good(NOTHING, message));
            }
            // Another door may still open.
            Err(Refusal::Away(message)) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                why = Denied {
                    problem: Problem::new(status, "identity_unchecked", message),
                    sign_in: false,
                };
            }
        }
    }
    Err(why)
}

/// Keeps out what another site's page would have done in somebody's name. With a cookie, a browser must say whose page it is.
fn not_led<B>(request: &Request<B>, cookie: bool) -> Result<(), Denied> {
    let harmless = request.method() == Method::GET || request.method() == Method::HEAD;
    if harmless || origin::is_ours(request).unwrap_or(!cookie) {
        return Ok(());
    }
    Err(Denied::for_good(
        "origin",
        "another site's page asks for this; do it from the dashboard, or with a token as Authorization: Bearer",
    ))
}

/// Whether a browser keeps its cookie back, because a link on another site led here. It brings it once the page loads itself.
pub(super) fn may_have_kept_its_cookie<B>(request: &Request<B>) -> bool {
    origin::is_led_here(request) && cookie(request).is_none()
}

/// The token that a request brings by itself.
fn bearer<B>(request: &Request<B>) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie<B>(request: &Request<B>) -> Option<&str> {
    let cookies = request.headers().get_all(header::COOKIE);
    let pairs = cookies
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// An empty value makes the browser forget it.
fn set_cookie(value: &str, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let age = if value.is_empty() {
        0
    } else {
        sessions::LIFETIME.as_secs()
    };
    let cookie =
        format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    // Hexadecimal digits and words of ours.
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}
