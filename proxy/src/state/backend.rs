//! An upstream as a proxy runs it: everything that a request needs, prepared.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dragoman_config::mapper::Mapper;
use dragoman_config::{
    AwsKeysItem, BackendItem, Catalogued, CredentialItem, HealthItem, Key, MapperItem, ProxyItem,
    RelayItem, RetryItem, TemplateItem, TimeoutsItem, UpstreamUrl,
};
use dragoman_crds::{Dialect, MapperStream, ReasoningContent, Responses};
use dragoman_dialects::Wire;
use dragoman_dialects::template::{BuiltIn, Custom, Template};
use http::{HeaderName, HeaderValue, Method};

use super::dialect;
use super::health::Health;
use super::listing::Listings;
use super::secrets::Secrets;
use crate::aws::Signer;
use crate::serve::collections::googles_version;
use crate::serve::query::without;
use crate::upstream::{
    BadTls, Cluster, Concurrency, Denied, Endpoint, Settings, Timeouts, TlsSettings,
};

/// The headers that credentials travel in. None of a client's goes upstream, but for a backend of `passthrough`.
// A static: a constant would be made anew, and dropped, for each header that is compared with it.
pub static CREDENTIAL_HEADERS: [HeaderName; 4] = [
    http::header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// The header that temporary keys of AWS's come with.
pub static SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What a request's credential upstream is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// None, and none of the client's either.
    None,
    /// This value, in the header that the dialect uses.
    Key(HeaderName, HeaderValue),
    /// The client's own.
    Passthrough,
    /// A signature of AWS's, made of each request.
    Aws(Arc<Signer>),
}

/// Who a backend is: an LLMBackend, or a route's inline one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendName {
    /// The LLMBackend, or the route.
    pub item: Key,
    /// The name within the route, of an inline one.
    pub inline: Option<String>,
}

impl BackendName {
    /// As the request log names it: `namespace/name`, of an inline one with its name within the route.
    pub fn shown(&self) -> String {
        match &self.inline {
            Some(name) => format!("{} backends[{name}]", self.item.object),
            None => self.item.object.to_string(),
        }
    }
}

impl std::fmt::Display for BackendName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.inline {
            Some(name) => write!(f, "{} backends[{name}]", self.item),
            None => self.item.fmt(f),
        }
    }
}

/// What a backend keeps from one version to the next.
#[derive(Debug, Clone)]
pub struct Lasting {
    /// How it fares.
    pub health: Arc<Health>,
    /// Requests in flight, when they are bounded.
    pub in_flight: Arc<AtomicUsize>,
}

/// One upstream.
#[derive(Debug)]
pub struct Backend {
    /// No two versions of any backend have the same: what threads know their connections by.
    pub id: u64,
    /// Who it is.
    pub name: BackendName,
    /// How to reach it.
    pub settings: Settings,
    /// What it speaks.
    pub dialect: Dialect,
    /// What changes bodies.
    pub mapper: Option<Arc<Mapper>>,
    /// How a conversation becomes a prompt, where it takes prompts.
    pub template: Template,
    /// What authenticates.
    pub credential: Credential,
    /// Headers that every request carries, besides the credential.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Names of those among them that are credentials: another origin must not be told them, and nobody is quoted them.
    pub secrets: Vec<HeaderName>,
    /// The values of all credentials of ours.
    pub masks: Secrets,
    /// Models that complete or replace its own list.
    pub catalog: Vec<Catalogued>,
    /// Paths that may go upstream with our credential.
    pub relay: Vec<RelayItem>,
    /// What is tried again.
    pub retries: RetryItem,
    /// Active checks.
    pub checks: Option<HealthItem>,
    /// What outlives this version.
    pub lasting: Lasting,
    /// What it lists.
    pub listings: Listings,
    /// What it was built from, to see whether it changed.
    item: BackendItem,
    proxy: Arc<ProxyItem>,
}

