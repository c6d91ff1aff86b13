//! What a call sends to a backend: the client's own bytes with edited spans, or a translation.

use std::borrow::Cow;
use std::cell::Cell;

use bytes::Bytes;
use dragoman_config::names::Step;
use dragoman_crds::Dialect;
use dragoman_dialects::Wire;
use http::{HeaderMap, Method};

use super::call::bad_path;
use super::content::Content;
use super::counting::Counting;
use super::error::Refusal;
use super::kept::Suspect;
use super::path::Operation;
use super::steps::Call;
use super::{collections, form, headers, kept, metered, query, relay, untranslated};
use crate::json::{self, Malformed, Members, Merge, ObjectEdit};
use crate::state::backend::Backend;
use crate::state::dialect;
use crate::state::route::RouteBackend;
use crate::think::disable;
use crate::upstream::{Request, RequestBody};

impl Call<'_> {
    /// The request for one backend that knows the model as `name`, to which the client's headers move when it is the last. `judged`: the body,
    /// if policies had it made ([`Call::judged`]).
    pub(super) fn outgoing(
        &self,
        step: &Step<'_>,
        backend: &Backend,
        name: &str,
        judged: Option<Bytes>,
        looks_into: bool,
        is_last: bool,
    ) -> Result<Request, Refusal> {
        let body = match judged {
            Some(body) => RequestBody::Bytes(body),
            None => self.edited(step, backend, name)?,
        };
        let path = self.own_path(backend, name);
        let path = backend.settings.endpoint.join(&path);
        Ok(Request {
            method: self.asked.method.clone(),
            path: path.map_err(|_| bad_path())?,
            headers: headers::upstream(self.client_headers(is_last), backend, looks_into),
            body: self.telling(body, backend),
        })
    }

    /// Judges what goes to a backend: `body`, or the client's own bytes.
    ///
    /// # Errors
    /// 400, where it leads to what lies with the vendor under our key, or the model's name out of the path that names it.
    pub(super) fn judge(
        &self,
        step: &Step<'_>,
        backend: &Backend,
        name: &str,
        body: Option<&Bytes>,
    ) -> Result<(), Refusal> {
        // Escaped or not, servers take these for segments that lead elsewhere.
        if matches!(name, "." | "..") {
            return Err(bad_path());
        }
        let body: (&[u8], _) = match (body, &self.content) {
            (Some(body), _) => (body, Suspect::Maybe),
            (None, Content::Json { body, suspect, .. }) => (body, *suspect),
            (None, Content::Form { .. }) => (&[], Suspect::No),
        };
        kept::judge(self.asked, backend, name, body, step)
    }

    /// The JSON that would be sent to a backend, where policies of its own judge bodies: `body`, or the client's own bytes with what is changed in them.
    ///
    /// # Errors
    /// 400 for a body that cannot be changed.
    pub(super) fn judged(
        &self,
        step: &Step<'_>,
        entry: &RouteBackend,
        backend: &Backend,
        name: &str,
        body: Option<&Bytes>,
    ) -> Result<Option<Bytes>, Refusal> {
        if !entry.policies.judge_bodies() {
            return Ok(None);
        }
        if let Some(body) = body {
            return Ok(Some(body.clone()));
        }
        Ok(match &self.content {
            Content::Json { .. } => match self.edited(step, backend, name)? {
                RequestBody::Bytes(body) => Some(body),
                RequestBody::Segments(segments) => Some(segments.concat().into()),
                RequestBody::Empty | RequestBody::Stream(_) => None,
            },
            Content::Form { .. } => None,
        })
    }

    /// Where the client's own bytes go: its path, with the upstream's name of the model where a path says it.
    fn own_path(&self, backend: &Backend, name: &str) -> Cow<'_, str> {
        let asked = self.asked;
        let gemini = |method: &str| {
            let mut path = dialect::gemini(name, method);
            if let Some(version) = collections::googles_version(&asked.path) {
                path = path.replacen("v1beta", version, 1);
            }
            backend.passed(with_query(path.into(), asked.uri.query()))
        };
        match self.operation {
            Operation::Converse(named) => dialect::path(Wire::BedrockConverse, name, named.stream),
            Operation::Invoke(named) => dialect::path(Wire::BedrockInvoke, name, named.stream),
            Operation::Gemini(named) if named.stream => gemini("streamGenerateContent"),
            Operation::Gemini(_) => gemini("generateContent"),
            Operation::GeminiEmbed(_) => gemini("embedContent"),
            Operation::GeminiEmbeds(_) => gemini("batchEmbedContents"),
            Operation::GeminiCount(_) => gemini("countTokens"),
            _ => match backend.deployed(name, &asked.path) {
                Some(path) => {
                    let query = query::without(asked.uri.query(), &["api-version"]);
                    with_query(path.into(), query.as_deref())
                }
                None => backend.passed(asked.path_and_query()),
            },
        }
    }

    /// The client's headers, which move to the last request that they are for.
    fn client_headers(&self, is_last: bool) -> HeaderMap {
        if is_last {
            self.asked.headers.take()
        } else {
            self.asked.headers().clone()
        }
    }

    /// The body for a backend of another dialect than the client's; none where it speaks the same.
    ///
    /// # Errors
    /// 400, where the backend's dialect has no such operation, or cannot express this request.
    pub(super) fn translated(
        &self,
        step: &Step<'_>,
        backend: &Backend,
        name: &str,
    ) -> Result<Option<Bytes>, Refusal> {
        let body = match (&self.translation, &self.vectors) {
            (Some(translation), _) => translation
                .ends(backend)
                .map(|ends| translation.write(ends, backend, name)),
            (None, Some(vectors)) => vectors
                .upstream(backend)?
                .map(|form| vectors.write(form, name)),
            (None, None) => {
                // Defaults and overrides are of answers, and a count asks for none.
                if let Some((counting, upstream)) = self.counted(backend) {
                    return counting.write(upstream, name).map(Some);
                }
                untranslated::passes(self.asked, self.operation, backend)?;
                None
            }
        };
        let Some(body) = body.transpose()? else {
            return Ok(None);
        };
        if step.defaults.is_none() && step.overrides.is_none() {
            return Ok(Some(body));
        }
        let ends = self.translation.as_ref().and_then(|it| it.ends(backend));
        let named = ends.is_none_or(|ends| dialect::names_model(ends.upstream));
        let merged = merge(step).apply(&body, named.then_some(name));
        let merged = merged.map_err(Refusal::malformed)?;
        Ok(Some(merged.concat().into()))
    }

    /// The count that is asked for, and the dialect in which a backend of another than the client's takes it.
    fn counted(&self, backend: &Backend) -> Option<(&Counting<'_>, Wire)> {
        let counting = self.counting.as_ref()?;
        Some((counting, counting.upstream(self.asked, backend)?))
    }

    /// The request for a backend of another dialect.
    pub(super) fn foreign(
        &self,
        backend: &Backend,
        name: &str,
        body: Bytes,
        is_last: bool,
    ) -> Result<Request, Refusal> {
        let path = match (&self.translation, &self.vectors) {
            (Some(translation), _) => translation.path(backend, name),
            (None, Some(vectors)) => vectors.upstream(backend)?.map(|form| form.path(name)),
            (None, None) => self
                .counted(backend)
                .map(|(_, upstream)| Counting::path(upstream, name)),
        };
        let path = path.unwrap_or_else(|| self.asked.path.as_str().into());
        let path = backend.deployed(name, &path).map_or(path, Cow::Owned);
        let path = backend.settings.endpoint.join(&path);
        let mut headers = headers::foreign(self.client_headers(is_last), backend);
        if let Some(translation) = &self.translation {
            translation.headers(backend, &mut headers);
        }
        Ok(Request {
            method: Method::POST,
            path: path.map_err(|_| bad_path())?,
            headers,
            body: RequestBody::Bytes(body),
        })
    }

    /// The same body, asking for usage where a limit counts it and the client does not ask.
    fn telling(&self, body: RequestBody, backend: &Backend) -> RequestBody {
        if self.hides && backend.tells_usage() {
            metered::asking(body)
        } else {
            body
        }
    }

    fn edited(
        &self,
        step: &Step<'_>,
        backend: &Backend,
        name: &str,
    ) -> Result<RequestBody, Refusal> {
        match &self.content {
            Content::Json { body, members, .. } => {
                // Azure refuses fields that it does not know, and has no switch for all its models.
                let azure = backend.dialect == Dialect::AzureOpenAI;
                let edited = if self.asked.route().thinking.disable && !azure {
                    self.without_thinking(body, step, name)
                } else {
                    self.renamed(body, members, step, name)
                };
                edited.map_err(Refusal::malformed)
            }
            Content::Form { start, at, rest } => {
                let segments = form::renamed(start, at, name);
                Ok(match rest.and_then(Cell::take) {
                    Some(rest) => relay::stream(self.asked, Some(segments), rest),
                    None => RequestBody::Segments(segments.into()),
                })
            }
        }
    }

    fn renamed(
        &self,
        body: &Bytes,
        members: &Members<'_, &'static str>,
        step: &Step<'_>,
        name: &str,
    ) -> Result<RequestBody, Malformed> {
        let named = self.operation.model().is_none();
        if step.defaults.is_some() || step.overrides.is_some() {
            return Ok(RequestBody::Segments(
                merge(step).apply(body, named.then_some(name))?.into(),
            ));
        }
        let is_named = || match self.asked.deployment {
            None => name == self.model,
            Some(_) => members.text(body, "model").as_deref() == Some(name),
        };
        if !named || (is_named() && members.all("model").count() == 1) {
            return Ok(RequestBody::Bytes(body.clone()));
        }
        let mut edit = ObjectEdit::new(members);
        edit.set("model", json::string::literal(name).into());
        Ok(RequestBody::Segments(
            json::splice(body, edit.finish()).into(),
        ))
    }

    /// Everything at once where the route asks the model not to think: edits must not touch each other. What is said within an object that the map
    /// may set is said last.
    fn without_thinking(
        &self,
        body: &Bytes,
        step: &Step<'_>,
        name: &str,
    ) -> Result<RequestBody, Malformed> {
        let merge = merge(step);
        let wire = self.operation.wire();
        let named = self.operation.model().is_none().then_some(name);
        if !merge.is_empty() && matches!(wire, Some(Wire::Gemini | Wire::BedrockConverse)) {
            let merged = merge.apply(body, named)?.concat().into();
            return quieted(wire, (name, None), &merged, &Merge::default());
        }
        quieted(wire, (name, named), body, &merge)
    }
}
/// A path with a query, or with more of one.
fn with_query<'p>(path: Cow<'p, str>, query: Option<&str>) -> Cow<'p, str> {
    match query {
        None | Some("") => path,
        Some(query) => {
            let mark = if path.contains('?') { '&' } else { '?' };
            format!("{path}{mark}{query}").into()
        }
    }
}

/// A body that asks the upstream's `model` not to think, and has everything merged; `named`: as the model that it is to name.
fn quieted(
    wire: Option<Wire>,
    (model, named): (&str, Option<&str>),
    body: &Bytes,
    merge: &Merge,
) -> Result<RequestBody, Malformed> {
    let wanted = merge.names().iter().map(String::as_str);
    let wanted: Vec<&str> = wanted.chain(disable::NAMES).collect();
    let members = json::scan(body, &wanted)?;
    let mut edit = ObjectEdit::new(&members);
    let mut edits = match wire {
        Some(wire) => disable::request(wire, model, body, &members, &mut edit)?,
        None => Vec::new(),
    };
    merge.edit(&mut edit, named);
    edits.extend(edit.finish());
    Ok(RequestBody::Segments(json::splice(body, edits).into()))
}

fn merge(step: &Step<'_>) -> Merge {
    let none = serde_json::Map::new();
    Merge::new(
        step.defaults.unwrap_or(&none),
        step.overrides.unwrap_or(&none),
    )
}
