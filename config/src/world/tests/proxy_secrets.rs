//! What an LLMProxy takes from Secrets: certificates, and the address of its Redis.

use dragoman_crds::condition::RESOLVED_REFS;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use super::objects::*;
use crate::{Object, World};

const PROXY: &str = "LLMProxy/system/default";

fn tls(names: &[&str]) -> Object {
    let references: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    proxy("system/default", json!({"tls": {"secretRefs": references}}))
}

fn key_pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn chain(key: &KeyPair) -> String {
    let params = CertificateParams::new(vec!["llm.example.com".into()]).unwrap();
    params.self_signed(key).unwrap().pem()
}

fn served(world: &World) -> Vec<String> {
    let certificates = proxy_item(world, PROXY).certificates.iter().flatten();
    certificates
        .map(|certificate| certificate.name.clone())
        .collect()
}

#[test]
fn a_certificate_and_its_key_come_from_one_secret() {
    let mut world = cluster();
    world.apply(tls(&["edge"]));
    assert!(outcome(&world, PROXY).pending);
    let key = key_pair();
    let pair = [("tls.crt", chain(&key)), ("tls.key", key.serialize_pem())];
    let pair = pair.each_ref().map(|(name, pem)| (*name, pem.as_str()));
    world.apply(secret_of("system/edge", &pair));
    holds(&world, PROXY);
    assert_eq!(served(&world), ["edge"]);
    assert!(!format!("{:?}", outcome(&world, PROXY)).contains("PRIVATE KEY"));
}

#[test]
fn a_certificate_that_cannot_be_served_is_told_and_the_others_are_served() {
    let mut world = cluster();
    world.apply(tls(&["good", "other"]));
    let key = key_pair();
    let (crt, pem) = (chain(&key), key.serialize_pem());
    world.apply(secret_of(
        "system/good",
        &[("tls.crt", &crt), ("tls.key", &pem)],
    ));
    let another = key_pair().serialize_pem();
    let faults = [
        (
            secret_of("system/other", &[("tls.crt", &crt), ("tls.key", &another)]),
            "SecretInvalid",
            "not the key of",
        ),
        (
            secret_of("system/other", &[("tls.crt", "x"), ("tls.key", &pem)]),
            "SecretInvalid",
            "no PEM certificate",
        ),
        (
            secret_of("system/other", &[("tls.crt", &crt), ("tls.key", "x")]),
            "SecretInvalid",
            "no private key",
        ),
        (
            secret_of("system/other", &[("tls.crt", &crt)]),
            "SecretKeyMissing",
            "tls.key",
        ),
        (no_secret("system/other"), "SecretNotFound", "create it"),
    ];
    for (secret, reason, cure) in faults {
        world.apply(secret);
        refused(
            &world,
            PROXY,
            RESOLVED_REFS,
            reason,
            &["spec.tls.secretRefs[1]", "other", cure],
        );
        assert_eq!(served(&world), ["good"]);
    }
}

#[test]
fn the_redis_that_counts_for_all_is_a_secret_in_every_message() {
    let mut world = cluster();
    let redis = json!({"sharedState": {"redis": {"secretRef": {"name": "redis", "key": "url"}}}});
    world.apply(proxy("system/default", redis));
    assert!(outcome(&world, PROXY).pending);
    world.apply(secret_of(
        "system/redis",
        &[("url", "rediss://user:hidden@redis:6379/0\n")],
    ));
    holds(&world, PROXY);
    let url = proxy_item(&world, PROXY).redis.as_ref().unwrap();
    assert_eq!(url.expose(), "rediss://user:hidden@redis:6379/0");
    world.apply(secret_of(
        "system/redis",
        &[("url", "http://user:hidden@redis")],
    ));
    let said = [
        "spec.sharedState.redis.secretRef",
        "key \"url\" of Secret system/redis",
        "redis://",
    ];
    refused(&world, PROXY, RESOLVED_REFS, "SecretInvalid", &said);
    assert!(!format!("{:?}", outcome(&world, PROXY).verdicts).contains("hidden"));
    assert_eq!(proxy_item(&world, PROXY).redis, None);
}