/// Why an item cannot be run. The operator compiles the same way, so that this is our fault or an older proxy's; the previous version stays.
#[derive(Debug, thiserror::Error)]
pub enum Unrunnable {
    /// A header that HTTP cannot carry.
    #[error("header {0:?} cannot be sent")]
    Header(String),
    /// A credential that HTTP cannot carry.
    #[error("the credential holds characters that a header cannot carry, such as a line break")]
    Credential,
    /// A Mapper that does not compile.
    #[error("Mapper {0}: {1}")]
    Mapper(String, String),
    /// A URL that leads nowhere.
    #[error(transparent)]
    Url(#[from] crate::upstream::BadUrl),
    /// Certificates or a name that TLS cannot be set up with.
    #[error("tls: {0}")]
    Tls(#[from] BadTls),
    /// A certificate that HTTPS cannot be served with.
    #[error("tls: {0}")]
    Certificate(#[from] super::certificates::BadCertificate),
    /// What the request log cannot be kept by.
    #[error("logging.{0}")]
    Logging(#[from] super::logging::BadLogging),
    /// A template of prompts that this proxy does not have or cannot compile.
    #[error("promptTemplate: {0}")]
    Template(String),
    /// An AccessPolicy that cannot be run.
    #[error("{0}")]
    Policy(String),
    /// A ModelMap or filter that does not compile.
    #[error("{0}")]
    Names(String),
}

impl Backend {
    /// Prepares `item`, with what `lasting` its predecessor left.
    ///
    /// # Errors
    /// [`Unrunnable`].
    pub fn build(
        name: BackendName,
        item: &BackendItem,
        proxy: &Arc<ProxyItem>,
        lasting: Lasting,
    ) -> Result<Self, Unrunnable> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let endpoint = endpoint(&item.url)?;
        let settings = settings(endpoint, item, proxy, &lasting);
        // Threads make their own later; one that cannot be made is found here.
        Cluster::new(settings.clone())?;
        let credential = match &item.credential {
            CredentialItem::None => Credential::None,
            CredentialItem::Passthrough => Credential::Passthrough,
            CredentialItem::Aws(aws) => Credential::Aws(Arc::new(Signer::new(aws))),
            CredentialItem::Key(key) => {
                let (name, value) = dialect::key(item.dialect, key.expose().trim());
                let mut value =
                    HeaderValue::from_str(&value).map_err(|_| Unrunnable::Credential)?;
                value.set_sensitive(true);
                Credential::Key(name, value)
            }
        };
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(item.headers.len());
        let mut secrets = Vec::new();
        for header in &item.headers {
            let bad = || Unrunnable::Header(header.name.clone());
            let name: HeaderName = header.name.parse().map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(header.value.expose()).map_err(|_| bad())?;
            if header.secret {
                value.set_sensitive(true);
                secrets.push(name.clone());
            }
            headers.push((name, value));
        }
        let aws = match &item.credential {
            CredentialItem::Aws(aws) => aws.keys.as_ref(),
            _ => None,
        };
        if matches!(credential, Credential::Aws(_)) {
            // Beside `authorization`, which no other origin is told anyway.
            secrets.push(SECURITY_TOKEN.clone());
        }
        let masks = masks(&credential, &headers, &secrets, aws);
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            settings,
            dialect: item.dialect,
            mapper: mapper(item.mapper.as_deref())?,
            template: template(item)?,
            credential,
            headers,
            secrets,
            masks,
            catalog: item.catalog.clone(),
            relay: item.relay.clone(),
            retries: item.retries.clone(),
            checks: item.health.clone(),
            lasting,
            listings: Listings::default(),
            item: item.clone(),
            proxy: Arc::clone(proxy),
        })
    }

    /// A client's path and query, which was taken without `/v1`, below the base URL; without what is [`withheld`](Self::withheld).
    pub fn passed<'p>(&self, path: Cow<'p, str>) -> Cow<'p, str> {
        let path = self.withheld(path);
        match dialect::base(self.dialect) {
            "" => path,
            base => Cow::Owned(format!("{base}{path}")),
        }
    }

    /// A path and query without a key of the client's that stands in the query, as Gemini's may: it goes no further than its headers would.
    pub fn withheld<'p>(&self, path: Cow<'p, str>) -> Cow<'p, str> {
        match path.split_once('?') {
            Some((start, query))
                if (self.dialect == Dialect::Gemini || googles_version(start).is_some())
                    && !matches!(self.credential, Credential::Passthrough) =>
            {
                let query = without(Some(query), &["key", "access_token"]);
                match query {
                    Some(query) => Cow::Owned(format!("{start}?{query}")),
                    None => Cow::Owned(start.to_owned()),
                }
            }
            _ => path,
        }
    }

    /// The form in which it is asked what a client asked in the form `client`: the client's own where it speaks that.
    pub fn wire(&self, client: Wire) -> Wire {
        match self.item.responses {
            Some(Responses::Translate) if client == Wire::Responses => Wire::Chat,
            _ => dialect::wire(self.dialect, client),
        }
    }

    /// Whether the reasoning of earlier turns goes back to it in the form of chat completions.
    pub fn takes_reasoning(&self) -> bool {
        self.item.reasoning_content == Some(ReasoningContent::Send)
    }

    /// What it said, without the credentials of ours that a request to it carries.
    pub fn masked(&self, said: Bytes) -> Bytes {
        let said = self.masks.mask(said);
        match self.signing_secrets() {
            Some(secrets) => secrets.mask(said),
            None => said,
        }
    }

    /// The beginning of what it said, without them, and without the beginning of one that it ends within.
    pub fn masked_beginning(&self, said: Bytes) -> Bytes {
        let said = self.masks.mask_beginning(said);
        match self.signing_secrets() {
            Some(secrets) => secrets.mask_beginning(said),
            None => said,
        }
    }

    fn signing_secrets(&self) -> Option<Secrets> {
        match &self.credential {
            Credential::Aws(signer) => signer.secrets(),
            _ => None,
        }
    }

    /// Where Azure takes for one of its deployments what OpenAI takes at `path`; none where it is not Azure.
    pub fn deployed(&self, deployment: &str, path: &str) -> Option<String> {
        let version = self.item.azure_api_version.as_ref();
        (self.dialect == Dialect::AzureOpenAI).then(|| {
            let deployment = dialect::escaped(deployment);
            let version = version.map_or("", String::as_str);
            format!("/openai/deployments/{deployment}{path}?api-version={version}")
        })
    }

    /// Whether it can be asked for a stream.
    pub fn streams(&self) -> bool {
        self.dialect != Dialect::Custom
            || self
                .mapper
                .as_ref()
                .is_none_or(|mapper| mapper.stream() != MapperStream::None)
    }

    /// Whether it takes `stream_options`. Azure's older versions refuse what they do not know, and nobody knows what a Mapper makes of it.
    pub fn tells_usage(&self) -> bool {
        let version = self.item.azure_api_version.as_deref();
        match self.dialect {
            Dialect::AzureOpenAI => version.is_none_or(|version| version >= "2024-09"),
            Dialect::Custom => false,
            _ => true,
        }
    }

    /// Whether it is what `item` would become.
    pub fn is(&self, item: &BackendItem, proxy: &ProxyItem) -> bool {
        self.item == *item
            && self.proxy.denied_cidrs == proxy.denied_cidrs
            && self.proxy.deny_loopback == proxy.deny_loopback
    }

    /// Whether it is to be found at `url`.
    pub fn leads_to(&self, url: &UpstreamUrl) -> bool {
        self.item.url == *url
    }

    /// Whether it is the same place as `other`, with another credential.
    pub fn has_another_key_than(&self, other: &Self) -> bool {
        let secret = |item: &BackendItem| -> Vec<_> {
            let headers = item.headers.iter().filter(|header| header.secret);
            headers.cloned().collect()
        };
        self.item.credential != other.item.credential || secret(&self.item) != secret(&other.item)
    }

    /// Whether requests carry a credential that is not the client's: a key, or a configured header that is one.
    pub fn has_own_credential(&self) -> bool {
        matches!(self.credential, Credential::Key(..) | Credential::Aws(_))
            || !self.secrets.is_empty()
    }

    /// Whether requests carry the client's own credential.
    pub fn passes_credentials(&self) -> bool {
        matches!(self.credential, Credential::Passthrough)
    }

    /// Whether requests carry such a credential, and none of the client's.
    pub fn sends_own_key_only(&self) -> bool {
        self.has_own_credential() && !matches!(self.credential, Credential::Passthrough)
    }

    /// Whether a path that no API of ours knows may go to it. `path` stands after the base URL and begins with a slash.
    ///
    /// What changes which models an Ollama has goes nowhere unless it is listed, key or no key: it is the owner's of the server.
    pub fn relays(&self, method: &Method, path: &str) -> bool {
        let manages = path.strip_prefix("/api/").is_some_and(dialect::manages);
        (!manages && !self.has_own_credential()) || self.lists(method, path)
    }

    /// Whether its `relay` lists a method and path, the same as for [`Backend::relays`].
    pub fn lists(&self, method: &Method, path: &str) -> bool {
        self.relay.iter().any(|allowed| {
            let methods = allowed.methods.as_ref();
            methods.is_none_or(|all| all.iter().any(|each| each == method.as_str()))
                && covers(allowed, path)
        })
    }
}

