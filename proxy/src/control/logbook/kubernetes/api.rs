//! Requests to the API server, as the logbook's ServiceAccount: whose token is it, and what may they do?
//!
//! Sources: [TokenReview](https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/),
//! [SubjectAccessReview](https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/subject-access-review-v1/).

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::{Certificate, Client, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const TOKEN_REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/// How long a connection and a whole answer may take.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes: a user in many groups.
const LONGEST: usize = 1 << 20;

/// Why the API server gave no answer. Not the fault of who asks; asking again may help. Holds nothing of any token.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// What the ServiceAccount brings cannot be used.
    #[error("{0} of the logbook's ServiceAccount cannot be used (--service-account): {1}")]
    File(&'static str, String),
    /// It is not there, or does not speak.
    #[error("the API server does not answer: {0}")]
    Away(String),
    /// Some step takes too long.
    #[error("the API server takes too long")]
    Late,
    /// It refuses us.
    #[error(
        "the API server answers {0} to a {1}; the logbook's ServiceAccount needs `create` on tokenreviews and subjectaccessreviews"
    )]
    Refused(StatusCode, &'static str),
}

/// Whose token it is, as a TokenReview says and a SubjectAccessReview takes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct User {
    #[serde(default)]
    username: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    uid: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    extra: Value,
}

impl User {
    pub(super) fn name(&self) -> &str {
        &self.username
    }
}

#[derive(Deserialize)]
struct Review<S> {
    status: S,
}

#[derive(Deserialize)]
struct Authentication {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    user: User,
}

#[derive(Deserialize)]
struct Authorization {
    #[serde(default)]
    allowed: bool,
    #[serde(default)]
    denied: bool,
}

/// The way to the API server.
pub(super) struct ApiServer {
    url: String,
    directory: PathBuf,
    /// The client, and the authorities that it was made with.
    client: Mutex<Option<(Vec<u8>, Client)>>,
}

impl ApiServer {
    pub(super) fn new(url: &str, directory: PathBuf) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            directory,
            client: Mutex::default(),
        }
    }

    /// Whose token it is; none where it is nobody's, over, or meant for somebody else than the API server.
    pub(super) async fn user(&self, token: &str) -> Result<Option<User>, Fault> {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token},
        });
        let said: Review<Authentication> = self.ask(TOKEN_REVIEWS, "TokenReview", &review).await?;
        let Authentication {
            authenticated,
            user,
        } = said.status;
        Ok((authenticated && !user.username.is_empty()).then_some(user))
    }

    /// Whether somebody may `get llmroutes/log` in a namespace; in all of them, for none.
    pub(super) async fn may_read(
        &self,
        user: &User,
        namespace: Option<&str>,
    ) -> Result<bool, Fault> {
        let mut spec = json!({
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "resourceAttributes": {
                "group": "dragoman.dev",
                "version": "v1alpha1",
                "resource": "llmroutes",
                "subresource": "log",
                "verb": "get",
            },
        });
        if !user.extra.is_null() {
            spec["extra"] = user.extra.clone();
        }
        if let Some(namespace) = namespace {
            spec["resourceAttributes"]["namespace"] = namespace.into();
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": spec,
        });
        let said: Review<Authorization> = self
            .ask(ACCESS_REVIEWS, "SubjectAccessReview", &review)
            .await?;
        Ok(said.status.allowed && !said.status.denied)
    }

    async fn ask<S: DeserializeOwned>(
        &self,
        path: &str,
        kind: &'static str,
        review: &Value,
    ) -> Result<Review<S>, Fault> {
        let own = self.read("token").await?;
        let own =
            String::from_utf8(own).map_err(|_| Fault::File("token", "it is no text".into()))?;
        let client = self.client(self.read("ca.crt").await?)?;
        let request = client
            .post(format!("{}{path}", self.url))
            .bearer_auth(own.trim())
            .json(review);
        let mut reply = request.send().await.map_err(away)?;
        let status = reply.status();
        if !status.is_success() {
            return Err(Fault::Refused(status, kind));
        }
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(away)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(Fault::Away("its answer is too long".into()));
            }
        }
        // Where it goes wrong only: the answer to a TokenReview repeats the token.
        let unreadable = |fault: serde_json::Error| {
            let at = (fault.line(), fault.column());
            Fault::Away(format!("its answer cannot be read at {at:?}"))
        };
        serde_json::from_slice(&body).map_err(unreadable)
    }

    async fn read(&self, name: &'static str) -> Result<Vec<u8>, Fault> {
        let read = tokio::fs::read(self.directory.join(name)).await;
        read.map_err(|fault| Fault::File(name, fault.to_string()))
    }

    /// The client that trusts these authorities alone.
    fn client(&self, authorities: Vec<u8>) -> Result<Client, Fault> {
        let mut known = self.client.lock();
        if let Some((with, client)) = &*known
            && *with == authorities
        {
            return Ok(client.clone());
        }
        let unfit = |fault: reqwest::Error| Fault::File("ca.crt", chain(&fault));
        let roots = Certificate::from_pem_bundle(&authorities).map_err(unfit)?;
        if roots.is_empty() {
            return Err(Fault::File(
                "ca.crt",
                "there is no certificate in it".into(),
            ));
        }
        let client = Client::builder()
            .tls_certs_only(roots)
            .https_only(true)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()
            .map_err(unfit)?;
        *known = Some((authorities, client.clone()));
        Ok(client)
    }
}

fn away(fault: reqwest::Error) -> Fault {
    Fault::Away(chain(&fault.without_url()))
}

/// A fault with what it came of.
fn chain(fault: &reqwest::Error) -> String {
    let mut told = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    told
}
