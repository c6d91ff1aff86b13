//! `docs/dialects.md`, written from what the tests find. With `UPDATE=1` in the environment it is written instead of compared.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use dragoman_dialects::extra::{ENGINE, HARMLESS};
use dragoman_dialects::form::{Effort, Reply};
use dragoman_dialects::template::LIMIT;

use crate::answers::answers;
use crate::facts::{FACTS, Facts};
use crate::requests::{Outcome, Refusal, outcome};
use crate::rules::rules;
use crate::wires::{FEATURES, SIDES, Side, clients};
use crate::{replies, streams, vectors};

#[test]
fn the_documentation_of_the_dialects_is_what_they_do() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md");
    let document = document();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let stands = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stands == document,
        "docs/dialects.md is not current; run `UPDATE=1 cargo test -p dragoman-dialects --test matrix` and commit it"
    );
}

fn document() -> String {
    let mut out = head();
    out.push_str("\n## Rules\n\nThe tables name them by their numbers.\n\n");
    for rule in rules() {
        let says = rule.says.replace("{limit}", &LIMIT.to_string());
        writeln!(out, "{}. {says}", rule.number()).unwrap();
    }
    out.push_str("\n## Requests\n\n`✓` is translated, `r3` by rule 3, `✗ 7` is refused with [refusal](#refusals) 7. What the first row says goes for those below it.\nThe proxy asks upstreams in the forms Chat, Messages, O. chat, Gemini, TGI and Converse. The columns Compl., Resp., O. gen., Invoke and Claude 2 are what the library would write: their backends get no more of these than their own clients' bytes.\n");
    let mut refusals = Refusals::default();
    for client in clients() {
        requests(client, &mut refusals, &mut out);
    }
    vectors_asked_for(&mut refusals, &mut out);
    answers_given(&mut out);
    refusals.write(&mut out);
    out
}

fn head() -> String {
    let quoted = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let mut engine = ENGINE.map(|name| name.rsplit('.').next().unwrap()).to_vec();
    engine.sort_unstable();
    engine.dedup();
    let effort = rules().find(|rule| rule.name == "effort").unwrap();
    include_str!("head.md")
        .replace("{harmless}", &quoted(&HARMLESS))
        .replace("{engine}", &quoted(&engine))
        .replace("{effort}", &effort.number().to_string())
        .replace("{budgets}", &budgets())
}

fn budgets() -> String {
    let efforts = [
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::XHigh,
        Effort::Max,
    ];
    let words = efforts.map(|effort| format!("`{}`", effort.as_str()));
    let tokens = efforts.map(|effort| effort.budget(None).to_string());
    let head = words.join(" | ");
    format!(
        "| effort | {head} |\n|---|{}\n| tokens | {} |",
        "---|".repeat(6),
        tokens.join(" | ")
    )
}