/// A Mapper that is run.
///
/// # Errors
/// [`Unrunnable::Mapper`] when it does not compile.
pub fn mapper(item: Option<&MapperItem>) -> Result<Option<Arc<Mapper>>, Unrunnable> {
    let Some(item) = item else { return Ok(None) };
    let compiled = Mapper::new(item).map_err(|faults| {
        let told = faults.iter().map(ToString::to_string);
        Unrunnable::Mapper(item.name.clone(), told.collect::<Vec<_>>().join("; "))
    })?;
    Ok(Some(Arc::new(compiled)))
}

fn template(item: &BackendItem) -> Result<Template, Unrunnable> {
    match &item.prompt_template {
        None => Ok(Template::from(BuiltIn::default())),
        Some(TemplateItem::Name(name)) => {
            let found = BuiltIn::named(name).map(Template::from);
            found.ok_or_else(|| Unrunnable::Template(format!("{name:?} is not known")))
        }
        Some(TemplateItem::Custom {
            source,
            bos_token,
            eos_token,
            stops,
        }) => {
            let custom = Custom {
                source: source.clone(),
                bos_token: bos_token.clone(),
                eos_token: eos_token.clone(),
                stops: stops.clone(),
            };
            Template::custom(custom).map_err(|fault| Unrunnable::Template(fault.to_string()))
        }
    }
}

