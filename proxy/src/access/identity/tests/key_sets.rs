//! The keys of issuers, as they are fetched.

use super::*;

/// Serves `jwks` at the first free port of loopback, to everybody who connects.
async fn serve(jwks: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", jwks.len());
            let _ = stream.write_all(format!("{head}{jwks}").as_bytes()).await;
        }
    });
    address
}

fn url(address: SocketAddr) -> JwtKeysItem {
    JwtKeysItem::Uri(UpstreamUrl {
        tls: false,
        host: address.ip().to_string(),
        port: address.port(),
        path: "/jwks".into(),
    })
}

#[tokio::test]
async fn keys_are_fetched_for_the_first_who_needs_them() {
    let signer = Signer::new("k", "ES256");
    let address = serve(jwks(&[&signer])).await;
    let sets = KeySets::default();
    sets.deny(Denied::default());
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    assert_eq!(
        judged(&authentication, &signer.token(&claims())).await,
        "carol"
    );
    // It may have one more since then: what cannot be told is never wrong.
    let unknown = Signer::new("other", "ES256").token(&claims());
    assert_eq!(judged(&authentication, &unknown).await, "unchecked");
}

#[tokio::test]
async fn keys_are_fetched_from_no_denied_address_and_what_they_sign_is_unchecked() {
    let signer = Signer::new("k", "ES256");
    let address = serve(jwks(&[&signer])).await;
    let sets = KeySets::default();
    sets.deny(Denied {
        loopback: true,
        ..Denied::default()
    });
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    let token = signer.token(&claims());
    match check(&authentication, &[("x-api-key", &token)]).await {
        Identity::Unchecked { why, .. } => {
            assert!(why.contains("loopback addresses are denied"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(judged(&authentication, "a-token").await, "ann");
    assert_eq!(judged(&authentication, "x").await, "wrong");
}

#[tokio::test]
async fn a_set_without_keys_is_as_good_as_none() {
    let address = serve(jwks(&[])).await;
    let sets = KeySets::default();
    sets.deny(Denied::default());
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    let token = Signer::new("k", "ES256").token(&claims());
    match check(&authentication, &[("x-api-key", &token)]).await {
        Identity::Unchecked { why, .. } => assert!(why.contains("no key"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn while_an_issuer_is_down_its_tokens_are_unchecked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let sets = KeySets::default();
    sets.deny(Denied::default());
    let authentication = Authentication::new(&policy(), &with_issuer(url(address)), &sets).unwrap();
    let token = Signer::new("k", "ES256").token(&claims());
    assert_eq!(judged(&authentication, &token).await, "unchecked");
}

#[tokio::test]
async fn a_token_of_a_key_that_is_gone_is_refused_although_it_was_found_to_hold() {
    let (first, second) = (Signer::new("1", "EdDSA"), Signer::new("2", "EdDSA"));
    let sets = KeySets::default();
    // Nobody has said what is denied: nothing is fetched but what is said here.
    let item = with_issuer(url(([127, 0, 0, 1], 1).into()));
    let authentication = Authentication::new(&policy(), &item, &sets).unwrap();
    let JwtKeysItem::Uri(url) = &item.jwt[0].keys else {
        unreachable!()
    };
    let set = sets.get(url);
    let publish_at = |signers: &[&Signer], now: Instant| {
        let keys = jwk::Keys::read(jwks(signers).as_bytes()).unwrap();
        let lasts = Duration::from_mins(5);
        set.begins(now);
        set.ends(Ok(fetch::Fetched { keys, lasts }), now);
    };
    let publish = |signers: &[&Signer]| publish_at(signers, Instant::now());
    let (old, new) = (first.token(&claims()), second.token(&claims()));
    publish(&[&first]);
    assert_eq!(judged(&authentication, &old).await, "carol");
    assert_eq!(judged(&authentication, &new).await, "unchecked");
    publish(&[&first, &second]);
    assert_eq!(judged(&authentication, &old).await, "carol");
    assert_eq!(judged(&authentication, &new).await, "carol");
    publish(&[&second]);
    assert_eq!(judged(&authentication, &old).await, "unchecked");
    assert_eq!(judged(&authentication, &new).await, "carol");
    // Once the issuer was asked since the request came, it is wrong.
    publish_at(
        &[&second],
        Instant::now().checked_sub(Duration::from_secs(20)).unwrap(),
    );
    let (judged, ()) = tokio::join!(judged(&authentication, &old), async {
        publish(&[&second]);
    });
    assert_eq!(judged, "wrong");
}

#[test]
fn inline_keys_that_are_none_are_refused() {
    for text in [
        "",
        "{}",
        "{\"keys\": []}",
        "{\"keys\": [{\"kty\": \"oct\", \"k\": \"c2VjcmV0\"}]}",
    ] {
        let item = with_issuer(JwtKeysItem::Inline(text.into()));
        let fault = Authentication::new(&policy(), &item, &KeySets::default()).unwrap_err();
        assert!(
            fault.starts_with("jwks of https://issuer.example"),
            "{fault}"
        );
    }
}
