//! Each client's requests, written for each upstream and read again as the upstream reads them.

use std::fmt::Write as _;

use dragoman_dialects::form::{Refused, Request};
use dragoman_dialects::template::{BuiltIn, Template};
use dragoman_dialects::{Target, Wire};
use jiff::Timestamp;

use crate::form::meaning;
use crate::rules::{self, Rule, rules};
use crate::wires::{SIDES, Side, clients};

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It reaches the upstream, changed by these rules alone.
    Translated(Vec<&'static Rule>),
    /// It is a 400.
    Refused(Refusal),
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The field, by the client's name.
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) page: Option<&'static str>,
}

/// A client's request written for an upstream.
///
/// # Errors
/// What the upstream would read otherwise than the request and the rules say.
pub(crate) fn outcome(
    client: &Side,
    upstream: &Side,
    request: &Request,
) -> Result<Outcome, String> {
    let body = match written(upstream, request, upstream.target()) {
        Ok(body) => body,
        Err(refused) => {
            return Ok(Outcome::Refused(Refusal {
                field: client.codec().name_of(&refused.field).into_owned(),
                message: refused.message,
                page: refused.source,
            }));
        }
    };
    let shown = String::from_utf8_lossy(&body);
    let pair = format!("{} to {}", client.file, upstream.file);
    let read = upstream
        .read(&body)
        .map_err(|fault| format!("{pair} is not read: {fault}\n{shown}"))?;
    let mut expected = request.clone();
    let rules = rules::apply(&mut expected, upstream);
    let (expected, read) = (meaning(expected), meaning(read));
    if read == expected {
        return Ok(Outcome::Translated(rules));
    }
    let difference = difference(&expected, &read);
    Err(format!(
        "{pair} is changed by more than the rules {rules:?} say:\n{difference}{shown}"
    ))
}

/// What an upstream is sent, as the proxy sends it: TGI's prompt by the template of a backend that names none.
///
/// # Errors
/// [`Refused`], where its dialect cannot express the request.
pub(crate) fn written(
    upstream: &Side,
    request: &Request,
    target: Target<'_>,
) -> Result<Vec<u8>, Refused> {
    if upstream.wire == Wire::Tgi {
        let request = templated(request)?;
        return upstream.codec().write_request(&request, target);
    }
    upstream.codec().write_request(request, target)
}

/// The request as a prompt.
///
/// # Errors
/// [`Refused`], where no text can say it.
pub(crate) fn templated(request: &Request) -> Result<Request, Refused> {
    let template = Template::from(BuiltIn::default());
    template.apply(request.clone(), Timestamp::UNIX_EPOCH)
}

/// The lines in which two requests differ.
fn difference(expected: &Request, read: &Request) -> String {
    let (expected, read) = (format!("{expected:#?}"), format!("{read:#?}"));
    let (was, is): (Vec<_>, Vec<_>) = (expected.lines().collect(), read.lines().collect());
    let only = |of: &[&str], other: &[&str], mark: char| -> String {
        let lines = of.iter().filter(|line| !other.contains(line));
        lines
            .map(|line| format!("{mark} {}\n", line.trim()))
            .collect()
    };
    only(&was, &is, '-') + &only(&is, &was, '+')
}

#[test]
fn every_dialect_reads_its_requests() {
    for side in clients() {
        for (feature, request) in side.requests() {
            let read = side.read(request.to_string().as_bytes());
            assert!(
                read.is_ok(),
                "{}, {feature}: {}",
                side.file,
                read.unwrap_err()
            );
        }
    }
}

#[test]
fn every_request_is_translated_by_the_documented_rules_or_refused_by_the_clients_name_of_a_field() {
    let mut faults = String::new();
    for client in clients() {
        for (feature, body) in client.requests() {
            let request = client.read(body.to_string().as_bytes()).unwrap();
            for upstream in &SIDES {
                match outcome(client, upstream, &request) {
                    Err(fault) => writeln!(faults, "{feature}: {fault}\n").unwrap(),
                    Ok(Outcome::Translated(_)) => {}
                    Ok(Outcome::Refused(refusal)) => {
                        // Whether a field of the client's own can be left out is judged here, all else by the vendor's documentation.
                        let page =
                            refusal.page.is_some() || request.extra.contains_key(&refusal.field);
                        let sound = page
                            && feature != "text"
                            && !refusal.field.is_empty()
                            && refusal.message.ends_with('.');
                        assert!(
                            sound,
                            "{} to {}, {feature}: {refusal:?}",
                            client.file, upstream.file
                        );
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn a_request_of_an_upstreams_own_dialect_loses_nothing() {
    let mut faults = String::new();
    for side in &SIDES {
        for (feature, body) in side.requests() {
            let request = side.read(body.to_string().as_bytes()).unwrap();
            let fault = match outcome(side, side, &request) {
                Ok(Outcome::Translated(rules)) if rules.iter().all(|rule| rule.adds(side.wire)) => {
                    continue;
                }
                Ok(Outcome::Refused(refusal)) if request.extra.contains_key(&refusal.field) => {
                    continue;
                }
                other => format!("{other:?}"),
            };
            writeln!(faults, "{}, {feature}: {fault}", side.file).unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_documented_rule_is_met_by_a_request() {
    let mut met = Vec::new();
    for client in clients() {
        for (_, body) in client.requests() {
            let request = client.read(body.to_string().as_bytes()).unwrap();
            for upstream in &SIDES {
                if let Ok(Outcome::Translated(rules)) = outcome(client, upstream, &request) {
                    met.extend(rules.iter().map(|rule| rule.name));
                }
            }
        }
    }
    for rule in rules() {
        assert!(met.contains(&rule.name), "{rule:?}");
    }
}

#[test]
fn a_schema_that_is_no_object_is_told_by_its_place_before_anything_is_sent() {
    for (client, feature, place) in [
        ("chat", "tools", "/tools/0/function/parameters"),
        ("chat", "JSON schema", "/response_format/json_schema/schema"),
        ("responses", "tools", "/tools/0/parameters"),
        ("responses", "JSON schema", "/text/format/schema"),
        ("messages", "tools", "/tools/0/input_schema"),
        ("messages", "JSON schema", "/output_config/format/schema"),
        ("ollama-chat", "tools", "/tools/0/function/parameters"),
        (
            "converse",
            "tools",
            "/toolConfig/tools/0/toolSpec/inputSchema/json",
        ),
    ] {
        let client = SIDES.iter().find(|side| side.file == client).unwrap();
        let requests = client.requests();
        let (_, body) = requests.iter().find(|(name, _)| *name == feature).unwrap();
        let mut body = body.clone();
        *body.pointer_mut(place).unwrap() = "text".into();
        let fault = client.read(body.to_string().as_bytes()).unwrap_err();
        let named = place
            .trim_start_matches('/')
            .replace("/0", "[0]")
            .replace('/', ".");
        assert_eq!(fault.at, named, "{}", client.file);
    }
}
