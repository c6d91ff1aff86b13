//! The parameters of a header's value: [RFC 9110 §5.6.6](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.6).

/// A parameter that every server reads alike.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Its name, in lower case.
    pub(super) name: String,
    /// What it says, without quotes.
    pub(super) value: String,
}

/// The parameters after a value's first `;`; none if one is spelled so that servers may read it otherwise: with blanks around its `=`, a quote
/// within a word, something after the closing one, or no end.
pub(super) fn read(text: &str) -> Option<Vec<Parameter>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        // Some leave a last semicolon behind.
        if let Some(next) = rest.strip_prefix(';') {
            rest = next.trim_start();
            continue;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find(|c| !is_token(c)).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        let after = after.trim_start();
        if !is_name(name) || !(after.is_empty() || after.starts_with(';')) {
            return None;
        }
        all.push(Parameter {
            name: name.to_ascii_lowercase(),
            value,
        });
        rest = after;
    }
    Some(all)
}

/// What stands before the closing quote, and what after it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                escaped @ ('"' | '\\') => value.push(escaped),
                // Most servers escape nothing else, as in the paths that some send for names of files.
                other => value.extend(['\\', other]),
            },
            _ => value.push(character),
        }
    }
    None
}

/// Whether it is a token, and not an empty one.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token)
}

pub(super) fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<Vec<(String, String)>> {
        let all = read(text)?;
        Some(all.into_iter().map(|one| (one.name, one.value)).collect())
    }

    #[test]
    fn names_and_values_are_read_with_their_quotes_and_escapes() {
        let own = |all: &[(&str, &str)]| {
            let own = all
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            Some(own.collect())
        };
        assert_eq!(said(" ; "), own(&[]));
        assert_eq!(
            said("A=b; c=\"d;e\" ;f=\"\\\"\\\\\\g\";"),
            own(&[("a", "b"), ("c", "d;e"), ("f", "\"\\\\g")])
        );
    }

    #[test]
    fn what_servers_may_read_otherwise_is_none() {
        for text in [
            "a", "a = b", "a= b", "a=b\"c\"", "a=\"b\"c", "a=\"b", "a=b c", "=b", "a b=c",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
