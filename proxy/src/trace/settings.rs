//! Where spans go, as the environment says.
//!
//! Sources: [OpenTelemetry's environment variables](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), and
//! [those of its protocol's exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/).

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;

use super::Sampler;
use crate::serve::path::percent_decode;

const ENDPOINT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];
const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];

/// What cannot be traced by. Whoever started the process wrote it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable} {fault}")]
pub struct BadSetting {
    variable: &'static str,
    fault: &'static str,
}

/// Where spans go, and which.
#[derive(Debug)]
pub struct Settings {
    pub(super) endpoint: Url,
    /// Sent with them; often a key.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    /// How long a span waits for others.
    pub(super) delay: Duration,
    pub(crate) sampler: Sampler,
    /// Who makes the spans, by name and value.
    pub(super) resource: Vec<(String, String)>,
}

impl Settings {
    /// Reads what `variable` gives; none where nothing is to be traced.
    ///
    /// # Errors
    /// [`BadSetting`], which names the variable and says no value, since some are keys.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Box<Self>>, BadSetting> {
        // An empty variable is an absent one.
        let one = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: [&'static str; 2]| {
            let given = |name| one(name).map(|value| (name, value));
            names.into_iter().find_map(given)
        };
        let says = |name, word: &str| one(name).is_some_and(|it| it.eq_ignore_ascii_case(word));
        let Some((name, text)) = first(ENDPOINT) else {
            return Ok(None);
        };
        if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let bad = |variable, fault| BadSetting { variable, fault };
        let endpoint = endpoint(text.trim(), name == ENDPOINT[1]).ok_or_else(|| {
            bad(
                name,
                "is no URL of a collector; write http://collector:4318, or https",
            )
        })?;
        if let Some((name, protocol)) = first(PROTOCOL)
            && protocol.trim() != "http/protobuf"
        {
            let fault = "names a protocol that is not spoken here; write http/protobuf, whose port is 4318 at most collectors";
            return Err(bad(name, fault));
        }
        let headers = match first(HEADERS) {
            None => HeaderMap::new(),
            Some((name, text)) => headers(&text)
                .ok_or_else(|| bad(name, "is no list of headers; write name=value,name=value"))?,
        };
        let millis = |name, text: &str, usual| match text.trim().parse() {
            Ok(millis) => Ok(Duration::from_millis(millis).min(usual)),
            Err(_) => Err(bad(name, "is no number of milliseconds")),
        };
        let timeout = Duration::from_secs(10);
        let timeout = match first(TIMEOUT) {
            Some((name, text)) => millis(name, &text, timeout)?,
            None => timeout,
        };
        let delay = Duration::from_secs(5);
        let delay = match one("OTEL_BSP_SCHEDULE_DELAY") {
            Some(text) => millis("OTEL_BSP_SCHEDULE_DELAY", &text, delay)?,
            None => delay,
        };
        let sampler = match one("OTEL_TRACES_SAMPLER") {
            None => Sampler::default(),
            Some(name) => {
                let argument = one("OTEL_TRACES_SAMPLER_ARG");
                let named = Sampler::named(name.trim(), argument.as_deref());
                named.ok_or_else(|| bad("OTEL_TRACES_SAMPLER", "and its _ARG name no sampler; write parentbased_traceidratio and 0.1, or parentbased_always_on"))?
            }
        };
        let mut resource: Vec<(String, String)> = one("OTEL_RESOURCE_ATTRIBUTES")
            .iter()
            .flat_map(|text| pairs(text).flatten())
            .map(|(name, value)| (name.to_owned(), value.into_owned()))
            .filter(|(name, _)| name != "service.name" || one("OTEL_SERVICE_NAME").is_none())
            .collect();
        let mut add = |name: &str, value: String| {
            if !resource.iter().any(|(known, _)| known == name) {
                resource.push((name.to_owned(), value));
            }
        };
        let service = one("OTEL_SERVICE_NAME").unwrap_or_else(|| "dragoman-proxy".to_owned());
        add("service.name", service);
        add("service.version", env!("CARGO_PKG_VERSION").to_owned());
        Ok(Some(Box::new(Self {
            endpoint,
            headers,
            timeout,
            delay,
            sampler,
            resource,
        })))
    }
}

/// The URL that spans are posted to. `base`: the path of traces is to be added.
fn endpoint(text: &str, base: bool) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
    if base {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    fits.then_some(url)
}

/// `name=value,name=value`, values with `%xx`; none for what has no `=`.
fn pairs(text: &str) -> impl Iterator<Item = Option<(&str, Cow<'_, str>)>> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    parts.map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim(), percent_decode(value.trim())))
    })
}

fn headers(text: &str) -> Option<HeaderMap> {
    let headers = pairs(text).map(|pair| {
        let (name, value) = pair?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((name.parse::<HeaderName>().ok()?, value))
    });
    headers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Box<Settings>>, BadSetting> {
        Settings::read(|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_traced_unless_a_collector_is_named() {
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_SERVICE_NAME", "a")],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                ("OTEL_SDK_DISABLED", "True"),
            ],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                ("OTEL_TRACES_EXPORTER", "none"),
            ],
        ] {
            assert!(read(variables).unwrap().is_none(), "{variables:?}");
        }
    }

    #[test]
    fn the_environment_says_where_spans_go() {
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:4318/otlp/"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20k, x-team = a",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=b,deployment.environment.name=test",
            ),
            ("OTEL_SERVICE_NAME", "a"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://c:4318/otlp/v1/traces");
        assert_eq!(settings.headers["authorization"], "Bearer k");
        assert_eq!(settings.headers["x-team"], "a");
        assert!(!format!("{settings:?}").contains("Bearer k"));
        let names: Vec<&str> = settings
            .resource
            .iter()
            .map(|(_, it)| it.as_str())
            .collect();
        assert_eq!(names, ["test", "a", env!("CARGO_PKG_VERSION")]);
        let one = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4318/here")]);
        assert_eq!(one.unwrap().unwrap().endpoint.path(), "/here");
    }

    #[test]
    fn what_cannot_be_traced_by_is_refused_without_its_value() {
        const URL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
        ] {
            let fault = read(&[URL, (name, value)]).unwrap_err().to_string();
            assert!(
                fault.starts_with(name) && !fault.contains("s3cret"),
                "{fault}"
            );
        }
    }
}
