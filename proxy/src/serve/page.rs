//! The page of a list that one of Anthropic's clients asks for.
//!
//! Source: [list models](https://docs.claude.com/en/api/models-list). Without a `limit` the whole list is one page.

use std::borrow::Cow;

use dragoman_dialects::models::Model;
use http::StatusCode;

use super::error::Refusal;
use super::path;

/// The longest page.
const MOST: usize = 1000;

/// A page by its borders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page<'q> {
    limit: Option<usize>,
    after: Option<Cow<'q, str>>,
    before: Option<Cow<'q, str>>,
}

impl<'q> Page<'q> {
    /// What a query asks for.
    ///
    /// # Errors
    /// 400 for a limit that is none.
    pub(crate) fn asked(query: &'q str) -> Result<Self, Refusal> {
        let mut page = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "limit" => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=MOST).contains(limit));
                    page.limit = Some(limit.ok_or_else(|| {
                        refused("limit", format!("limit: a page has 1 to {MOST} models."))
                    })?);
                }
                "after_id" => page.after = Some(path::percent_decode(value)),
                "before_id" => page.before = Some(path::percent_decode(value)),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The page of a list, and whether there is more in the direction that it is read in.
    ///
    /// # Errors
    /// 400 for a border that the list does not have.
    pub(crate) fn of<'m>(&self, all: &'m [Model]) -> Result<(&'m [Model], bool), Refusal> {
        let place = |name: &'static str, id: &str| {
            let at = all.iter().position(|model| model.id == id);
            at.ok_or_else(|| refused(name, format!("{name}: the list has no such model.")))
        };
        let limit = self.limit.unwrap_or(usize::MAX);
        if let Some(before) = &self.before {
            let end = place("before_id", before)?;
            let start = end.saturating_sub(limit);
            return Ok((&all[start..end], start > 0));
        }
        let start = match &self.after {
            Some(after) => place("after_id", after)? + 1,
            None => 0,
        };
        let end = start.saturating_add(limit).min(all.len());
        Ok((&all[start..end], end < all.len()))
    }
}

fn refused(param: &'static str, message: String) -> Refusal {
    Refusal {
        param: Some(param.into()),
        ..Refusal::client(StatusCode::BAD_REQUEST, "invalid_page", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Option<(String, bool)> {
        let models = ["a", "b/c", "d", "e"].map(|id| Model {
            id: id.into(),
            ..Model::default()
        });
        let (shown, more) = Page::asked(query).ok()?.of(&models).ok()?;
        let ids: Vec<_> = shown.iter().map(|model| model.id.as_str()).collect();
        Some((ids.join(" "), more))
    }

    #[test]
    fn pages_join_to_the_whole_list_in_either_direction() {
        for (query, ids, more) in [
            ("", "a b/c d e", false),
            ("beta=true&limit=2", "a b/c", true),
            ("limit=2&after_id=b%2Fc", "d e", false),
            ("after_id=a", "b/c d e", false),
            ("before_id=e&limit=2", "b/c d", true),
            ("before_id=a", "", false),
        ] {
            assert_eq!(page(query), Some((ids.to_owned(), more)), "{query}");
        }
    }

    #[test]
    fn a_page_that_there_cannot_be_is_refused() {
        for query in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "after_id=x",
            "before_id=x",
        ] {
            assert_eq!(page(query), None, "{query}");
        }
    }
}
