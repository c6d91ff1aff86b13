//! Signs requests, as a client does.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::client::Failed;

/// The headers that sign a JSON body for `host` and `path`, whose encoding is `canonical`.
pub(crate) fn headers(
    (host, canonical): (&str, &str),
    body: &str,
    (id, secret): (&str, &str),
    token: Option<&str>,
) -> Result<Vec<(&'static str, String)>, Failed> {
    let time = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let scope = [&time[..8], "us-east-1", "bedrock", "aws4_request"];
    let (of_token, name) = match token {
        Some(token) => (
            format!("x-amz-security-token:{token}\n"),
            ";x-amz-security-token",
        ),
        None => (String::new(), ""),
    };
    let signed = format!("content-type;host;x-amz-date{name}");
    let hash = |bytes: &[u8]| hex(&Sha256::digest(bytes));
    let request = format!(
        "POST\n{canonical}\n\ncontent-type:application/json\nhost:{host}\nx-amz-date:{time}\n{of_token}\n{signed}\n{}",
        hash(body.as_bytes())
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{}\n{}",
        scope.join("/"),
        hash(request.as_bytes())
    );
    let secret = format!("AWS4{secret}").into_bytes();
    let key = scope
        .iter()
        .try_fold(secret, |key, part| code(&key, part))?;
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={id}/{}, SignedHeaders={signed}, Signature={}",
        scope.join("/"),
        hex(&code(&key, &text)?)
    );
    let mut headers = vec![("authorization", authorization), ("x-amz-date", time)];
    headers.extend(token.map(|token| ("x-amz-security-token", token.to_owned())));
    Ok(headers)
}

fn code(key: &[u8], text: &str) -> Result<Vec<u8>, Failed> {
    let mut code = Hmac::<Sha256>::new_from_slice(key)?;
    code.update(text.as_bytes());
    Ok(code.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
