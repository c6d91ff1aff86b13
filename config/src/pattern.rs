//! Matching names: a `NameMatch`, compiled.

use std::borrow::Cow;

use dragoman_crds::{Matching, NameMatch};
use regex::{Captures, Regex, RegexBuilder};

/// The compiled size that one regex may reach; larger ones are refused rather than let eat a proxy's memory.
const LARGEST_REGEX: usize = 1 << 20;

/// A pattern that cannot be compiled. The manifest's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Neither or both of `exact` and `regex`.
    #[error("set exactly one of exact and regex")]
    Ambiguous,
    /// The regex does not parse, or is too large.
    #[error("regex {regex:?} does not compile: {fault}")]
    Regex {
        /// The regex as written.
        regex: String,
        /// The parser's word.
        fault: String,
    },
}

/// Matches whole names.
#[derive(Clone, Debug)]
pub enum NamePattern {
    /// One name.
    Exact {
        /// The name.
        name: String,
        /// Whether its case is ignored.
        ignore_case: bool,
    },
    /// A regex, anchored at both ends.
    Regex(Regex),
}

impl NamePattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn new(pattern: &NameMatch, matching: Matching) -> Result<Self, BadPattern> {
        let ignore_case = matching == Matching::IgnoreCase;
        match (&pattern.exact, &pattern.regex) {
            (Some(name), None) => Ok(Self::Exact {
                name: name.clone(),
                ignore_case,
            }),
            (None, Some(regex)) => {
                let bad = |fault: regex::Error| bad(regex, &fault);
                // On its own first, so that `a)(b` is refused rather than completed by our parentheses.
                Regex::new(regex).map_err(bad)?;
                RegexBuilder::new(&format!("^(?:{regex})$"))
                    .case_insensitive(ignore_case)
                    .size_limit(LARGEST_REGEX)
                    .build()
                    .map(Self::Regex)
                    .map_err(bad)
            }
            _ => Err(BadPattern::Ambiguous),
        }
    }

    /// Whether the whole `name` matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact {
                name: exact,
                ignore_case: true,
            } => exact == name || exact.to_lowercase() == name.to_lowercase(),
            Self::Exact {
                name: exact,
                ignore_case: false,
            } => exact == name,
            Self::Regex(regex) => regex.is_match(name),
        }
    }

    /// `template` with `$1`, `${name}`, `\1` and `$0` replaced by what `name` captured. `$$` is a dollar sign.
    #[must_use]
    pub fn expand<'t>(&self, name: &str, template: &'t str) -> Cow<'t, str> {
        if !template.contains(['$', '\\']) {
            return Cow::Borrowed(template);
        }
        let captures = match self {
            Self::Regex(regex) => regex.captures(name),
            Self::Exact { .. } => None,
        };
        Cow::Owned(expand(name, template, captures.as_ref()))
    }

    /// The groups that `template` refers to and this pattern does not have.
    #[must_use]
    pub fn unknown_groups(&self, template: &str) -> Vec<String> {
        let mut unknown = Vec::new();
        walk(template, |part| {
            if let Part::Group(group) = part
                && !self.has_group(group)
            {
                unknown.push(group.to_owned());
            }
        });
        unknown
    }

    fn has_group(&self, group: &str) -> bool {
        let Self::Regex(regex) = self else {
            return group == "0";
        };
        has_group(regex, group)
    }
}

/// Compiles a regex that is searched for in texts.
///
/// # Errors
/// The parser's word.
pub fn text_pattern(regex: &str) -> Result<Regex, BadPattern> {
    let compiled = RegexBuilder::new(regex).size_limit(LARGEST_REGEX).build();
    compiled.map_err(|fault| bad(regex, &fault))
}

fn bad(regex: &str, fault: &regex::Error) -> BadPattern {
    let fault = fault.to_string();
    let fault = fault.lines().last().unwrap_or_default().trim();
    BadPattern::Regex {
        regex: regex.to_owned(),
        fault: fault.to_owned(),
    }
}

/// The groups that `template` refers to and `regex` does not have.
pub(crate) fn unknown_groups(regex: &Regex, template: &str) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(template, |part| {
        if let Part::Group(group) = part
            && !has_group(regex, group)
        {
            unknown.push(group.to_owned());
        }
    });
    unknown
}

