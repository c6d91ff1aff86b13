//! What the request log keeps.

use std::borrow::Cow;

use dragoman_config::cel::{BadMapping, Expression, Variables};
use dragoman_config::{BadPattern, LoggingItem, fill, text_pattern};
use dragoman_crds::LogBodies;
use regex::{Captures, Regex};

/// The most that is kept of a body that is kept whole, in bytes.
const WHOLE: usize = 8 << 20;
/// How much of a reply is looked into for what it says, where no more than that is kept.
const LOOKED_INTO: usize = 256 << 10;
/// The longest request's body that attributes are shown, in bytes.
pub(crate) const SHOWN: usize = 1 << 20;

/// What a log cannot be kept by, which whoever compiled the item found out.
#[derive(Debug, thiserror::Error)]
pub enum BadLogging {
    /// A regex that cannot be searched for.
    #[error("redact: {0}")]
    Redaction(#[from] BadPattern),
    /// An expression that does not compile.
    #[error("attributes: {0}: {1}")]
    Attribute(String, BadMapping),
}

/// The log policy of an LLMProxy, prepared.
#[derive(Debug)]
pub struct Logging {
    /// How much of bodies is kept at most; routes may keep less.
    pub bodies: LogBodies,
    /// How much of each is kept where they are truncated, in bytes.
    pub most: usize,
    redact: Vec<(Regex, String)>,
    /// What is kept besides, by name.
    pub(crate) attributes: Vec<(String, Expression)>,
    /// Whether some of it is of the request's body.
    shows: bool,
    item: LoggingItem,
}

impl Logging {
    /// Prepares what an item says.
    ///
    /// # Errors
    /// [`BadLogging`].
    pub fn new(item: &LoggingItem) -> Result<Self, BadLogging> {
        let redact = item.redact.iter();
        let redact = redact.map(|(regex, with)| Ok((text_pattern(regex)?, with.clone())));
        let redact = redact.collect::<Result<_, BadPattern>>()?;
        let attributes = item.attributes.iter().flatten();
        let attributes = attributes.map(|(name, source)| {
            let expression = Expression::compile(source, Variables::Reply);
            let bad = |fault| BadLogging::Attribute(name.clone(), fault);
            Ok((name.clone(), expression.map_err(bad)?))
        });
        let attributes = attributes.collect::<Result<Vec<_>, BadLogging>>()?;
        Ok(Self {
            redact,
            shows: attributes.iter().any(|(_, it)| it.names("request")),
            attributes,
            ..Self::plainly(item)
        })
    }

    /// What an item says that replaces nothing.
    fn plainly(item: &LoggingItem) -> Self {
        Self {
            bodies: item.bodies,
            most: usize::try_from(item.max_body_bytes).unwrap_or(usize::MAX),
            redact: Vec::new(),
            attributes: Vec::new(),
            shows: false,
            item: item.clone(),
        }
    }

    /// Whether it is what the same item would become.
    #[must_use]
    pub fn is(&self, item: &LoggingItem) -> bool {
        self.item == *item
    }

    /// How much of a request's body is to be kept until the request is over, and how much of the reply's.
    #[must_use]
    pub fn bounds(&self, bodies: LogBodies) -> (usize, usize) {
        let (asked, told) = match bodies {
            LogBodies::Full => (WHOLE, WHOLE),
            LogBodies::Truncated => (self.most, LOOKED_INTO.max(self.most)),
            LogBodies::None => (0, LOOKED_INTO),
        };
        (asked.max(if self.shows { SHOWN } else { 0 }), told)
    }

    /// A text in which everything is replaced that is to be.
    #[must_use]
    pub fn redacted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (regex, with) in &self.redact {
            let filled = |found: &Captures<'_>| {
                let mut filled = String::new();
                fill(with, &mut filled, |group| {
                    let group = match group.parse::<usize>() {
                        Ok(index) => found.get(index),
                        Err(_) => found.name(group),
                    };
                    group.map(|group| group.as_str())
                });
                filled
            };
            if let Cow::Owned(replaced) = regex.replace_all(&text, filled) {
                text = Cow::Owned(replaced);
            }
        }
        text
    }
}

impl Default for Logging {
    /// Of a proxy that was told nothing yet: no bodies.
    fn default() -> Self {
        Self::plainly(&LoggingItem::usual(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_go_is_replaced_one_after_another() {
        let redact = [
            (r"\b(\d{4})-\d{4}-(?<end>\d{4})", r"\1-****-${end}"),
            (r"(?i)alice", "[name]"),
        ];
        let redact = redact.map(|(regex, with)| (regex.to_owned(), with.to_owned()));
        let item = LoggingItem {
            redact: redact.to_vec(),
            ..LoggingItem::usual(true)
        };
        let logging = Logging::new(&item).unwrap();
        assert_eq!(
            logging.redacted("ALICE: 1234-5678-9012"),
            "[name]: 1234-****-9012"
        );
        assert!(logging.is(&item) && !logging.is(&LoggingItem::usual(true)));
    }
}
