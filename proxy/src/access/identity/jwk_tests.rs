use serde_json::{Value, json};

use super::super::signing::{Signer, jwks};
use super::*;

const MESSAGE: &[u8] = b"header.claims";

/// The modulus of a key that signed [`RSA`]; its exponent is 65537.
const N: &str = concat!(
    "vdnfPnKy8CO4YcbLBmdwahuDURpeMSPiwIlykB716A9IfMmSqP5ieclsUxJrJeHD3mLAlesjbCNcAvuTetkqgtMa3vypGv_WFl03",
    "Y9VSCXRqECMkKHN6WEcs_GdKg7FYt-wIhv4iRiLn8hCpP65GnZtFgcxI2UUuZH-FmYfoi9iYQkktfZEnEESBjy7tBM-UO8tVtsP3",
    "E1dsYaB2YmXPb21X-qiV4Dlr-9a9TAVtb1FkAbGG9lAj6JRPCck8HRe-znnEA62rHbnyPwpfgi3jjyIo9P5XVJkzXlr_cTjYmZtV",
    "HHvJtw5D0tJD6mT-CWi-e52Rxo9_ibhChwhXL900aw",
);

/// Signatures of [`MESSAGE`], made with Python's `cryptography`.
const RSA: [(&str, &str); 6] = [
    (
        "RS256",
        concat!(
            "f2VtnUL_gDI473arzlpeaRS-_n65oSn8DsDwhyEEgXCjfZIyYTMo7edC_Xmolrh_aTRDLipd6hhzvUFteLlUNWsT8kCp4j6Jm1EC",
            "NX5onv9pOeJGZoKQJ4YCmzHWBiH94nEWcuRkfW9QWBfhXtGkDlKRGNwTV6c70Cj4IR2KvJPrAt9Z0VXjN_JeFqwNg0AwFX8kzDAG",
            "QUjKQb1hkX9IFQkTUOY2KCo_QMS5OUMV7TBGqvx9m1Wgob5XrdmTH7ShU8h0db2gJMpBOENA4fxYpG1d50hT05Nkn9uo9t_fgqEI",
            "UNsmuVdATcAj-S5l24c_8ULNFJ9HoLvxLzYr9YCakg",
        ),
    ),
    (
        "PS256",
        concat!(
            "mZxQQrEZ5lrO6S-XshBKHUokqpxPuKMn0aeOJdcUzVBy29XidEcDgT9wLWxJLqAN08c5NfYElRJrJz5ZT0y_W79fYMnQfOnRRLpT",
            "W1m2iy9_idFCRdrNNTR55M69-bksSAfWMGgDL6Wv6RsVzObu7Ksq3kjne_I3c2eml-9zFniONfP052EWThWK-gXmOWELGPlmsQj7",
            "vSDlC_CzWZbes8i_xZXVK1vIubhs_eO_L3MlF7iEFNi3aSpo72sO5x5omwHpprULy5n2ys-tHD_Az8C_1J2LhyqBMNMl8P04YLts",
            "rA-p003q1jzxgjnpnjVkcOeQwCylVFE-CiVoUgN_PQ",
        ),
    ),
    (
        "RS384",
        concat!(
            "JToPgpgfCJP4MUG_BEV7xQrk-Q4pvHqJYtrW6-NVR8_UmBYXh-HDRtoQafVHevBuZVa-2Q28BN4op5uTNY6AnqXuC0gtwirpl2WA",
            "g77ISpxc-SZaLu5U8ENBU2KPC1p5J3SxkcDuYI4r3_y7h8723nV140d_1s_49zBfsfmyps9B8l-0ztYQ1UfOz7ZCUVSXcM-OCPtC",
            "20uhzdLzj17zRwImKvbkfnKYapFk6rIcLZQliyoGlg80-Oz3MZ-Ba83_xs49FGLI5Yty7v__HaVGBbpK409YgUgIltQXUPq9Uz1L",
            "eZy7yz0nRaryvtJ_ze_TuiZkv_ZZsuS7BRPUPrzdXg",
        ),
    ),
    (
        "PS384",
        concat!(
            "AggbaAS-senX8m2RDLDLNhDeP4-57ErxymjeM4fTwLLrG1Kkq_93bIewz2NA9G4Uu64aOsHewtpCW7oVqQHmYoeytiiL-IT9svRU",
            "AFHZ0t7FkF5c9eWxFTSdpZmJMIPiRMCXOW3yG42PPvLVu9oaIa-kgY72yiFyRf5WOhMc1sVU00MdAkr3vuPG3RvmAa1mOngMXnW4",
            "WBrNHN_1Gd1ga5PbcW2gS-xmCXz5YbrQ2IOkaDrkWOC0LqHllccw1p27QL_GHrJC5IHLaVzfyipw1B34I5Aot6N783FhgNbQowUM",
            "pdHmhwVPfUHlvNubmvWeQqsqGO5HZFi9DvayVzi1iw",
        ),
    ),
    (
        "RS512",
        concat!(
            "RY4KLNCtgAuGmZksRH-Cz8pYK4NMqMVTQCKYOMtz1dhzR1tKiDg-Vz5zkFj1_062S0laG8XsQqLCRyBkh-fNmicQOk6ActrxeXPo",
            "gQBhsujiC-HABt-Sd2i4IZFMzKpgA_snRb5KOZgTWzUNiu8oUMOMrhLIn2N2ji8h8V-t_EsyxLA6D5iCEgDa2VEdAiowi-2RPWQO",
            "x2meadb-GZ774Ro0OBPz-1vPXp5M7ruqdgpxpSDuBMjdW53Tz_6th-7muCfMHLscmw07UhQdS2luC5_NUsuwOzIXPGzrdQ3TXCEo",
            "GhNNPAgPC7Zy3OxGnpmk9H1tRYeZ3q2tjviyX-x9gQ",
        ),
    ),
    (
        "PS512",
        concat!(
            "Dwr401AL5XrcQZsY4mJmmSkG-ERP6jTt5L4S2SfNNd_c4BMwpvoeetskBjAvBYkKsWMCDLS_zLWRtQ9m2-Ppqu03fHvtdZBQGBCF",
            "OxZ1ZeC8ndi87Ng59SvtzCs-k7SwzyETXpYw8waDms6t8gx-8_6NdLFd_rRabNdGJxUlSImvBSOCyUs1CeVdhpvasUtcS7luFrTO",
            "1_cGhX9AqLsWp2uJIt4jT7DZ08JQS-x9W7nkydgruRHq3wfm44RW2SNbR075rfIJApteyaxXzscUZo_B1z_cq90nYMMvpKdJS5ts",
            "afNcomDWwrgOuQaMC09UAb6yGA2614wCKYekLSL8Tg",
        ),
    ),
];

