//! Signature version 4, checked by computing it anew.
//!
//! Source: [AWS Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use sha2::{Digest, Sha256};

use super::{
    AwsKey,
    canonical::{self, hex},
    refused,
};
use crate::{bedrock::error, refusal::Refusal};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The name that Bedrock is signed for.
const SERVICE: &str = "bedrock";
/// How far a signature's time may be from ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Checks what follows the algorithm in `Authorization`.
pub(super) fn verify(
    keys: &[AwsKey],
    head: &Parts,
    body: &[u8],
    given: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    let part = |name: &str| {
        let mut parts = given.split(',').map(str::trim);
        let found = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| {
            let message = format!("Authorization header requires '{name}' parameter.");
            refused(error::INCOMPLETE, &message)
        })
    };
    let (credential, signed) = (part("Credential")?, part("SignedHeaders")?);
    let signature = part("Signature")?;
    let scope: Vec<_> = credential.split('/').collect();
    let [id, day, region, service, "aws4_request"] = scope[..] else {
        let message = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.";
        return Err(refused(error::INCOMPLETE, message));
    };
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(time) = text("x-amz-date") else {
        let message =
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        return Err(refused(error::INCOMPLETE, message));
    };
    let unknown = || {
        let message = "The security token included in the request is invalid.";
        refused(error::CLIENT, message)
    };
    let key = keys.iter().find(|key| key.id == id).ok_or_else(unknown)?;
    if key.session_token.as_deref() != text("x-amz-security-token") {
        return Err(unknown());
    }
    current(time, now)?;
    let wrong = |message: String| Err(refused(error::SIGNATURE, &message));
    if service != SERVICE {
        return wrong(format!(
            "Credential should be scoped to correct service: '{SERVICE}'."
        ));
    }
    if region.is_empty() {
        return wrong("Credential should be scoped to a valid region.".into());
    }
    if !time.starts_with(day) {
        return wrong(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{}'.",
            time.get(..8).unwrap_or(time)
        ));
    }
    let signed: Vec<_> = signed.split(';').collect();
    if !signed.is_sorted() {
        return wrong("'SignedHeaders' must be sorted and in lower case.".into());
    }
    // What AWS looks at must have been meant by who signed.
    let names = head.headers.keys().map(http::HeaderName::as_str);
    let mut needed = names
        .filter(|name| name.starts_with("x-amz-"))
        .chain(["host"]);
    if let Some(name) = needed.find(|name| !signed.contains(name)) {
        return wrong(format!(
            "'{name}' must be a 'SignedHeader' in the AWS Authorization."
        ));
    }
    let request = match canonical::request(head, &signed, body) {
        Ok(request) => request,
        Err(name) => {
            return wrong(format!("The signed header '{name}' is not in the request."));
        }
    };
    let scope = [day, region, service, "aws4_request"];
    let what = [
        ALGORITHM,
        time,
        &scope.join("/"),
        &hex(&Sha256::digest(request.as_bytes())),
    ]
    .join("\n");
    let hash = text("x-amz-content-sha256");
    let hashed = hash.is_none_or(|hash| hash == hex(&Sha256::digest(body)));
    let secret = format!("AWS4{}", key.secret).into_bytes();
    let key = scope
        .iter()
        .try_fold(secret, |key, part| code(&key, part.as_bytes()));
    let computed = key.and_then(|key| code(&key, what.as_bytes()));
    if hashed && computed.is_some_and(|computed| hex(&computed) == signature) {
        return Ok(());
    }
    wrong("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.".into())
}

/// Refuses a time that is too far from ours.
fn current(time: &str, now: Timestamp) -> Result<(), Refusal> {
    let read = DateTime::strptime(TIME, time).and_then(|time| time.to_zoned(TimeZone::UTC));
    let Ok(read) = read else {
        let message = format!("Date must be in ISO-8601 'basic format'. Got '{time}'.");
        return Err(refused(error::INCOMPLETE, &message));
    };
    let late = now.duration_since(read.timestamp());
    let ours = now.strftime(TIME);
    let message = if late > SKEW {
        format!("Signature expired: {time} is now earlier than {ours} - 5 min.")
    } else if -late > SKEW {
        format!("Signature not yet current: {time} is still later than {ours} + 5 min.")
    } else {
        return Ok(());
    };
    Err(refused(error::SIGNATURE, &message))
}

/// The message's authentication code; none for a key that has no use, which no length is.
fn code(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).ok()?;
    code.update(message);
    Some(code.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const BODY: &[u8] = br#"{"messages":[]}"#;
    /// Made by botocore's `SigV4Auth` for the key, time and body of these tests.
    const SIGNED: &str = "709cb77c12b1ba72ff8ed5b4a792c9a9c4291c910bf1cadc8ad270f0f19b2960";

    fn head(path: &str) -> Parts {
        let request = Request::post(path)
            .header("host", "bedrock-runtime.us-east-1.amazonaws.com")
            .header("content-type", "application/json")
            .header("x-amz-date", "20260101T120000Z")
            .header("x-amz-security-token", "lent");
        request.body(()).unwrap().into_parts().0
    }

    fn checked(path: &str, body: &[u8], secret: &str, time: &str) -> Result<(), String> {
        let keys = [AwsKey {
            id: "AKIDEXAMPLE".into(),
            secret: secret.into(),
            session_token: Some("lent".into()),
        }];
        let given = format!(
            "Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature={SIGNED}"
        );
        let now = time.parse().unwrap();
        verify(&keys, &head(path), body, &given, now).map_err(|refusal| refusal.message)
    }

    const PATH: &str = "/model/anthropic.claude-v2%3A1/converse";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const NOON: &str = "2026-01-01T12:01:00Z";

    #[test]
    fn a_signature_of_botocore_is_accepted() {
        assert_eq!(checked(PATH, BODY, SECRET, NOON), Ok(()));
    }

    #[test]
    fn whatever_was_changed_is_found() {
        for (path, body, secret) in [
            ("/model/anthropic.claude-v2:1/converse", BODY, SECRET),
            (PATH, &b"{}"[..], SECRET),
            (PATH, BODY, "else"),
        ] {
            let said = checked(path, body, secret, NOON).unwrap_err();
            assert!(said.starts_with("The request signature we calculated does not match"));
        }
        let late = checked(PATH, BODY, SECRET, "2026-01-01T12:05:01Z").unwrap_err();
        assert!(late.starts_with(
            "Signature expired: 20260101T120000Z is now earlier than 20260101T120501Z"
        ));
        let early = checked(PATH, BODY, SECRET, "2026-01-01T11:54:59Z").unwrap_err();
        assert!(early.starts_with("Signature not yet current"));
    }
}
