//! A request, signed by [Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

use std::sync::Arc;

use dragoman_config::AwsItem;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, SignRequest as _};
use sha2::{Digest as _, Sha256};

use super::identity::{Identity, Unavailable};
use crate::state::secrets::Secrets;
use crate::upstream::{Endpoint, Request, RequestBody};

/// The name by which Bedrock's runtime is signed for.
const SERVICE: &str = "bedrock";
/// Headers that a signature consists of, besides `authorization`.
static OWN: [HeaderName; 3] = [
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
    HeaderName::from_static("x-amz-content-sha256"),
];

/// Why a request could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// There are no keys. Another try may help.
    #[error(transparent)]
    Keys(#[from] Unavailable),
    /// The body is relayed while it arrives, and a signature is made of all of it.
    #[error("its body is relayed while it arrives, and a signature is made of all of it")]
    Streamed,
    /// Our fault.
    #[error("it cannot be signed: {0}")]
    Signature(String),
}

/// Signs for one backend.
#[derive(Debug)]
pub struct Signer {
    keys: Option<Credential>,
    signer: RequestSigner,
    context: Context,
}

impl Signer {
    /// A signer with the keys of `aws`, or with the proxy's own.
    #[must_use]
    pub fn new(aws: &AwsItem) -> Self {
        let keys = aws.keys.as_ref().map(|keys| Credential {
            access_key_id: keys.id.expose().into(),
            secret_access_key: keys.secret.expose().into(),
            session_token: keys.session_token.as_ref().map(|it| it.expose().into()),
            expires_in: None,
        });
        Self {
            keys,
            signer: RequestSigner::new(SERVICE, &aws.region),
            context: Context::new(),
        }
    }

    /// What is not to be told of the proxy's own keys. Those of a Secret are known to whoever holds the signer.
    pub fn secrets(&self) -> Option<Secrets> {
        match &self.keys {
            Some(_) => None,
            None => Identity::of_process().secrets(),
        }
    }

