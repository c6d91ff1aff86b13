use super::*;

const NOON: i64 = 1_800_000_000;

fn claims() -> Claims {
    Claims {
        aud: AUDIENCE.into(),
        sub: "gateways/edge".into(),
        pod: "edge-1".into(),
        namespaces: ["team-a".to_owned(), "team-b".to_owned()].into(),
        nbf: NOON,
        exp: NOON + 3600,
    }
}

fn keys(signers: &[&Signer]) -> Keys {
    Keys::read(Keys::write(signers.iter().map(|signer| signer.public())).as_bytes()).unwrap()
}

#[test]
fn what_is_signed_is_what_is_read() {
    let signer = Signer::generate().unwrap();
    assert_eq!(
        keys(&[&signer]).verify(&signer.sign(&claims()), NOON),
        Ok(claims())
    );
}

#[test]
fn the_same_secret_gives_the_same_key_and_another_gives_another() {
    let key = |secret: &[u8]| Signer::derive(secret).unwrap().public();
    assert_eq!(key(b"a"), key(b"a"));
    assert_ne!(key(b"a"), key(b"b"));
}

#[test]
fn keys_of_authorities_that_overlap_are_both_good() {
    let (old, new) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let both = keys(&[&new, &old]);
    assert!(both.verify(&old.sign(&claims()), NOON).is_ok());
    assert!(both.verify(&new.sign(&claims()), NOON).is_ok());
    let unknown = keys(&[&new]).verify(&old.sign(&claims()), NOON);
    assert_eq!(unknown, Err(Rejection::UnknownKey));
}

#[test]
fn clocks_may_be_five_minutes_apart_and_no_more() {
    let signer = Signer::generate().unwrap();
    let (keys, ticket) = (keys(&[&signer]), signer.sign(&claims()));
    assert!(keys.verify(&ticket, NOON - SKEW).is_ok());
    assert_eq!(
        keys.verify(&ticket, NOON - SKEW - 1),
        Err(Rejection::NotYet)
    );
    assert!(keys.verify(&ticket, NOON + 3600 + SKEW - 1).is_ok());
    assert_eq!(
        keys.verify(&ticket, NOON + 3600 + SKEW),
        Err(Rejection::Expired)
    );
}

#[test]
fn a_ticket_for_another_audience_is_refused() {
    let signer = Signer::generate().unwrap();
    let other = Claims {
        aud: "operator.dragoman.dev".into(),
        ..claims()
    };
    let verdict = keys(&[&signer]).verify(&signer.sign(&other), NOON);
    assert_eq!(verdict, Err(Rejection::Audience));
}

#[test]
fn claims_that_were_edited_fail_the_signature() {
    let signer = Signer::generate().unwrap();
    let ticket = signer.sign(&claims());
    let mine = Claims {
        sub: "evil/proxy".into(),
        ..claims()
    };
    let forged = encode(serde_json::to_vec(&mine).unwrap());
    let parts: Vec<&str> = ticket.split('.').collect();
    let forged = [parts[0], &forged, parts[2]].join(".");
    assert_eq!(
        keys(&[&signer]).verify(&forged, NOON),
        Err(Rejection::Signature)
    );
}

#[test]
fn nobody_chooses_another_algorithm() {
    let signer = Signer::generate().unwrap();
    let keys = keys(&[&signer]);
    let ticket = signer.sign(&claims());
    let rest = ticket.split_once('.').unwrap().1;
    for alg in ["none", "HS256", "RS256"] {
        let header = serde_json::json!({"alg": alg, "typ": "JWT", "kid": signer.id()});
        let ticket = format!("{}.{rest}", encode(header.to_string()));
        assert_eq!(
            keys.verify(&ticket, NOON),
            Err(Rejection::Malformed),
            "{alg}"
        );
    }
}

#[test]
fn nonsense_is_refused_whatever_it_is() {
    let keys = keys(&[&Signer::generate().unwrap()]);
    let long = "a".repeat(LONGEST + 1);
    for ticket in [
        "",
        "a",
        "a.b",
        "a.b.c",
        "....",
        "e30.e30.e30",
        "é.é.é",
        &long,
    ] {
        assert_eq!(keys.verify(ticket, NOON), Err(Rejection::Malformed));
    }
    assert!(matches!(Keys::read(b"{\"keys\":[]}"), Err(BadKeys::None)));
    assert!(matches!(Keys::read(b"[]"), Err(BadKeys::Json(_))));
    let others = br#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#;
    assert!(matches!(Keys::read(others), Err(BadKeys::None)));
}

#[test]
fn a_key_is_never_shown() {
    let shown = format!("{:?}", Signer::derive(b"secret").unwrap());
    assert!(shown.len() < 30 && shown.starts_with("Signer("), "{shown}");
}
