//! Tokens whose time is over, or has not come.

use super::*;

async fn check(authentication: &Authentication, token: &str) -> Identity {
    super::check(authentication, &[("x-api-key", token)]).await
}

fn late() -> Value {
    let mut claims = claims();
    claims["exp"] = json!(NOW - 61);
    claims
}

#[tokio::test]
async fn a_token_that_was_signed_is_no_guess_before_and_after_its_time() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let mut early = claims();
    early["nbf"] = json!(NOW + 61);
    for (claims, words) in [
        (late(), "the token has expired"),
        (early, "the token is not valid yet"),
    ] {
        let token = signer.token(&claims);
        // The second time its signature is known.
        for _ in 0..2 {
            let identity = check(&authentication, &token).await;
            assert!(matches!(identity, Identity::Wrong { why, .. } if why == words));
            assert_eq!(guesses(&identity), 0);
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_str(&token).unwrap());
        let came = (Instant::now(), Timestamp::from_second(NOW).unwrap());
        assert_eq!(authentication.may_know(&headers, came).count(), 1);
    }
}

#[tokio::test]
async fn a_token_that_opened_is_no_guess_once_it_has_expired() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let token = signer.token(&claims());
    assert_eq!(judged(&authentication, &token).await, "carol");
    let lines = [("x-api-key", token.as_str())];
    let identity = check_at(&authentication, &lines, NOW + 660).await;
    assert!(matches!(identity, Identity::Wrong { .. }), "{identity:?}");
    assert_eq!(guesses(&identity), 0);
    // A clock that is set back.
    assert_eq!(judged(&authentication, &token).await, "carol");
}

#[tokio::test]
async fn an_expired_token_that_is_forged_or_meant_for_others_is_a_guess() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let forged = Signer::new("k", "EdDSA").token(&late());
    assert_eq!(guesses(&check(&authentication, &forged).await), 1);
    let mut others = late();
    others["aud"] = json!("other");
    let identity = check(&authentication, &signer.token(&others)).await;
    assert_eq!(guesses(&identity), 1);
}

#[tokio::test(start_paused = true)]
async fn for_an_expired_token_no_keys_are_fetched_or_waited_for() {
    let signer = Signer::new("k", "EdDSA");
    let url = UpstreamUrl {
        tls: false,
        host: "issuer".into(),
        port: 80,
        path: "/jwks".into(),
    };
    let authentication = ready(&with_issuer(JwtKeysItem::Uri(url)));
    let began = tokio::time::Instant::now();
    let identity = check(&authentication, &signer.token(&late())).await;
    assert!(matches!(identity, Identity::Wrong { .. }), "{identity:?}");
    assert_eq!(guesses(&identity), 0);
    assert_eq!(began.elapsed(), Duration::ZERO);
    // One that has not expired may be right.
    let identity = check(&authentication, &signer.token(&claims())).await;
    assert!(
        matches!(identity, Identity::Unchecked { .. }),
        "{identity:?}"
    );
    // Their issuer has taken another key since: who was late is nobody who guesses.
    let other = Signer::new("next", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&other]))));
    let identity = check(&authentication, &signer.token(&late())).await;
    assert_eq!(guesses(&identity), 0);
}