const ALL: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

fn set(keys: &[Value]) -> Keys {
    Keys::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn rsa() -> Value {
    json!({"kty": "RSA", "kid": "r", "n": N, "e": "AQAB"})
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn named(name: &str) -> Algorithm {
    Algorithm::named(name).unwrap()
}

#[test]
fn every_algorithm_of_rsa_verifies_its_own_signatures_and_no_others() {
    let keys = set(&[rsa()]);
    for (made, signature) in RSA {
        for tried in ALL {
            let signed = keys.signed(named(tried), Some("r"), MESSAGE, &bytes(signature));
            assert_eq!(signed == Signed::Yes, made == tried, "{made} as {tried}");
        }
        let other = keys.signed(named(made), Some("r"), b"header.other", &bytes(signature));
        assert_eq!(other, Signed::No);
    }
}

#[test]
fn every_curve_verifies_its_own_signatures_and_no_others() {
    for made in ["ES256", "ES384", "EdDSA"] {
        let signer = Signer::new("a", made);
        let keys = Keys::read(jwks(&[&signer]).as_bytes()).unwrap();
        let signature = signer.sign(MESSAGE);
        for tried in ALL {
            let signed = keys.signed(named(tried), Some("a"), MESSAGE, &signature);
            assert_eq!(signed == Signed::Yes, made == tried, "{made} as {tried}");
        }
    }
}

#[test]
fn a_key_that_names_its_algorithm_verifies_by_no_other() {
    let mut pinned = rsa();
    pinned["alg"] = json!("PS256");
    let keys = set(&[pinned]);
    for (made, signature) in RSA {
        let signed = keys.signed(named(made), Some("r"), MESSAGE, &bytes(signature));
        assert_eq!(signed == Signed::Yes, made == "PS256", "{made}");
    }
}

#[test]
fn none_and_hmac_are_no_algorithms() {
    for name in [
        "none", "None", "NONE", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "RS1",
    ] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
}

#[test]
fn keys_for_something_else_and_of_other_kinds_are_left_out() {
    let with = |name: &str, value: Value| {
        let mut key = rsa();
        key[name] = value;
        key
    };
    for key in [
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("RSA-OAEP")),
        with("alg", json!("HS256")),
        with("kty", json!("oct")),
        with("n", json!("not base64!")),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43)}),
        json!("text"),
        json!({}),
    ] {
        assert!(set(std::slice::from_ref(&key)).is_empty(), "{key}");
        assert!(!set(&[key, rsa()]).is_empty());
    }
    assert!(!set(&[with("use", json!("sig"))]).is_empty());
    assert!(!set(&[with("key_ops", json!(["verify"]))]).is_empty());
}

#[test]
fn a_short_rsa_key_verifies_nothing() {
    let short = json!({"kty": "RSA", "n": "AQAB".repeat(40), "e": "AQAB"});
    let signed = set(&[short]).signed(named("RS256"), None, MESSAGE, &[0; 120]);
    assert_eq!(signed, Signed::UnknownKey);
}

#[test]
fn a_key_of_another_name_is_not_tried() {
    let (a, b) = (Signer::new("a", "ES256"), Signer::new("b", "ES256"));
    let keys = Keys::read(jwks(&[&a, &b]).as_bytes()).unwrap();
    let signed = |id| keys.signed(named("ES256"), id, MESSAGE, &b.sign(MESSAGE));
    assert_eq!(signed(Some("b")), Signed::Yes);
    assert_eq!(signed(Some("a")), Signed::No);
    assert_eq!(signed(Some("c")), Signed::UnknownKey);
    assert_eq!(signed(None), Signed::Yes);
}

#[test]
fn a_token_without_a_keys_name_is_tried_with_eight_keys_and_no_more() {
    let others: Vec<Signer> = (0..8)
        .map(|n| Signer::new(&n.to_string(), "EdDSA"))
        .collect();
    let last = Signer::new("last", "EdDSA");
    let signature = last.sign(MESSAGE);
    for (before, found) in [(7, Signed::Yes), (8, Signed::UnknownKey)] {
        let all: Vec<&Signer> = others[..before].iter().chain([&last]).collect();
        let keys = Keys::read(jwks(&all).as_bytes()).unwrap();
        assert_eq!(
            keys.signed(named("EdDSA"), None, MESSAGE, &signature),
            found
        );
    }
}

#[test]
fn what_is_no_set_is_refused_and_an_empty_one_is_not() {
    for text in ["", "{}", "[]", "{\"keys\": {}}", "<html>"] {
        assert!(Keys::read(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Keys::read(b"{\"keys\": []}").unwrap().is_empty());
}
