//! What a translation may change. Each rule changes the form as a writer and the upstream's reader together do; nothing else may change.
//! They are applied in this order:
//!
//! - `conversation`: what messages hold.
//! - `tools`: tools, their calls and results.
//! - `reasoning`: how models are asked to reason, before the limit that leaves room for it.
//! - `fields`: all else.

mod conversation;
mod fields;
mod reasoning;
mod tools;

use dragoman_dialects::Wire;
use dragoman_dialects::form::{Message, Part, Request};

use crate::wires::Side;

/// A rule.
pub(crate) struct Rule {
    /// Its name, for tests that fail.
    pub(crate) name: &'static str,
    /// What the documentation says.
    pub(crate) says: &'static str,
    change: fn(&mut Request, &Side),
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

impl Rule {
    /// Its number in the documentation.
    pub(crate) fn number(&self) -> usize {
        1 + rules().position(|rule| rule.name == self.name).unwrap()
    }

    /// Whether it says to the client's own dialect what goes without saying there.
    pub(crate) fn adds(&self, wire: Wire) -> bool {
        match self.name {
            "limit" | "stored" => true,
            // To another server of the same dialect the client's own bytes go, so that neither a developer's message nor reasoning is touched.
            "developer" => wire == Wire::Chat,
            // The vendor refuses it in its own dialect too.
            "thinking under way" => claude(wire),
            "earlier reasoning" => matches!(wire, Wire::Chat | Wire::Gemini),
            // The vendor's older models refuse it.
            "effort of the answer" => claude(wire),
            _ => false,
        }
    }
}

/// Changes a request as the writer for an upstream may; which rules did.
pub(crate) fn apply(request: &mut Request, upstream: &Side) -> Vec<&'static Rule> {
    let mut applied = Vec::new();
    for rule in rules() {
        let before = request.clone();
        (rule.change)(request, upstream);
        if *request != before {
            applied.push(rule);
        }
    }
    applied
}

/// All of them, in their order.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    let groups: [&'static [Rule]; 4] = [
        &conversation::RULES,
        &tools::RULES,
        &reasoning::RULES,
        &fields::RULES,
    ];
    groups.into_iter().flatten()
}

fn takes_prompts(wire: Wire) -> bool {
    matches!(wire, Wire::Completions | Wire::Tgi)
}

fn ollama(wire: Wire) -> bool {
    matches!(wire, Wire::OllamaChat | Wire::OllamaGenerate)
}

/// Claude with tools and thinking.
fn claude(wire: Wire) -> bool {
    matches!(
        wire,
        Wire::Messages | Wire::BedrockInvoke | Wire::BedrockConverse
    )
}

fn parts(request: &mut Request) -> impl Iterator<Item = &mut Part> {
    request
        .messages
        .iter_mut()
        .flat_map(|message: &mut Message| &mut message.parts)
}
