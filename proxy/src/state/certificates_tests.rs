use dragoman_config::Secret;
use rcgen::{CertificateParams, KeyPair};

use super::*;

fn certificate(secret: &str, names: &[&str]) -> CertificateItem {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let signed = CertificateParams::new(names).unwrap().self_signed(&key);
    CertificateItem {
        name: secret.into(),
        chain: signed.unwrap().pem(),
        key: Secret::new(key.serialize_pem()),
    }
}

fn shown(all: &[(&str, &[&str])]) -> Certificates {
    let shown = all
        .iter()
        .map(|(secret, names)| Shown::new(&certificate(secret, names)).unwrap());
    Certificates(shown.collect())
}

fn chosen(of: &Certificates, host: Option<&str>, usable: impl Fn(&Shown) -> bool) -> usize {
    let chosen = of.choose(host, usable).unwrap();
    of.0.iter()
        .position(|one| std::ptr::eq(one, chosen))
        .unwrap()
}

#[test]
fn a_name_is_shown_its_own_certificate_before_a_wildcards_and_any_other_the_first() {
    let all = shown(&[
        ("first", &["first.example"]),
        ("wild", &["*.Example.com"]),
        ("own", &["other.example", "chat.example.com"]),
    ]);
    for (host, at) in [
        (Some("chat.example.com"), 2),
        (Some("CHAT.example.COM"), 2),
        (Some("else.example.com"), 1),
        (Some("example.com"), 0),
        (Some("a.b.example.com"), 0),
        (Some("com"), 0),
        (Some("unknown.test"), 0),
        (None, 0),
    ] {
        assert_eq!(chosen(&all, host, |_| true), at, "{host:?}");
    }
}

#[test]
fn of_two_for_one_name_that_is_shown_which_the_client_can_verify() {
    let all = shown(&[
        ("default", &["first.example"]),
        ("one", &["chat.example"]),
        ("two", &["chat.example"]),
    ]);
    let not_the_first_of_two = |shown: &Shown| !std::ptr::eq(shown, &all.0[1]);
    assert_eq!(chosen(&all, Some("chat.example"), not_the_first_of_two), 2);
    assert_eq!(
        chosen(&all, Some("chat.example"), |_| false),
        0,
        "TLS says why"
    );
}

#[test]
fn what_cannot_be_served_with_is_refused_by_its_secrets_name_and_no_key_is_quoted() {
    let good = certificate("good", &["a.example"]);
    let other = certificate("other", &["a.example"]);
    let with = |chain: &str, key: &str| CertificateItem {
        name: "edge-tls".into(),
        chain: chain.into(),
        key: Secret::new(key),
    };
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    for (item, says) in [
        (with("", good.key.expose()), "tls.crt"),
        (with("no pem", good.key.expose()), "tls.crt"),
        (with(garbage, good.key.expose()), "tls.crt"),
        (with(good.key.expose(), good.key.expose()), "tls.crt"),
        (with(&good.chain, ""), "tls.key"),
        (with(&good.chain, "c2VjcmV0"), "tls.key"),
        (with(&good.chain, no_key), "tls.key"),
        (with(&good.chain, &good.chain), "tls.key"),
        (with(&good.chain, other.key.expose()), "is not the key of"),
    ] {
        let fault = server(&[good.clone(), item]).unwrap_err().to_string();
        assert!(
            fault.contains("edge-tls") && fault.contains(says),
            "{fault}"
        );
        assert!(!fault.contains("c2VjcmV0"), "{fault}");
    }
    assert!(server(&[good, other]).is_ok());
}

#[test]
fn a_session_offers_http_2_and_takes_no_data_before_its_handshake_is_done() {
    let config = server(&[certificate("a", &["a.example"])]).unwrap();
    assert_eq!(
        config.alpn_protocols,
        [b"h2".to_vec(), b"http/1.1".to_vec()]
    );
    assert_eq!(config.max_early_data_size, 0, "it could be replayed");
}