fn masks(
    credential: &Credential,
    headers: &[(HeaderName, HeaderValue)],
    secrets: &[HeaderName],
    aws: Option<&AwsKeysItem>,
) -> Secrets {
    let key = match credential {
        Credential::Key(name, value) => Some((name, value.as_bytes())),
        Credential::None | Credential::Passthrough | Credential::Aws(_) => None,
    };
    let headers = headers.iter().filter(|(name, _)| secrets.contains(name));
    let headers = headers.map(|(name, value)| (name, value.as_bytes()));
    let aws = aws.into_iter().flat_map(|keys| {
        let all = [Some(&keys.secret), keys.session_token.as_ref()];
        all.into_iter()
            .flatten()
            .map(|key| (&SECURITY_TOKEN, key.expose().as_bytes()))
    });
    Secrets::of(key.into_iter().chain(headers).chain(aws))
}

fn covers(allowed: &RelayItem, path: &str) -> bool {
    let listed = allowed.path.trim_matches('/');
    match path.trim_matches('/').strip_prefix(listed) {
        Some("") => true,
        Some(rest) => allowed.below && (listed.is_empty() || rest.starts_with('/')),
        None => false,
    }
}

fn endpoint(url: &UpstreamUrl) -> Result<Endpoint, Unrunnable> {
    Ok(Endpoint::parse(&url.to_string())?)
}

fn settings(
    endpoint: Endpoint,
    item: &BackendItem,
    proxy: &ProxyItem,
    lasting: &Lasting,
) -> Settings {
    let bound = item
        .max_concurrency
        .and_then(|bound| usize::try_from(bound).ok());
    let mut settings = Settings::new(endpoint);
    settings.timeouts = timeouts(item.timeouts);
    settings.tls = TlsSettings {
        ca_pem: item
            .tls
            .ca_pem
            .as_ref()
            .map(|pem| Bytes::copy_from_slice(pem.as_bytes())),
        server_name: item.tls.server_name.clone(),
    };
    settings.denied = Denied {
        ranges: proxy.denied_cidrs.clone(),
        loopback: proxy.deny_loopback,
    };
    settings.max_concurrency =
        bound.map(|bound| Concurrency::new(Arc::clone(&lasting.in_flight), bound));
    settings
}

fn timeouts(item: TimeoutsItem) -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(item.connect_ms),
        first_byte: Duration::from_millis(item.first_byte_ms),
        idle: Duration::from_millis(item.idle_ms),
        request: Duration::from_millis(item.request_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_covers_its_path_and_what_is_below_only_where_it_says_so() {
        let relay = |path: &str, below| RelayItem {
            methods: None,
            path: path.into(),
            below,
        };
        assert!(covers(&relay("/files", false), "/files"));
        assert!(!covers(&relay("/files", false), "/files/1"));
        assert!(covers(&relay("/files", true), "/files/1/content"));
        assert!(!covers(&relay("/files", true), "/filesystem"));
        assert!(covers(&relay("/", true), "/anything"));
        assert!(!covers(&relay("", false), "/anything"));
    }
}
