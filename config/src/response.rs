//! Rules on replies: which of them hold a reply back, and which regular expressions they may have.

use regex_syntax::hir::Hir;

use crate::cel::{Condition, Variables};
use crate::{ResponseActionItem, ResponseRuleItem};

/// The compiled size that one regex may reach.
pub const LARGEST_REGEX: usize = 1 << 20;

/// Whether a rule needs the whole reply, which is held back for it until its end: it sets or asks about the text, or its condition names `response`.
#[must_use]
pub fn response_rule_holds(rule: &ResponseRuleItem) -> bool {
    let names = |when: &String| {
        let condition = Condition::compile(when, Variables::Reply);
        condition.is_ok_and(|condition| condition.names("response"))
    };
    let text = matches!(
        rule.action,
        ResponseActionItem::SetContent(_) | ResponseActionItem::Call(_)
    );
    text || rule.when.as_ref().is_some_and(names)
}

/// Reads a regex for a piece of a reply's text.
///
/// ```
/// use dragoman_config::response::read_regex;
/// assert!(read_regex("sk-[a-z0-9]{8,}").is_ok());
/// assert_eq!(read_regex("a*").unwrap_err(), "it matches where there is no text; write what must be there, as in a+");
/// ```
///
/// # Errors
/// Why it cannot be used, and the cure.
pub fn read_regex(written: &str) -> Result<Hir, String> {
    let last = |fault: &dyn std::fmt::Display| {
        let fault = fault.to_string();
        let why = fault.lines().last().unwrap_or_default().trim();
        why.to_owned()
    };
    let parsed = regex_syntax::Parser::new()
        .parse(written)
        .map_err(|fault| last(&fault))?;
    regex::RegexBuilder::new(written)
        .size_limit(LARGEST_REGEX)
        .build()
        .map_err(|fault| last(&fault))?;
    match parsed.properties().minimum_len() {
        Some(0) => {
            Err("it matches where there is no text; write what must be there, as in a+".to_owned())
        }
        None => Err("it can match nothing".to_owned()),
        Some(_) => Ok(parsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(when: Option<&str>, action: ResponseActionItem) -> ResponseRuleItem {
        ResponseRuleItem {
            name: "r".into(),
            when: when.map(str::to_owned),
            action,
        }
    }

    #[test]
    fn only_what_needs_the_whole_reply_holds_it() {
        let deny = |regex: Option<&str>| ResponseActionItem::Deny {
            regex: regex.map(str::to_owned),
            message: None,
        };
        let about = Some("response.content != ''");
        let asked = Some("user == null");
        assert!(!response_rule_holds(&rule(None, deny(Some("x")))));
        assert!(!response_rule_holds(&rule(asked, deny(Some("x")))));
        assert!(!response_rule_holds(&rule(asked, deny(None))));
        assert!(response_rule_holds(&rule(about, deny(Some("x")))));
        assert!(response_rule_holds(&rule(about, deny(None))));
        let set = ResponseActionItem::SetContent("''".into());
        assert!(response_rule_holds(&rule(None, set)));
    }

    #[test]
    fn a_regex_must_match_something_and_not_everything() {
        for (written, why) in [
            ("a*", "matches where there is no text"),
            (r"\b", "matches where there is no text"),
            ("(", "unclosed group"),
            ("[a&&b]", "can match nothing"),
            ("((a{0,99}){0,99}){0,99}", "size"),
        ] {
            let fault = read_regex(written).unwrap_err();
            assert!(fault.contains(why), "{written}: {fault}");
        }
        assert!(read_regex(r"\b\d{3}-\d{2}-\d{4}\b").is_ok());
    }
}
