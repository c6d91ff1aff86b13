//! The text of one choice on its way through rules, piece by piece.
//!
//! What comes out altogether is the same however the text was split. Held back is only what may still become a match.

use std::borrow::Cow;
use std::sync::Arc;

use dragoman_config::ObjectKey;
use dragoman_config::fill;
use dragoman_dialects::form::Failure;

use super::{Action, Finder, Rule};

/// A rule that refuses a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDenied {
    /// The policy.
    pub policy: ObjectKey,
    /// The rule.
    pub rule: String,
    /// What the client is told.
    pub message: String,
}

impl ContentDenied {
    /// The error that ends a stream.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure {
            code: Some("content_denied".into()),
            ..Failure::new(403, self.message.clone())
        }
    }
}

/// One text, and the rules that it goes through.
#[derive(Debug)]
pub(super) struct Chain {
    stages: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    rule: Arc<Rule>,
    /// A character that is out already, for what looks behind, then what is not.
    held: String,
    behind: usize,
    /// Whether something was replaced.
    changed: bool,
}

impl Chain {
    /// A text at its start. `replaces`: whether it may be changed; otherwise rules that replace are left out.
    pub(super) fn new<'r>(rules: impl Iterator<Item = &'r Arc<Rule>>, replaces: bool) -> Self {
        let looks = |rule: &&Arc<Rule>| match &rule.action {
            Action::Deny { finder, .. } => finder.is_some(),
            Action::Replace { .. } => replaces,
            Action::Set(_) | Action::Call(_) => false,
        };
        let stage = |rule: &Arc<Rule>| Stage {
            rule: Arc::clone(rule),
            held: String::new(),
            behind: 0,
            changed: false,
        };
        Self {
            stages: rules.filter(looks).map(stage).collect(),
        }
    }

    /// Takes the next piece, and gives what is decided.
    ///
    /// # Errors
    /// [`ContentDenied`], and nothing of the piece.
    pub(super) fn push<'t>(&mut self, text: &'t str) -> Result<Cow<'t, str>, ContentDenied> {
        let mut text = Cow::Borrowed(text);
        for stage in &mut self.stages {
            if !text.is_empty() {
                text = Cow::Owned(stage.push(&text, false)?);
            }
        }
        Ok(text)
    }

    /// Gives what is held back: the text is over.
    ///
    /// # Errors
    /// As for [`Chain::push`].
    pub(super) fn finish(&mut self) -> Result<String, ContentDenied> {
        let mut text = String::new();
        for stage in &mut self.stages {
            text = stage.push(&text, true)?;
        }
        Ok(text)
    }

    /// Whether a rule has changed the text.
    pub(super) fn changed(&self) -> bool {
        self.stages.iter().any(|stage| stage.changed)
    }

    /// A whole text.
    ///
    /// # Errors
    /// [`ContentDenied`].
    pub(super) fn whole(&mut self, text: &str) -> Result<String, ContentDenied> {
        let mut whole = self.push(text)?.into_owned();
        whole.push_str(&self.finish()?);
        Ok(whole)
    }
}

impl Rule {
    fn finder(&self) -> Option<&Finder> {
        match &self.action {
            Action::Deny { finder, .. } => finder.as_ref(),
            Action::Replace { finder, .. } => Some(finder),
            Action::Set(_) | Action::Call(_) => None,
        }
    }

    /// The refusal of a reply.
    pub(super) fn denied(&self) -> ContentDenied {
        let said = match &self.action {
            Action::Deny { message, .. } => message.clone(),
            _ => None,
        };
        ContentDenied {
            policy: self.policy.clone(),
            message: said
                .unwrap_or_else(|| format!("The rule {:?} refuses this reply.", self.name)),
            rule: self.name.clone(),
        }
    }
}

impl Stage {
    fn push(&mut self, text: &str, last: bool) -> Result<String, ContentDenied> {
        let rule = Arc::clone(&self.rule);
        let Some(finder) = rule.finder() else {
            return Ok(text.to_owned());
        };
        self.held.push_str(text);
        let hay = &*self.held;
        let undecided = |from| match last {
            true => hay.len(),
            false => finder.undecided(hay, from).unwrap_or(hay.len()),
        };
        let mut out = String::with_capacity(hay.len());
        let mut done = self.behind;
        let mut limit = undecided(done);
        while let Some(found) = finder.find(hay, done, limit) {
            let Action::Replace { replacement, .. } = &rule.action else {
                return Err(rule.denied());
            };
            out.push_str(&hay[done..found.start()]);
            replace(finder, hay, &found, replacement, &mut out);
            self.changed = true;
            done = found.end();
            if limit < done {
                limit = undecided(done);
            }
        }
        out.push_str(&hay[done..limit]);
        let behind = hay[..limit].chars().next_back().map_or(0, char::len_utf8);
        self.held.drain(..limit - behind);
        self.behind = behind;
        Ok(out)
    }
}

