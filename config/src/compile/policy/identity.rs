//! Ways to say who is calling.

use dragoman_crds::{Authentication, Jwt, ServiceAccounts};

use super::{Findings, jwks, tokens};
use crate::compile::url;
use crate::world::{KeysLookup, Lookup};
use crate::{AuthenticationItem, JwtItem, JwtKeysItem, ServiceAccountsItem, reason, wire};

/// What the audiences of the API server itself begin with.
const API_SERVER: [&str; 2] = ["https://kubernetes.default", "kubernetes.default"];

pub(super) fn identity(
    spec: &Authentication,
    namespace: &str,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> AuthenticationItem {
    let bearer = spec.bearer_tokens.as_ref();
    let found = bearer.map(|spec| tokens::tokens(spec, namespace, world, findings));
    let found = found.unwrap_or_default();
    let accounts = spec.service_accounts.as_ref();
    let jwt = spec.jwt.iter().flatten();
    AuthenticationItem {
        tokens: found.tokens,
        unknown_tokens: found.unknown,
        service_accounts: accounts.and_then(|spec| service_accounts(spec, world, findings)),
        jwt: jwt.filter_map(|spec| issuer(spec, findings)).collect(),
        anonymous: spec.anonymous,
    }
}

fn service_accounts(
    spec: &ServiceAccounts,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<ServiceAccountsItem> {
    let field = "spec.authentication.serviceAccounts";
    if world.settings().standalone {
        let cure = "outside a cluster nobody tells the cluster's keys; name its issuer and its keys under jwt, or use bearerTokens";
        findings.invalid(field, cure);
        return None;
    }
    let audience = spec.audience.as_str();
    let cluster = match world.cluster_keys() {
        KeysLookup::Known(keys) => Some(keys.clone()),
        KeysLookup::Pending => {
            let fault = format!("{field}: the cluster's keys have not been read yet");
            findings.unresolved(reason::PENDING, fault);
            None
        }
        KeysLookup::Unreadable => {
            let fault = format!(
                "{field}: the cluster's keys for ServiceAccount tokens could not be read from the API server; the operator goes on trying, and its log says why"
            );
            findings.unresolved(reason::CLUSTER_KEYS_UNREADABLE, fault);
            None
        }
    };
    let issuer = cluster.as_ref().map(|keys| keys.issuer.as_str());
    let is_api_server =
        issuer == Some(audience) || API_SERVER.iter().any(|begins| audience.starts_with(begins));
    if is_api_server || audience == wire::AUDIENCE {
        let whose = if is_api_server {
            "the API server's"
        } else {
            "the operator's"
        };
        findings.invalid(
            &format!("{field}.audience"),
            format_args!("{audience:?} is {whose}, whose tokens must not be shown here; choose one for this purpose alone, such as llm.example.com"),
        );
    }
    Some(ServiceAccountsItem {
        audience: audience.to_owned(),
        cluster,
    })
}

fn issuer(spec: &Jwt, findings: &mut Findings) -> Option<JwtItem> {
    let field = format!("spec.authentication.jwt[{}]", spec.issuer);
    let keys = match (&spec.jwks, &spec.jwks_uri) {
        (Some(text), None) => {
            if let Some(fault) = jwks::fault(text) {
                findings.invalid(&format!("{field}.jwks"), fault);
                return None;
            }
            JwtKeysItem::Inline(text.clone())
        }
        (None, Some(uri)) => match url::parse_whole(uri) {
            Ok(url) => JwtKeysItem::Uri(url),
            Err(fault) => {
                findings.invalid(&format!("{field}.jwksUri"), fault);
                return None;
            }
        },
        _ => {
            findings.invalid(&field, "set exactly one of jwksUri and jwks");
            return None;
        }
    };
    Some(JwtItem {
        issuer: spec.issuer.clone(),
        audiences: spec.audiences.clone(),
        keys,
    })
}
