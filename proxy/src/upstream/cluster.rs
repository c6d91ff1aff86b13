//! One backend as one thread sees it: its addresses, and a request's way to one of them.

use std::{
    cell::{Cell, RefCell},
    fmt,
    net::SocketAddr,
    rc::Rc,
};

use http::HeaderName;
use tokio::time::Instant;

use super::{
    address::choose,
    attempt::Way,
    concurrency::Concurrency,
    deadline::{Deadline, Timeouts},
    dial::{Dialer, Http2},
    endpoint::Endpoint,
    fault::Fault,
    guard::Denied,
    lookup::Lookup,
    names::Names,
    redirect,
    reply::{Reply, ReplyBody},
    request::Request,
    tls::{BadTls, TlsSettings},
};

/// How many addresses one request may try to connect to.
const MAX_ADDRESSES: usize = 3;
/// To how many other places, reached by redirects, connections are kept.
const MAX_ELSEWHERE: usize = 8;

/// How to reach a backend.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What is particular about its TLS; of no consequence for an `http` URL.
    pub tls: TlsSettings,
    /// Which HTTP it speaks.
    pub http2: Http2,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// What its name must not resolve to.
    pub denied: Denied,
    /// The bound on requests in flight, across threads; `None` for no bound.
    pub max_concurrency: Option<Concurrency>,
}

impl Settings {
    /// Defaults for everything but the place.
    pub fn new(endpoint: Endpoint) -> Self {
        Settings {
            endpoint,
            tls: TlsSettings::default(),
            http2: Http2::default(),
            timeouts: Timeouts::default(),
            denied: Denied::default(),
            max_concurrency: None,
        }
    }
}

/// One backend's upstream, on one thread. A clone is the same upstream.
#[derive(Clone)]
pub struct Cluster(Rc<Inside>);

struct Inside {
    settings: Settings,
    lookup: Lookup,
    names: Rc<Names>,
    dialer: Dialer,
    /// Which of equally good addresses is next.
    turn: Cell<usize>,
    /// Where redirects led.
    elsewhere: RefCell<Vec<Cluster>>,
}

impl Cluster {
    /// An upstream with no connection yet, whose name the system resolves.
    ///
    /// # Errors
    /// [`BadTls`], where the settings for TLS cannot be used.
    pub fn new(settings: Settings) -> Result<Self, BadTls> {
        Cluster::with_lookup(settings, Lookup::system())
    }

    /// As [`Cluster::new`], with another way to look names up.
    ///
    /// # Errors
    /// As [`Cluster::new`].
    pub fn with_lookup(settings: Settings, lookup: Lookup) -> Result<Self, BadTls> {
        let dialer = Dialer::new(&settings.endpoint, &settings.tls, settings.http2)?;
        Ok(Cluster::with_dialer(settings, lookup, dialer))
    }

    pub(crate) fn with_dialer(settings: Settings, lookup: Lookup, dialer: Dialer) -> Self {
        let denied = settings.denied.clone();
        let patience = settings.timeouts.connect;
        let names = Names::new(&settings.endpoint, denied, lookup.clone(), patience);
        Cluster(Rc::new(Inside {
            settings,
            lookup,
            names,
            dialer,
            turn: Cell::default(),
            elsewhere: RefCell::default(),
        }))
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.settings.endpoint
    }

    /// The same settings for another place, to which a redirect led: all but the name that its certificate must bear.
    fn elsewhere(&self, endpoint: Endpoint) -> Result<Self, BadTls> {
        let mut known = self.0.elsewhere.borrow_mut();
        if let Some(cluster) = known.iter().find(|cluster| *cluster.endpoint() == endpoint) {
            return Ok(cluster.clone());
        }
        let mut settings = self.0.settings.clone();
        settings.tls.server_name = None;
        settings.endpoint = endpoint;
        let dialer = self.0.dialer.elsewhere(&settings.endpoint, &settings.tls)?;
        let cluster = Cluster::with_dialer(settings, self.0.lookup.clone(), dialer);
        if known.len() == MAX_ELSEWHERE {
            known.remove(0);
        }
        known.push(cluster.clone());
        Ok(cluster)
    }

