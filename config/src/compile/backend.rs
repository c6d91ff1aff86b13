//! LLMBackend, or a route's inline one → item.

use std::time::Duration as Std;

use dragoman_crds::{
    Aws, Dialect, Duration, LLMBackend, LLMBackendSpec, Price, ReasoningContent, Responses,
    RetryOn, SecretKeyReference,
};

use super::held::hold;
use super::map::LARGEST_FREE_FORM;
use super::money::millionths;
use super::policies::{Referrer, policies};
use super::{Findings, Outcome, mapper, secret, template, url};
use crate::world::{KeyLookup, Lookup};
use crate::{
    AwsItem, AwsKeysItem, BackendItem, Catalogued, CredentialItem, HeaderItem, HealthItem, Item,
    Key, MapperItem, ObjectKey, PriceItem, RelayItem, RetryItem, Secret, TemplateItem,
    TimeoutsItem, TlsItem,
};

/// The longest wait that a manifest may ask for.
const LONGEST: Std = Std::from_hours(24);

/// Headers that authenticate nobody where a manifest spells their value out. Any other may hold a key, whatever it is called: there are
/// more names for that than a list could know. `LLMBackend.spec.headers` names them to users.
const HARMLESS: [&str; 9] = [
    "accept",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "user-agent",
    "x-request-source",
];

/// Compiles a backend, whose last version that compiled uses the items `held`.
pub(crate) fn backend(resource: &LLMBackend, held: Option<&[Key]>, world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    findings.has_references();
    let metadata = &resource.metadata;
    let own = ObjectKey::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    );
    let item = spec(&resource.spec, &own, "spec", held, world, &mut findings);
    let item = match item.filter(|_| !findings.is_held_back()) {
        Some(item) => Ok(Item::Backend(Box::new(item))),
        None => {
            hold(held.unwrap_or_default(), &own, world, &mut findings);
            Err(findings.summary())
        }
    };
    findings.finish(metadata.generation.unwrap_or_default(), item)
}