/// Every refusal once, with all the names that clients have for the field.
#[derive(Default)]
struct Refusals(Vec<(Vec<String>, String, Option<&'static str>)>);

impl Refusals {
    /// Its number.
    fn number(&mut self, refusal: Refusal) -> usize {
        let known = self
            .0
            .iter()
            .position(|(_, message, _)| *message == refusal.message);
        let place = known.unwrap_or_else(|| {
            self.0.push((Vec::new(), refusal.message, refusal.page));
            self.0.len() - 1
        });
        let names = &mut self.0[place].0;
        if !names.contains(&refusal.field) {
            names.push(refusal.field);
        }
        place + 1
    }

    fn write(&self, out: &mut String) {
        out.push_str("\n## Refusals\n\nThe field is named as the client's dialect calls it.\n\n");
        for (place, (names, message, page)) in self.0.iter().enumerate() {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let page = page
                .map(|page| format!(" ([page]({page}))"))
                .unwrap_or_default();
            writeln!(out, "{}. {}: {message}{page}", place + 1, names.join(", ")).unwrap();
        }
    }
}

/// The table of a client's requests.
fn requests(client: &Side, refusals: &mut Refusals, out: &mut String) {
    writeln!(
        out,
        "\n### Clients of {}\n\n`{}`\n",
        client.title, client.call
    )
    .unwrap();
    let upstreams: Vec<_> = SIDES
        .iter()
        .filter(|upstream| upstream.wire != client.wire)
        .collect();
    let heads: Vec<_> = upstreams.iter().map(|upstream| upstream.column).collect();
    writeln!(out, "| | {} |", heads.join(" | ")).unwrap();
    writeln!(out, "|---|{}", "---|".repeat(heads.len())).unwrap();
    let mut first = vec![Vec::new(); upstreams.len()];
    let asked = client.requests();
    for (feature, body) in &asked {
        let request = client.read(body.to_string().as_bytes()).unwrap();
        let mut cells = Vec::new();
        for (upstream, first) in upstreams.iter().zip(&mut first) {
            cells.push(match outcome(client, upstream, &request).unwrap() {
                Outcome::Translated(rules) => {
                    let mut numbers: Vec<_> = rules.iter().map(|rule| rule.number()).collect();
                    numbers.retain(|number| !first.contains(number));
                    if *feature == "text" {
                        first.clone_from(&numbers);
                    }
                    let numbers: Vec<_> =
                        numbers.iter().map(|number| format!(" r{number}")).collect();
                    format!("✓{}", numbers.concat())
                }
                Outcome::Refused(refusal) => format!("✗ {}", refusals.number(refusal)),
            });
        }
        writeln!(out, "| {feature} | {} |", cells.join(" | ")).unwrap();
    }
    let unsaid = FEATURES
        .iter()
        .filter(|feature| asked.iter().all(|(said, _)| said != *feature));
    let unsaid: Vec<_> = unsaid.copied().collect();
    if !unsaid.is_empty() {
        writeln!(out, "\nNot said in this dialect: {}.", unsaid.join(", ")).unwrap();
    }
}

/// The tables of requests for vectors.
fn vectors_asked_for(refusals: &mut Refusals, out: &mut String) {
    out.push_str("\n## Vectors\n\n`v1` is the first of these rules:\n\n");
    for (place, (says, _)) in vectors::RULES.iter().enumerate() {
        writeln!(out, "{}. {says}", place + 1).unwrap();
    }
    let heads: Vec<_> = vectors::KINDS.iter().map(|kind| kind.title).collect();
    for client in &vectors::KINDS {
        writeln!(
            out,
            "\n| clients of {} | {} |",
            client.title,
            heads.join(" | ")
        )
        .unwrap();
        writeln!(out, "|---|{}", "---|".repeat(heads.len())).unwrap();
        for (feature, body) in vectors::requests(client) {
            let cell = |upstream: &vectors::Kind| match vectors::outcome(client, upstream, &body) {
                _ if upstream.name == client.name => "=".to_owned(),
                Ok(rules) => {
                    let rules: Vec<_> = rules.iter().map(|number| format!(" v{number}")).collect();
                    format!("✓{}", rules.concat())
                }
                Err(refusal) => format!("✗ {}", refusals.number(refusal)),
            };
            let cells: Vec<_> = vectors::KINDS.iter().map(cell).collect();
            writeln!(out, "| {feature} | {} |", cells.join(" | ")).unwrap();
        }
    }
}

/// What each dialect can say of an answer.
fn answers_given(out: &mut String) {
    out.push_str("\n## Replies and streams\n\n");
    out.push_str(include_str!("replies.md"));
    let heads: Vec<_> = clients().map(|side| side.column).collect();
    writeln!(out, "\n| | {} |", heads.join(" | ")).unwrap();
    writeln!(out, "|---|{}", "---|".repeat(heads.len())).unwrap();
    let answers = answers();
    let said = clients().map(|side| {
        let each = |said: fn(&Side, &Reply) -> Facts| -> Vec<Facts> {
            answers.iter().map(|(_, reply)| said(side, reply)).collect()
        };
        (each(replies::said), each(streams::said))
    });
    let said: Vec<_> = said.collect();
    for fact in FACTS {
        let cell = |(whole, streamed): &(Vec<Facts>, Vec<Facts>)| {
            let told = |said: &[Facts]| said.iter().any(|facts| facts.contains_key(fact));
            let (whole, streamed) = (told(whole), told(streamed));
            match (whole, streamed) {
                (true, true) => "✓",
                (true, false) => "whole",
                (false, true) => "streamed",
                (false, false) => "–",
            }
        };
        let cells: Vec<_> = said.iter().map(cell).collect();
        writeln!(out, "| {fact} | {} |", cells.join(" | ")).unwrap();
    }
}
