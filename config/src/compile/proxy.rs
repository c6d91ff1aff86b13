//! LLMProxy → item.

use dragoman_crds::{ByteSize, LLMProxy};
use ipnet::IpNet;

use super::{Findings, Outcome};
use crate::world::Lookup;
use crate::{Item, ProxyItem};

const BODY_BYTES: u64 = 32 << 20;
const HEADER_BYTES: u64 = 64 << 10;
/// hyper reads no header block into less.
const SMALLEST_HEADER_BYTES: u64 = 8 << 10;
/// The largest header block and body that a proxy can be asked to hold in memory.
const LARGEST_HEADER_BYTES: u64 = 1 << 20;
const LARGEST_BODY_BYTES: u64 = 1 << 30;

pub(crate) fn proxy(resource: &LLMProxy, world: &Lookup<'_>) -> Outcome {
    let mut findings = Findings::new();
    let spec = &resource.spec;
    let mut denied_cidrs = Vec::new();
    for (at, text) in spec.backends.denied_cidrs.iter().enumerate() {
        match text.parse::<IpNet>() {
            Ok(cidr) => denied_cidrs.push(cidr.trunc()),
            Err(_) => findings.invalid(
                &format!("spec.backends.deniedCIDRs[{at}]"),
                format_args!("{text:?} is no network; write it like 10.0.0.0/8 or fd00::/8"),
            ),
        }
    }
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
        policies: None,
        trusted_proxies: None,
        certificates: None,
        redis: None,
        cluster_domain: world.settings().cluster_domain.clone(),
        denied_cidrs,
        deny_loopback: !world.settings().standalone,
        body_bytes,
        header_bytes: u32::try_from(header_bytes).unwrap_or(u32::MAX),
        log_level: spec.logging.level,
    };
    let item = if findings.refused() {
        Err(findings.summary())
    } else {
        Ok(Item::Proxy(item))
    };
    findings.finish(resource.metadata.generation.unwrap_or_default(), item)
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