/// Compiles `spec`, found at `at` of the object `of`. None when a finding made it unusable.
pub(super) fn spec(
    spec: &LLMBackendSpec,
    of: &ObjectKey,
    at: &str,
    held: Option<&[Key]>,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<BackendItem> {
    let referrer = Referrer {
        own: of,
        at,
        held,
        chosen: true,
    };
    let policies = policies(&spec.access_policy_refs, referrer, world, findings);
    let mut own = Compiling {
        namespace: &of.namespace,
        at,
        world,
        findings,
        failed: false,
    };
    let url = own.url(&spec.url);
    let credential = own.credential(spec);
    let headers = own.headers(spec);
    let tls = own.tls(spec);
    let catalog = own.catalog(spec);
    let prompt_template = own.template(spec);
    let timeouts = TimeoutsItem {
        connect_ms: own.millis("timeouts.connect", spec.timeouts.connect.as_ref(), 5_000),
        first_byte_ms: own.millis(
            "timeouts.firstByte",
            spec.timeouts.first_byte.as_ref(),
            300_000,
        ),
        idle_ms: own.millis("timeouts.idle", spec.timeouts.idle.as_ref(), 120_000),
        request_ms: own.millis("timeouts.request", spec.timeouts.request.as_ref(), 600_000),
    };
    let health = spec.health.as_ref().map(|health| HealthItem {
        path: health.path.clone(),
        interval_ms: own
            .millis("health.interval", health.interval.as_ref(), 10_000)
            .max(1_000),
        unhealthy_after: unsigned(health.unhealthy_after, 3),
    });
    let mapper = own.mapper(spec);
    if own.failed {
        return None;
    }
    Some(BackendItem {
        policies,
        url: url?,
        dialect: spec.dialect,
        credential: credential?,
        catalog,
        relay: spec.relay.iter().map(relay).collect(),
        headers,
        timeouts,
        retries: RetryItem {
            attempts: unsigned(spec.retries.attempts, 1),
            on: spec
                .retries
                .on
                .clone()
                .unwrap_or_else(|| vec![RetryOn::ConnectFailure]),
        },
        health,
        tls,
        max_concurrency: spec
            .max_concurrency
            .and_then(|most| u32::try_from(most).ok()),
        responses: spec
            .openai
            .as_ref()
            .map(|openai| openai.responses)
            .filter(|responses| *responses != Responses::default()),
        reasoning_content: spec
            .openai
            .as_ref()
            .map(|openai| openai.reasoning_content)
            .filter(|content| *content != ReasoningContent::default()),
        azure_api_version: spec.azure.as_ref().map(|azure| azure.api_version.clone()),
        mapper,
        prompt_template,
    })
}

/// Whether requests to a backend are signed with the identity of the proxy itself, which is lent to no other namespace.
pub(crate) fn lends_identity(spec: &LLMBackendSpec) -> bool {
    let aws = spec
        .credential
        .as_ref()
        .and_then(|credential| credential.aws.as_ref());
    aws.is_some_and(|aws| aws.secret_ref.is_none())
}

fn unsigned(value: Option<i32>, default: u32) -> u32 {
    value
        .and_then(|value| u32::try_from(value).ok())
        .unwrap_or(default)
}

/// Whether TLS can ask for this name: a DNS name of letters, digits, hyphens and underscores, or an address.
fn is_server_name(name: &str) -> bool {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let labels = name.strip_suffix('.').unwrap_or(name);
    // What ends in a number is read as an address, and this is none.
    let numeric = labels
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    labels.len() <= 253 && !numeric && labels.split('.').all(label)
}

fn relay(relay: &dragoman_crds::Relay) -> RelayItem {
    let (path, below) = match relay.path.strip_suffix("/*") {
        Some(path) => (path, true),
        None => (relay.path.as_str(), false),
    };
    RelayItem {
        methods: relay.methods.clone(),
        path: path.to_owned(),
        below,
    }
}

struct Compiling<'a, 'w> {
    namespace: &'a str,
    at: &'a str,
    world: &'a Lookup<'w>,
    findings: &'a mut Findings,
    failed: bool,
}

impl Compiling<'_, '_> {
    fn invalid(&mut self, field: &str, fault: impl std::fmt::Display) {
        self.findings
            .invalid(&format!("{}.{field}", self.at), fault);
        self.failed = true;
    }

    fn url(&mut self, text: &str) -> Option<crate::UpstreamUrl> {
        url::parse(text)
            .map_err(|fault| self.invalid("url", fault))
            .ok()
    }

    fn credential(&mut self, spec: &LLMBackendSpec) -> Option<CredentialItem> {
        match &spec.credential {
            None => Some(CredentialItem::None),
            Some(credential) => match (
                &credential.secret_ref,
                &credential.passthrough,
                &credential.aws,
            ) {
                (Some(reference), None, None) => {
                    let key = self.key("credential.secretRef", reference)?;
                    Some(CredentialItem::Key(key))
                }
                (None, Some(_), None) => Some(CredentialItem::Passthrough),
                (None, None, Some(aws)) => self.aws(aws).map(CredentialItem::Aws),
                (None, None, None) => Some(CredentialItem::None),
                _ => {
                    let rule = "set at most one of secretRef, passthrough and aws";
                    self.invalid("credential", rule);
                    None
                }
            },
        }
    }

    fn template(&mut self, spec: &LLMBackendSpec) -> Option<TemplateItem> {
        let wanted = spec.prompt_template.as_ref()?;
        let reference = match (&wanted.name, &wanted.config_map_ref) {
            (Some(name), None) => return Some(TemplateItem::Name(name.clone())),
            (None, Some(reference)) => reference,
            _ => {
                let rule = "set exactly one of name and configMapRef";
                self.invalid("promptTemplate", rule);
                return None;
            }
        };
        template::custom(reference, self.namespace, self.world)
            .map_err(|(reason, fault)| {
                let field = "promptTemplate.configMapRef";
                self.missing(field, reason, format_args!("{fault}"));
            })
            .ok()
    }

    /// A key that can stand in a header.
    fn key(&mut self, field: &str, reference: &SecretKeyReference) -> Option<Secret> {
        let key = self.secret(field, reference)?;
        if key.is_empty() {
            self.unresolved(field, reference, "is empty");
            return None;
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let fault = "holds more than visible ASCII characters, which no header can carry";
            self.unresolved(field, reference, fault);
            return None;
        }
        Some(Secret::new(key))
    }

    fn aws(&mut self, aws: &Aws) -> Option<AwsItem> {
        let region = aws.region.clone();
        let Some(secret) = &aws.secret_ref else {
            return Some(AwsItem { region, keys: None });
        };
        let field = "credential.aws.secretRef";
        let of = |key: &str| SecretKeyReference {
            name: secret.name.clone(),
            key: key.into(),
        };
        // Both are looked at, so that both are told.
        let id = self.key(field, &of("AWS_ACCESS_KEY_ID"));
        let key = self.key(field, &of("AWS_SECRET_ACCESS_KEY"));
        let token = of("AWS_SESSION_TOKEN");
        let session_token = match self.world.secret(self.namespace, &token) {
            KeyLookup::Found(_) => Some(self.key(field, &token)?),
            _ => None,
        };
        let keys = AwsKeysItem {
            id: id?,
            secret: key?,
            session_token,
        };
        Some(AwsItem {
            region,
            keys: Some(keys),
        })
    }

    fn headers(&mut self, spec: &LLMBackendSpec) -> Vec<HeaderItem> {
        let mut headers: Vec<HeaderItem> = Vec::with_capacity(spec.headers.len());
        for header in &spec.headers {
            let field = format!("headers[{}]", header.name);
            let value = match (&header.value, &header.value_from) {
                (Some(value), None) => Some(value.clone()),
                (None, Some(from)) => {
                    self.secret(&format!("{field}.valueFrom.secretRef"), &from.secret_ref)
                }
                _ => {
                    self.invalid(&field, "set exactly one of value and valueFrom");
                    None
                }
            };
            let Some(value) = value else { continue };
            if value
                .bytes()
                .any(|byte| !(byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t')))
            {
                let rule = "visible ASCII characters, spaces and tabs";
                match &header.value_from {
                    Some(from) => self.unresolved(
                        &format!("{field}.valueFrom.secretRef"),
                        &from.secret_ref,
                        &format!("holds more than {rule}, which no header can carry"),
                    ),
                    None => {
                        self.invalid(&field, format_args!("a header's value holds {rule} alone"));
                    }
                }
            }
            let name = header.name.to_ascii_lowercase();
            if headers.iter().any(|known| known.name == name) {
                self.invalid(
                    &field,
                    "is set twice; upper and lower case are the same here",
                );
            }
            headers.push(HeaderItem {
                secret: header.value_from.is_some() || !HARMLESS.contains(&name.as_str()),
                name,
                value: Secret::new(value),
            });
        }
        headers
    }

    fn tls(&mut self, spec: &LLMBackendSpec) -> TlsItem {
        let Some(tls) = &spec.tls else {
            return TlsItem::default();
        };
        let ca_pem = tls.ca_secret_ref.as_ref().and_then(|reference| {
            let pem = self.secret("tls.caSecretRef", reference)?;
            if pem.contains("-----BEGIN CERTIFICATE-----") {
                return Some(pem);
            }
            self.unresolved("tls.caSecretRef", reference, "holds no PEM certificate");
            None
        });
        if let Some(name) = &tls.server_name
            && !is_server_name(name)
        {
            self.invalid("tls.serverName", "must be a DNS name or an IP address");
        }
        TlsItem {
            ca_pem,
            server_name: tls.server_name.clone(),
        }
    }

    /// What the Mapper became; its own conditions hold the detail of a fault.
    fn mapper(&mut self, spec: &LLMBackendSpec) -> Option<Box<MapperItem>> {
        let reference = spec.mapper_ref.as_ref()?;
        let key = ObjectKey::new(self.namespace, &reference.name);
        match mapper::used(&key, self.world) {
            Ok(item) => {
                if spec.dialect == Dialect::Bedrock && item.stream_event.is_some() {
                    self.invalid(
                        "mapperRef",
                        format_args!("Mapper {key} has a streamEvent, and Bedrock's streams are binary; use a Mapper without"),
                    );
                }
                Some(Box::new(item))
            }
            Err((reason, message)) => {
                self.missing("mapperRef", reason, format_args!("{message}"));
                None
            }
        }
    }

    fn catalog(&mut self, spec: &LLMBackendSpec) -> Vec<Catalogued> {
        let mut catalog = Vec::with_capacity(spec.catalog.len());
        for entry in &spec.catalog {
            let metadata = entry.metadata.clone().unwrap_or_default();
            let bytes = serde_json::to_string(&metadata).map_or(0, |json| json.len());
            if bytes > LARGEST_FREE_FORM {
                self.invalid(
                    &format!("catalog[{}].metadata", entry.name),
                    format_args!("{bytes} bytes are more than {LARGEST_FREE_FORM}"),
                );
            }
            let price = entry.price.as_ref();
            catalog.push(Catalogued {
                price: price.map(|price| self.price(price, &entry.name)),
                name: entry.name.clone(),
                upstream_name: entry
                    .upstream_name
                    .clone()
                    .unwrap_or_else(|| entry.name.clone()),
                context_length: entry.context_length,
                metadata,
            });
        }
        catalog
    }

    fn price(&mut self, price: &Price, model: &str) -> PriceItem {
        let mut amount = |field: &str, text: Option<&String>| {
            let text = text?;
            match millionths(text) {
                Ok(amount) => Some(amount),
                Err(fault) => {
                    self.invalid(&format!("catalog[{model}].price.{field}"), fault);
                    None
                }
            }
        };
        let input = amount("inputPerMillion", price.input_per_million.as_ref()).unwrap_or_default();
        let cached = price.cached_input_per_million.as_ref();
        let output = price.output_per_million.as_ref();
        PriceItem {
            input,
            cached_input: amount("cachedInputPerMillion", cached).unwrap_or(input),
            output: amount("outputPerMillion", output).unwrap_or_default(),
        }
    }

    fn millis(&mut self, field: &str, value: Option<&Duration>, default: u64) -> u64 {
        match value.map(Duration::parse) {
            None => default,
            Some(Ok(length)) if length > Std::ZERO && length <= LONGEST => {
                u64::try_from(length.as_millis()).unwrap_or(default)
            }
            Some(Ok(_)) => {
                self.invalid(field, "must be longer than nothing and at most 24h");
                default
            }
            Some(Err(fault)) => {
                self.invalid(field, fault);
                default
            }
        }
    }

    /// The value of a Secret's key.
    fn secret(&mut self, field: &str, reference: &SecretKeyReference) -> Option<String> {
        match secret::value(reference, self.namespace, self.world) {
            Ok(value) => Some(value.to_owned()),
            Err((reason, fault)) => {
                self.missing(field, reason, format_args!("{fault}"));
                None
            }
        }
    }

    fn unresolved(&mut self, field: &str, reference: &SecretKeyReference, fault: &str) {
        let (reason, fault) = secret::unfit(reference, self.namespace, fault);
        self.missing(field, reason, format_args!("{fault}"));
    }

    fn missing(&mut self, field: &str, reason: &'static str, fault: std::fmt::Arguments<'_>) {
        self.findings
            .unresolved(reason, format!("{}.{field}: {fault}", self.at));
        self.failed = true;
    }
}