fn replace(
    finder: &Finder,
    hay: &str,
    found: &regex_automata::Match,
    replacement: &str,
    out: &mut String,
) {
    if !replacement.contains(['$', '\\']) {
        return out.push_str(replacement);
    }
    let captures = finder.captures(hay, found);
    fill(replacement, out, |group| {
        let span = match group.parse::<usize>() {
            Ok(index) => captures.get_group(index),
            Err(_) => captures.get_group_by_name(group),
        };
        span.and_then(|span| hay.get(span.range()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::response::ResponseRules;
    use crate::access::response::finder::LONGEST;
    use dragoman_config::{ResponseActionItem, ResponseRuleItem};
    use proptest::prelude::*;

    fn rules(written: &[(&str, Option<&str>)]) -> ResponseRules {
        let items: Vec<_> = written
            .iter()
            .map(|(regex, replacement)| ResponseRuleItem {
                name: "r".into(),
                when: None,
                action: match replacement {
                    Some(replacement) => ResponseActionItem::Replace {
                        regex: (*regex).into(),
                        replacement: (*replacement).into(),
                    },
                    None => ResponseActionItem::Deny {
                        regex: Some((*regex).into()),
                        message: None,
                    },
                },
            })
            .collect();
        ResponseRules::new(&ObjectKey::new("a", "p"), &items).unwrap()
    }

    fn run(rules: &ResponseRules, pieces: &[&str]) -> Result<String, ContentDenied> {
        let mut chain = Chain::new(rules.rules.iter(), true);
        let mut out = String::new();
        for piece in pieces {
            out.push_str(&chain.push(piece)?);
        }
        out.push_str(&chain.finish()?);
        Ok(out)
    }

    #[test]
    fn a_match_split_at_any_byte_is_replaced() {
        let rules = rules(&[(r"\bsk-([a-z0-9]{3,})\b", Some("[$1]")), ("é+", Some("e"))]);
        let text = "ask-abc sk-abcd, sk-12 désk-abcé sk-xyz9";
        let expected = "ask-abc [abcd], sk-12 desk-abce [xyz9]";
        assert_eq!(run(&rules, &[text]).unwrap(), expected);
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (one, other) = text.split_at(at);
            assert_eq!(run(&rules, &[one, other]).unwrap(), expected, "{at}");
        }
    }

    #[test]
    fn only_what_may_become_a_match_is_held() {
        let rules = rules(&[("secret-[0-9]{4}", Some("*"))]);
        let mut chain = Chain::new(rules.rules.iter(), true);
        assert_eq!(
            chain.push("all of this passes").unwrap(),
            "all of this passe"
        );
        assert_eq!(chain.push("ecr").unwrap(), "");
        assert_eq!(chain.push("ipt, sec").unwrap(), "secript, ");
        assert_eq!(chain.push("ret-1234").unwrap(), "");
        assert_eq!(chain.push("5!").unwrap(), "*5!");
        assert_eq!(chain.finish().unwrap(), "");
    }

    #[test]
    fn a_denied_text_gives_nothing_of_what_is_denied() {
        let rules = rules(&[("top secret", None)]);
        let mut chain = Chain::new(rules.rules.iter(), true);
        assert_eq!(chain.push("It is top").unwrap(), "It is ");
        assert_eq!(chain.push(" secre").unwrap(), "");
        let denied = chain.push("t, mind").unwrap_err();
        assert_eq!(denied.message, "The rule \"r\" refuses this reply.");
    }

    #[test]
    fn no_more_is_held_than_a_match_may_be_long() {
        let rules = rules(&[("(?s)<<.*>>", Some("-"))]);
        let mut chain = Chain::new(rules.rules.iter(), true);
        let mut out = chain.push("<<").unwrap().into_owned();
        for _ in 0..LONGEST * 3 {
            out.push_str(&chain.push("x").unwrap());
            assert!(chain.stages[0].held.len() <= LONGEST + 8);
        }
        out.push_str(&chain.push(">>").unwrap());
        out.push_str(&chain.finish().unwrap());
        assert_eq!(out.len(), LONGEST * 3 + 4);
        let whole = format!("<<{}>>", "x".repeat(LONGEST * 3));
        assert_eq!(run(&rules, &[&whole]).unwrap(), out);
        let short = format!("<<{}>>", "x".repeat(LONGEST - 4));
        assert_eq!(run(&rules, &[&short]).unwrap(), "-");
    }

    #[test]
    fn later_rules_see_what_earlier_ones_made() {
        let rules = rules(&[("a", Some("bb")), ("b+", Some("c"))]);
        assert_eq!(run(&rules, &["xa", "ax"]).unwrap(), "xcx");
    }

    const REGEXES: [&str; 8] = [
        "ab+",
        r"\ba.*?b\b",
        "(?m)^a",
        "b$",
        "(a|ab)(c|bcd)?",
        "[^é]é",
        "a{2,3}|b",
        "(?i)Ä.",
    ];

    proptest! {
        #[test]
        fn however_a_text_is_split_the_same_comes_of_it_as_of_the_whole(
            text in "[abcdéä \n]{0,40}",
            cuts in proptest::collection::vec(0_usize..40, 0..6),
            which in 0..REGEXES.len(),
        ) {
            let rules = rules(&[(REGEXES[which], Some("<$0>"))]);
            let mut cuts: Vec<usize> = cuts.iter().map(|at| text.floor_char_boundary(*at)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for at in cuts {
                pieces.push(&text[from..at]);
                from = at;
            }
            pieces.push(&text[from..]);
            let plain = regex::Regex::new(REGEXES[which]).unwrap();
            let expected = plain.replace_all(&text, "<$0>");
            prop_assert_eq!(run(&rules, &pieces).unwrap(), expected);
        }
    }
}