    /// Signs a request to `endpoint`, in place of any signature that it has.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub async fn sign(&self, request: &mut Request, endpoint: &Endpoint) -> Result<(), Unsigned> {
        match &self.keys {
            Some(keys) => self.sign_with(keys, request, endpoint).await,
            None => {
                let keys: Arc<Credential> = Identity::of_process().get().await?;
                self.sign_with(&keys, request, endpoint).await
            }
        }
    }

    async fn sign_with(
        &self,
        keys: &Credential,
        request: &mut Request,
        endpoint: &Endpoint,
    ) -> Result<(), Unsigned> {
        let mut head = self.head(&request.method, request.path.as_str(), endpoint)?;
        let digest = digest(&request.body)?;
        head.headers.insert(OWN[2].clone(), digest);
        let signed = self
            .signer
            .sign_request(&self.context, &mut head, Some(keys), None);
        signed
            .await
            .map_err(|fault| Unsigned::Signature(fault.to_string()))?;
        for name in std::iter::once(&header::AUTHORIZATION).chain(&OWN) {
            request.headers.remove(name);
            if let Some(value) = head.headers.remove(name) {
                request.headers.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    /// What is signed of a request besides its body. Every service but S3 has the path escaped once more than it is sent, and the library
    /// escapes as for S3.
    fn head(
        &self,
        method: &Method,
        path: &str,
        endpoint: &Endpoint,
    ) -> Result<http::request::Parts, Unsigned> {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut path = path.replace('%', "%25");
        if let Some(query) = query {
            path = format!("{path}?{query}");
        }
        let uri = Uri::builder()
            .scheme("https")
            .authority(endpoint.authority().as_str())
            .path_and_query(path)
            .build()
            .map_err(|fault| Unsigned::Signature(fault.to_string()))?;
        let request = http::Request::builder().method(method).uri(uri).body(());
        let request = request.map_err(|fault| Unsigned::Signature(fault.to_string()))?;
        Ok(request.into_parts().0)
    }
}

/// The body's digest, as a header holds it.
fn digest(body: &RequestBody) -> Result<HeaderValue, Unsigned> {
    let mut digest = Sha256::new();
    match body {
        RequestBody::Empty => {}
        RequestBody::Bytes(bytes) => digest.update(bytes),
        RequestBody::Segments(all) => all.iter().for_each(|bytes| digest.update(bytes)),
        RequestBody::Stream(_) => return Err(Unsigned::Streamed),
    }
    let hex: String = digest
        .finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect();
    HeaderValue::from_str(&hex).map_err(|fault| Unsigned::Signature(fault.to_string()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dragoman_config::{AwsKeysItem, Secret};
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use http::HeaderMap;

    use super::*;

    const ID: &str = "AKIDEXAMPLE";
    const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
    const PATH: &str = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse";
    const BODY: &str = r#"{"messages":[]}"#;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn hmac(key: &[u8], text: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    /// The signature as AWS's page computes it, step by step.
    fn recomputed(date: &str, body: &str, token: Option<&str>) -> String {
        let digest = hex(&Sha256::digest(body));
        let path = PATH.replace('%', "%25");
        let mut headers =
            format!("host:{HOST}\nx-amz-content-sha256:{digest}\nx-amz-date:{date}\n");
        let mut names = "host;x-amz-content-sha256;x-amz-date".to_owned();
        if let Some(token) = token {
            headers.push_str(&format!("x-amz-security-token:{token}\n"));
            names.push_str(";x-amz-security-token");
        }
        let request = format!("POST\n{path}\n\n{headers}\n{names}\n{digest}");
        let day = &date[..8];
        let scope = format!("{day}/us-east-1/bedrock/aws4_request");
        let request = hex(&Sha256::digest(request));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}");
        let key = hmac(format!("AWS4{KEY}").as_bytes(), day);
        let key = ["us-east-1", "bedrock", "aws4_request"]
            .iter()
            .fold(key, |key, word| hmac(&key, word));
        let signature = hex(&hmac(&key, &text));
        format!(
            "AWS4-HMAC-SHA256 Credential={ID}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
    }

    #[test]
    fn the_recomputation_gives_what_botocore_gives() {
        // botocore 1.43's SigV4Auth("bedrock", "us-east-1") at this date.
        for (token, signature) in [
            (
                None,
                "cc285c719b476bdf0f2915749952ad6c351cb32cbbada3bd4c030a3ffa59b6c9",
            ),
            (
                Some("tok/en=="),
                "f7030dda418d8f0fc574850857f246319db1a9774600e6ba63756ca09a04b009",
            ),
        ] {
            let ours = recomputed("20261121T120000Z", BODY, token);
            assert!(ours.ends_with(signature), "{ours}");
        }
    }

    async fn signed(token: Option<&str>, body: RequestBody) -> Result<HeaderMap, Unsigned> {
        let keys = AwsKeysItem {
            id: Secret::new(ID),
            secret: Secret::new(KEY),
            session_token: token.map(Secret::new),
        };
        let signer = Signer::new(&AwsItem {
            region: "us-east-1".into(),
            keys: Some(keys),
        });
        let endpoint = Endpoint::parse(&format!("https://{HOST}")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(OWN[1].clone(), "the client's".parse().unwrap());
        let mut request = Request {
            method: Method::POST,
            path: PATH.parse().unwrap(),
            headers,
            body,
        };
        signer.sign(&mut request, &endpoint).await?;
        // Another try is signed anew.
        signer.sign(&mut request, &endpoint).await?;
        Ok(request.headers)
    }

    #[tokio::test]
    async fn a_request_is_signed_as_recomputed_and_the_clients_token_gives_way() {
        for token in [None, Some("tok/en==")] {
            let pieces = [&BODY[..3], &BODY[3..]].map(|piece| Bytes::from_static(piece.as_bytes()));
            let body = RequestBody::Segments(Arc::from(pieces));
            let headers = signed(token, body).await.unwrap();
            let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap());
            let date = text(&OWN[0]).unwrap();
            assert_eq!(
                text(&header::AUTHORIZATION),
                Some(&*recomputed(date, BODY, token))
            );
            assert_eq!(text(&OWN[1]), token);
            assert!(headers[header::AUTHORIZATION].is_sensitive());
        }
    }
}