fn has_group(regex: &Regex, group: &str) -> bool {
    match group.parse::<usize>() {
        Ok(index) => index < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|name| name == group),
    }
}

fn expand(name: &str, template: &str, captures: Option<&Captures<'_>>) -> String {
    let mut out = String::with_capacity(template.len() + name.len());
    fill(template, &mut out, |group| match group {
        "0" => Some(name),
        group => {
            let captured = captures.and_then(|captures| match group.parse::<usize>() {
                Ok(index) => captures.get(index),
                Err(_) => captures.name(group),
            });
            captured.map(|captured| captured.as_str())
        }
    });
    out
}

/// Appends `template` with `$1`, `${name}`, `\1` and `$0` replaced by what `captured` says of the group; `$$` is a dollar sign.
pub fn fill<'c>(
    template: &str,
    out: &mut String,
    mut captured: impl FnMut(&str) -> Option<&'c str>,
) {
    walk(template, |part| match part {
        Part::Text(text) => out.push_str(text),
        Part::Group(group) => out.push_str(captured(group).unwrap_or_default()),
    });
}

enum Part<'t> {
    Text(&'t str),
    Group(&'t str),
}

/// Takes a template apart. Digits end a bare group's name, so that `$1k` is group 1 and a `k`.
fn walk<'t>(template: &'t str, mut each: impl FnMut(Part<'t>)) {
    let mut rest = template;
    while let Some(at) = rest.find(['$', '\\']) {
        let (before, sign) = rest.split_at(at);
        each(Part::Text(before));
        let after = &sign[1..];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            each(Part::Group(&after[..digits]));
            rest = &after[digits..];
        } else if sign.starts_with('$')
            && let Some((group, tail)) = after
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
        {
            each(Part::Group(group));
            rest = tail;
        } else if sign.starts_with("$$") || sign.starts_with("\\\\") {
            each(Part::Text(&sign[..1]));
            rest = &after[1..];
        } else {
            each(Part::Text(&sign[..1]));
            rest = after;
        }
    }
    each(Part::Text(rest));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(text: &str) -> NamePattern {
        let pattern = NameMatch {
            exact: None,
            regex: Some(text.into()),
        };
        NamePattern::new(&pattern, Matching::Exact).unwrap()
    }

    #[test]
    fn a_regex_matches_the_whole_name_only() {
        assert!(regex("gpt-4|gpt-4o").matches("gpt-4o"));
        assert!(!regex("gpt-4").matches("gpt-4o"));
        assert!(!regex("4").matches("gpt-4"));
    }

    #[test]
    fn every_way_to_write_a_group_expands() {
        let pattern = regex("gpt-(?<size>.*)-(turbo)");
        let expand = |template| pattern.expand("gpt-3.5-turbo", template).into_owned();
        assert_eq!(expand("llama-$1-${size}-\\2k"), "llama-3.5-3.5-turbok");
        assert_eq!(expand("$0"), "gpt-3.5-turbo");
        assert_eq!(expand("$$1 \\\\ $"), "$1 \\ $");
    }

    #[test]
    fn a_group_that_does_not_exist_is_known_before_a_call() {
        assert_eq!(regex("a(b)").unknown_groups("$1 $2 ${x}"), ["2", "x"]);
    }

    #[test]
    fn case_is_ignored_where_asked() {
        let pattern = NameMatch {
            exact: Some("GPT-4".into()),
            regex: None,
        };
        assert!(
            NamePattern::new(&pattern, Matching::IgnoreCase)
                .unwrap()
                .matches("gpt-4")
        );
        assert!(
            !NamePattern::new(&pattern, Matching::Exact)
                .unwrap()
                .matches("gpt-4")
        );
    }

    #[test]
    fn a_regex_that_only_our_anchors_would_complete_is_refused() {
        let pattern = NameMatch {
            exact: None,
            regex: Some("a)(b".into()),
        };
        assert!(matches!(
            NamePattern::new(&pattern, Matching::Exact),
            Err(BadPattern::Regex { .. })
        ));
    }
}
