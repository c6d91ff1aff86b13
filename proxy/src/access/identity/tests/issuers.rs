//! Tokens that issuers sign.

use super::*;

#[tokio::test]
async fn a_jwt_names_its_subject_with_groups_and_all_claims() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let signer = Signer::new("k", algorithm);
        let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
        let token = signer.token(&claims());
        let Identity::Known { user, key, .. } =
            check(&authentication, &[("api-key", &token)]).await
        else {
            panic!("{algorithm}")
        };
        assert_eq!(
            (user.name.as_str(), user.groups.as_slice()),
            ("carol", &["ml".to_owned(), "ops".to_owned()][..])
        );
        assert_eq!(user.claims.as_ref().unwrap()["team"], "x");
        // A new token of hers is no new caller.
        let mut claims = claims();
        claims["exp"] = json!(NOW + 1200);
        let token = signer.token(&claims);
        let Identity::Known { key: again, .. } =
            check(&authentication, &[("api-key", &token)]).await
        else {
            panic!("{algorithm}")
        };
        assert_eq!(again, key);
    }
}

#[tokio::test]
async fn issuer_audience_and_times_must_fit() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    for (claim, value, verdict) in [
        ("aud", json!(["other", "llm2"]), "carol"),
        ("aud", json!(["other"]), "wrong"),
        ("aud", json!("LLM"), "wrong"),
        ("aud", json!({"llm": 1}), "wrong"),
        ("aud", json!([]), "wrong"),
        ("iss", json!("https://issuer.example/"), "wrong"),
        ("iss", json!(["https://issuer.example"]), "wrong"),
        ("exp", json!(NOW - 59), "carol"),
        ("exp", json!(NOW - 60), "wrong"),
        ("exp", json!("never"), "wrong"),
        ("exp", Value::Null, "wrong"),
        ("exp", json!(NOW as f64 + 0.5), "carol"),
        ("nbf", json!(NOW + 60), "carol"),
        ("nbf", json!(NOW + 61), "wrong"),
        ("nbf", json!("soon"), "wrong"),
        ("sub", json!(""), "wrong"),
        ("sub", Value::Null, "wrong"),
        ("groups", json!("ml"), "carol"),
    ] {
        let mut claims = claims();
        claims[claim] = value.clone();
        let token = signer.token(&claims);
        assert_eq!(
            judged(&authentication, &token).await,
            verdict,
            "{claim} {value}"
        );
    }
}

#[tokio::test]
async fn unsigned_tokens_and_confused_keys_are_wrong() {
    let signer = Signer::new("k", "ES256");
    let set = jwks(&[&signer]);
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(set.clone())));
    let none = unsigned(&json!({"alg": "none", "kid": "k"}), &claims());
    assert_eq!(judged(&authentication, &format!("{none}.")).await, "wrong");
    assert_eq!(
        judged(&authentication, &format!("{none}.AA")).await,
        "wrong"
    );
    // HMAC whose secret is the public key, in every form in which it is public.
    let coordinates = signer.jwk();
    let secrets = [
        signer.public(),
        set.as_bytes(),
        coordinates["x"].as_str().unwrap().as_bytes(),
    ];
    for secret in secrets {
        let message = unsigned(&json!({"alg": "HS256", "kid": "k"}), &claims());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message.as_bytes());
        let signature = base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            mac.finalize().into_bytes(),
        );
        assert_eq!(
            judged(&authentication, &format!("{message}.{signature}")).await,
            "wrong"
        );
    }
    for header in [
        json!({"alg": "RS256", "kid": "k"}),
        json!({"alg": "EdDSA", "kid": "k"}),
        json!({"alg": "ES256", "kid": "k", "crit": ["b64"], "b64": false}),
        json!({"kid": "k"}),
        json!({"alg": "ES256", "kid": "other"}),
    ] {
        let token = signer.token_with(&header, &claims());
        assert_eq!(judged(&authentication, &token).await, "wrong", "{header}");
    }
    // A key that the token brings itself is nobody's.
    let mallory = Signer::new("k", "ES256");
    let header =
        json!({"alg": "ES256", "kid": "k", "jwk": mallory.jwk(), "jku": "http://127.0.0.1:1/"});
    assert_eq!(
        judged(&authentication, &mallory.token_with(&header, &claims())).await,
        "wrong"
    );
    let header = json!({"alg": "ES256"});
    assert_eq!(
        judged(&authentication, &signer.token_with(&header, &claims())).await,
        "carol"
    );
}

#[tokio::test]
async fn edited_claims_and_garbled_tokens_are_wrong() {
    let signer = Signer::new("k", "ES256");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let token = signer.token(&claims());
    let mut edited = claims();
    edited["sub"] = json!("root");
    let forged = unsigned(&json!({"alg": "ES256", "kid": "k"}), &edited);
    let signature = token.rsplit('.').next().unwrap();
    for token in [
        format!("{forged}.{signature}"),
        format!("{token}."),
        format!("{token}="),
        format!(".{token}"),
        token.replace('.', ".."),
        token[..token.len() - 2].to_owned(),
    ] {
        assert_eq!(judged(&authentication, &token).await, "wrong", "{token}");
    }
    assert_eq!(judged(&authentication, &token).await, "carol");
}

#[tokio::test]
async fn a_token_of_an_issuer_is_judged_by_that_alone_and_one_of_nobodys_is_looked_up() {
    let signer = Signer::new("k", "EdDSA");
    let mut item = with_issuer(JwtKeysItem::Inline(jwks(&[&signer])));
    let mut late = claims();
    late["exp"] = json!(NOW - 100);
    let (late, mut other) = (signer.token(&late), claims());
    other["iss"] = json!("https://somebody.else");
    let other = signer.token(&other);
    assert_eq!(judged(&ready(&item), &other).await, "wrong");
    for token in [&late, &other] {
        item.tokens[0].sha256.push(hex(token));
    }
    assert_eq!(judged(&ready(&item), &late).await, "wrong");
    assert_eq!(judged(&ready(&item), &other).await, "ann");
}

#[tokio::test]
async fn a_token_that_was_found_to_hold_is_refused_once_it_has_expired() {
    let signer = Signer::new("k", "EdDSA");
    let authentication = ready(&with_issuer(JwtKeysItem::Inline(jwks(&[&signer]))));
    let token = signer.token(&claims());
    for (now, holds) in [
        (NOW, true),
        (NOW + 659, true),
        (NOW + 660, false),
        (NOW, true),
    ] {
        let identity = check_at(&authentication, &[("x-api-key", &token)], now).await;
        assert_eq!(known(&identity).is_some(), holds, "{now}");
    }
}
