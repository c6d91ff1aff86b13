//! LLMProxy → item.

use dragoman_crds::{ByteSize, LLMProxy, LLMProxySpec, LogAttribute, Redaction};

use super::held::hold;
use super::network::networks;
use super::policies::{Referrer, policies};
use super::{Findings, Outcome, certificate, secret};
use crate::cel::{Expression, Variables};
use crate::pattern::{text_pattern, unknown_groups};
use crate::world::Lookup;
use crate::{CertificateItem, Item, Key, LoggingItem, ObjectKey, ProxyItem, Secret, reason};

const BODY_BYTES: u64 = 32 << 20;
const HEADER_BYTES: u64 = 64 << 10;
/// hyper reads no header block into less.
const SMALLEST_HEADER_BYTES: u64 = 8 << 10;
/// The largest header block and body that a proxy can be asked to hold in memory.
const LARGEST_HEADER_BYTES: u64 = 1 << 20;
const LARGEST_BODY_BYTES: u64 = 1 << 30;
/// The most that is kept of what is truncated; who wants more wants all.
const LARGEST_LOGGED_BYTES: u64 = 1 << 20;

/// Whether an LLMProxy takes no route that names no policy of its own.
pub(crate) fn wants_policy(spec: &LLMProxySpec) -> bool {
    spec.require_access_policy && spec.access_policy_refs.is_empty()
}

/// Compiles an LLMProxy, whose last version that compiled uses the items `held`.
pub(crate) fn proxy(resource: &LLMProxy, held: Option<&[Key]>, world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    findings.has_references();
    let spec = &resource.spec;
    let metadata = &resource.metadata;
    let own = ObjectKey::new(
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    );
    let referrer = Referrer {
        own: &own,
        at: "spec",
        held,
        chosen: false,
    };
    let references = &spec.access_policy_refs;
    let policies = policies(references, referrer, world, &mut findings);
    let denied_cidrs = networks(
        &spec.backends.denied_cidrs,
        "spec.backends.deniedCIDRs",
        &mut findings,
    );
    let trusted = networks(&spec.trusted_proxies, "spec.trustedProxies", &mut findings);
    let certificates = certificates(spec, &own.namespace, world, &mut findings);
    let redis = redis(spec, &own.namespace, world, &mut findings);
    let limits = &spec.limits;
    let body_bytes = size(
        &mut findings,
        "spec.limits.bodyBytes",
        limits.body_bytes.as_ref(),
        BODY_BYTES,
        (1, LARGEST_BODY_BYTES),
    );
    let header_bytes = size(
        &mut findings,
        "spec.limits.headerBytes",
        limits.header_bytes.as_ref(),
        HEADER_BYTES,
        (SMALLEST_HEADER_BYTES, LARGEST_HEADER_BYTES),
    );
    let item = ProxyItem {
        policies,
        trusted_proxies: (!trusted.is_empty()).then_some(trusted),
        certificates: (!certificates.is_empty()).then_some(certificates),
        redis,
        cluster_domain: world.settings().cluster_domain.clone(),
        denied_cidrs,
        deny_loopback: !world.settings().standalone,
        body_bytes,
        header_bytes: u32::try_from(header_bytes).unwrap_or(u32::MAX),
        log_level: spec.logging.level,
        logging: logging(spec, world.settings().standalone, &mut findings),
    };
    // A Secret that is about to be read would come an instant after a version without it.
    let item = if findings.refused() || findings.is_held_back() {
        hold(held.unwrap_or_default(), &own, world, &mut findings);
        Err(findings.summary())
    } else {
        Ok(Item::Proxy(item))
    };
    findings.finish(metadata.generation.unwrap_or_default(), item)
}

/// What the request log keeps; none where it is what it keeps by default.
fn logging(spec: &LLMProxySpec, standalone: bool, findings: &mut Findings) -> Option<LoggingItem> {
    let usual = LoggingItem::usual(standalone);
    let spec = &spec.logging;
    let mut redact = Vec::new();
    for (at, Redaction { regex, replacement }) in spec.redact.iter().enumerate() {
        let field = |name: &str| format!("spec.logging.redact[{at}].{name}");
        match text_pattern(regex) {
            Err(fault) => findings.invalid(&field("regex"), fault),
            Ok(pattern) => {
                for group in unknown_groups(&pattern, replacement) {
                    let fault = format_args!("the regex has no group {group:?}");
                    findings.invalid(&field("replacement"), fault);
                }
            }
        }
        redact.push((regex.clone(), replacement.clone()));
    }
    let mut attributes = Vec::new();
    for (at, LogAttribute { name, expression }) in spec.attributes.iter().enumerate() {
        if let Err(fault) = Expression::compile(expression, Variables::Reply) {
            let field = format!("spec.logging.attributes[{at}].expression");
            findings.invalid(&field, fault);
        }
        attributes.push((name.clone(), expression.clone()));
    }
    let item = LoggingItem {
        bodies: spec.bodies.unwrap_or(usual.bodies),
        max_body_bytes: size(
            findings,
            "spec.logging.maxBodyBytes",
            spec.max_body_bytes.as_ref(),
            usual.max_body_bytes,
            (1, LARGEST_LOGGED_BYTES),
        ),
        redact,
        attributes: (!attributes.is_empty()).then_some(attributes),
    };
    (item != usual).then_some(item)
}

/// The certificates that can be had: one that cannot leaves the others in place.
fn certificates(
    spec: &LLMProxySpec,
    namespace: &str,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Vec<CertificateItem> {
    let references = spec.tls.iter().flat_map(|tls| &tls.secret_refs);
    let mut certificates = Vec::new();
    for (at, reference) in references.enumerate() {
        let found = secret::whole(&reference.name, namespace, world);
        let made = found.and_then(|content| certificate::certificate(&reference.name, content));
        match made {
            Ok(certificate) => certificates.push(certificate),
            Err((reason, fault)) => {
                let field = format!("spec.tls.secretRefs[{at}]");
                unresolved(reason, &field, &fault, findings);
            }
        }
    }
    certificates
}

/// The URL of the Redis that counts for all.
fn redis(
    spec: &LLMProxySpec,
    namespace: &str,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    let reference = &spec.shared_state.as_ref()?.redis.secret_ref;
    let fit = |url: &&str| {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| scheme.starts_with("redis"))
            && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let url = secret::value(reference, namespace, world).and_then(|url| {
        Some(url).filter(fit).ok_or_else(|| {
            let cure = "is no URL of a Redis; write redis://user:password@host:6379/0, or rediss:// for TLS, with characters that stand for others as %xx";
            secret::unfit(reference, namespace, cure)
        })
    });
    match url {
        Ok(url) => Some(Secret::new(url)),
        Err((reason, fault)) => {
            let field = "spec.sharedState.redis.secretRef";
            unresolved(reason, field, &fault, findings);
            None
        }
    }
}

fn unresolved(reason: &'static str, field: &str, fault: &str, findings: &mut Findings) {
    if reason == reason::PENDING {
        findings.hold_back();
    }
    findings.unresolved(reason, format!("{field}: {fault}"));
}

fn size(
    findings: &mut Findings,
    field: &str,
    value: Option<&ByteSize>,
    default: u64,
    (least, most): (u64, u64),
) -> u64 {
    let Some(value) = value else { return default };
    match value.bytes() {
        Ok(bytes) if (least..=most).contains(&bytes) => return bytes,
        Ok(bytes) => findings.invalid(
            field,
            format_args!("{bytes} bytes is not between {least} and {most}"),
        ),
        Err(fault) => findings.invalid(field, fault),
    }
    default
}