    /// Sends a request and waits for the head of the reply. `end` bounds the whole of it, body included, where it is
    /// earlier than the `request` timeout. Dropping the future cancels the request.
    ///
    /// An address that cannot be connected to is followed by the next. A connection that turns out to have been closed
    /// while it waited is replaced once, if the body can be sent again.
    ///
    /// # Errors
    /// [`Fault`]; it says whether another try may help.
    pub async fn send(&self, mut request: Request, end: Option<Instant>) -> Result<Reply, Fault> {
        self.send_taking_body(&mut request, Instant::now(), end)
            .await
    }

    /// As [`Cluster::send`], following redirects with the same method and body. A new origin is not told any credential:
    /// neither the usual headers for one nor those in `secrets`. A body that cannot be sent again is not redirected: the redirect is the reply.
    ///
    /// The body is taken; all else of `request` stays, for another try.
    ///
    /// # Errors
    /// As [`Cluster::send`]; a redirect that must not be followed is a [`Fault::Protocol`].
    pub async fn send_following(
        &self,
        request: &mut Request,
        secrets: &[HeaderName],
        end: Option<Instant>,
    ) -> Result<Reply, Fault> {
        let began = Instant::now();
        let own = began + self.0.settings.timeouts.request;
        let end = end.map_or(own, |end| end.min(own));
        let refused = |reason: String| Fault::Protocol {
            reason,
            replying: false,
        };
        let mut cluster = self.clone();
        let mut redirected: Option<Box<Request>> = None;
        let mut elsewhere = false;
        for hops in 0.. {
            let request = redirected.as_deref_mut().unwrap_or(&mut *request);
            let body = request.body.replay();
            let now = if hops == 0 { began } else { Instant::now() };
            let mut reply = cluster.send_taking_body(request, now, Some(end)).await?;
            reply.elsewhere = elsewhere;
            let Some(body) = body else { return Ok(reply) };
            if !reply.status.is_redirection() {
                return Ok(reply);
            }
            let (from, path) = (cluster.endpoint(), &request.path);
            let target = redirect::target(
                &request.method,
                from,
                path,
                reply.status,
                &reply.headers,
                hops,
            )
            .map_err(|error| refused(error.to_string()))?;
            let Some(target) = target else {
                return Ok(reply);
            };
            let mut next = Request {
                method: request.method.clone(),
                path: target.path,
                headers: request.headers.clone(),
                body,
            };
            if target.new_origin {
                elsewhere = true;
                redirect::drop_credentials(&mut next.headers, secrets);
                next.headers.remove(http::header::HOST);
                cluster = if target.endpoint.same_origin(self.endpoint()) {
                    self.clone()
                } else {
                    let elsewhere = self.elsewhere(target.endpoint);
                    elsewhere.map_err(|error| refused(format!("it redirects, but {error}")))?
                };
            }
            redirected = Some(Box::new(next));
        }
        Err(refused("it redirects without end".into()))
    }

    async fn send_taking_body(
        &self,
        request: &mut Request,
        now: Instant,
        end: Option<Instant>,
    ) -> Result<Reply, Fault> {
        let Inside {
            settings,
            names,
            dialer,
            turn,
            ..
        } = &*self.0;
        let mut permit = settings
            .max_concurrency
            .as_ref()
            .map(Concurrency::enter)
            .transpose()?;
        let mut deadline = Deadline::start(settings.timeouts, now, end);
        let addresses = match names.at_hand()? {
            Some(addresses) => addresses,
            // What is rarely waited for is kept out of the future that every request has.
            None => deadline.bound(Box::pin(names.wait())).await?,
        };
        let mut tried: Vec<SocketAddr> = Vec::new();
        loop {
            turn.set(turn.get().wrapping_add(1));
            let Some(address) = choose(&addresses, &tried, turn.get()) else {
                return Err(Fault::Closed("no address is left to try".into()));
            };
            let in_flight = address.enter(permit.take());
            let way = Way {
                endpoint: &settings.endpoint,
                dialer,
                address,
            };
            match way.send(request, &mut deadline).await {
                Ok(began) => {
                    return Ok(Reply {
                        status: began.status,
                        headers: began.headers,
                        body: ReplyBody::new(began.body, deadline, in_flight),
                        address: address.socket,
                        elsewhere: false,
                    });
                }
                Err(fault) if fault.before_sending() => {
                    address.failed();
                    tried.push(address.socket);
                    if tried.len() == addresses.len().min(MAX_ADDRESSES) {
                        names.doubt();
                        return Err(fault);
                    }
                    permit = in_flight.leave();
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster")
            .field(&self.0.settings.endpoint)
            .finish()
    }
}
