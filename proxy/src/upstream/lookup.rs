//! Names as addresses, as the system resolves them: hosts file, search domains, A and AAAA.

use std::{cell::RefCell, future::Future, net::IpAddr, pin::Pin, rc::Rc, time::Duration};

use hickory_resolver::{TokioResolver, config::LookupIpStrategy, net::NetError};

/// What a name leads to, and for how long that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All its addresses; never empty.
    pub addresses: Vec<IpAddr>,
    /// How long they hold.
    pub ttl: Duration,
}

/// Why a name led nowhere, in words that follow "cannot resolve …: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A name server says that there is no such name, or no address of it. An answer like any other.
    NoAddress(String),
    /// No name server gave an answer. Another try may help.
    Unanswered(String),
}

impl From<&str> for Failure {
    fn from(words: &str) -> Self {
        Self::Unanswered(words.into())
    }
}

type Found = Pin<Box<dyn Future<Output = Result<Answer, Failure>>>>;

/// A way to look names up.
#[derive(Clone)]
pub struct Lookup(Rc<dyn Fn(String) -> Found>);

impl Lookup {
    /// The system's: `/etc/hosts`, then the servers and search domains of `/etc/resolv.conf`. One resolver serves a thread.
    pub fn system() -> Self {
        Lookup::new(system)
    }

    /// Another way.
    pub fn new<F>(look_up: impl Fn(String) -> F + 'static) -> Self
    where
        F: Future<Output = Result<Answer, Failure>> + 'static,
    {
        Lookup(Rc::new(move |host| Box::pin(look_up(host))))
    }

    pub(crate) async fn find(&self, host: &str) -> Result<Answer, Failure> {
        let answer = (self.0)(host.into()).await?;
        if answer.addresses.is_empty() {
            Err(Failure::NoAddress("it has no address".into()))
        } else {
            Ok(answer)
        }
    }
}

thread_local! {
    static RESOLVER: RefCell<Option<TokioResolver>> = const { RefCell::new(None) };
}

async fn system(host: String) -> Result<Answer, Failure> {
    let resolver = RESOLVER
        .with_borrow_mut(|kept| match kept {
            Some(resolver) => Ok(resolver.clone()),
            None => build().inspect(|resolver| *kept = Some(resolver.clone())),
        })
        .map_err(|error| {
            Failure::Unanswered(format!("the system's resolver configuration: {error}"))
        })?;
    let found = resolver.lookup_ip(host.as_str()).await.map_err(in_words)?;
    let ttl = found
        .valid_until()
        .saturating_duration_since(std::time::Instant::now());
    Ok(Answer {
        addresses: found.iter().collect(),
        ttl,
    })
}

/// What went wrong: a wrong name is told apart from a name server that fails.
fn in_words(error: NetError) -> Failure {
    if error.is_nx_domain() {
        Failure::NoAddress("no such name".into())
    } else if error.is_no_records_found() {
        Failure::NoAddress("the name has no address".into())
    } else {
        Failure::Unanswered(error.to_string())
    }
}

fn build() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Names are kept by whoever asks, who also knows when an answer has proved wrong.
    options.cache_size = 0;
    builder.build()
}
