//! Requests in pages, newest first, and one by its id.
//!
//! Pages go by key, never by offset: the thousandth costs what the first does, and none repeats a row when new ones come.

use super::Filter;
use super::sql::Sql;
use crate::fault::Fault;
use crate::record::Record;
use crate::store::{Cell, Store, record};

/// The most rows of one page.
pub const LARGEST_PAGE: u32 = 1000;

/// Which columns a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Without headers, bodies, content and tool calls, which are left empty.
    Small,
    /// All.
    All,
}

/// Some requests, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The requests.
    pub records: Vec<Record>,
    /// Where the next page begins, for [`Store::page`]; none after the last. Means nothing to others.
    pub next: Option<String>,
}

impl Store {
    /// The newest requests that a filter lets through, at most [`LARGEST_PAGE`], after those of the page before.
    ///
    /// # Errors
    /// [`Fault::Question`] for a cursor that no page gave and for a filter that cannot be; those of the database.
    pub async fn page(
        &self,
        filter: &Filter,
        columns: Columns,
        limit: u32,
        after: Option<&str>,
    ) -> Result<Page, Fault> {
        let limit = limit.clamp(1, LARGEST_PAGE) as usize;
        // Keys are found in an index first, and only the page's rows are read.
        let mut sql = Sql::new(self.is_postgres(), "");
        let wanted = sql.columns(columns == Columns::All);
        sql.push(&format!(
            "SELECT {wanted} FROM (SELECT started_at AS page_at, id AS page_id FROM requests WHERE "
        ));
        filter.write(&mut sql)?;
        if let Some(cursor) = after {
            let (at, id) = parse(cursor)?;
            let (at, id) = (sql.time(at), sql.bind(Cell::Text(id)));
            sql.push(&format!(" AND (started_at, id) < ({at}, {id})"));
        }
        // One more than asked for tells whether there is a next page.
        sql.push(&format!(
            " ORDER BY started_at DESC, id DESC LIMIT {}) AS page \
             JOIN requests r ON r.id = page_id AND r.started_at = page_at \
             ORDER BY r.started_at DESC, r.id DESC",
            limit + 1
        ));
        let mut records: Vec<_> = self
            .ask(sql.text, sql.values)
            .await?
            .into_iter()
            .map(record)
            .collect();
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(cursor);
        Ok(Page { records, next })
    }

    /// One request with all that is known of it, if it is of a namespace that whoever asks may see; none means all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn get(
        &self,
        id: &str,
        namespaces: Option<&[String]>,
    ) -> Result<Option<Record>, Fault> {
        let mut sql = Sql::new(self.is_postgres(), "SELECT ");
        sql.push(&sql.columns(true));
        let id = sql.bind(Cell::Text(id.replace('\0', "")));
        sql.push(&format!(" FROM requests r WHERE id = {id}"));
        if let Some(namespaces) = namespaces {
            sql.push(" AND ");
            sql.is_one_of("namespace", namespaces.iter().map(String::as_str));
        }
        Ok(self
            .ask(sql.text, sql.values)
            .await?
            .into_iter()
            .next()
            .map(record))
    }
}

fn cursor(last: &Record) -> String {
    format!("{:x}.{}", last.started_at, last.id)
}

fn parse(cursor: &str) -> Result<(i64, String), Fault> {
    let parsed = cursor.split_once('.').and_then(|(at, id)| {
        let plain = |id: &str| !id.is_empty() && !id.contains('\0');
        Some((i64::from_str_radix(at, 16).ok()?, id.to_owned())).filter(|(_, id)| plain(id))
    });
    parsed.ok_or_else(|| Fault::Question("the cursor is none that a page gave".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nonsense_is_refused() {
        let last = Record {
            id: "a.b".into(),
            started_at: 1_700_000_000_000_000,
            ..Record::default()
        };
        assert_eq!(parse(&cursor(&last)), Ok((last.started_at, "a.b".into())));
        for nonsense in ["", "12", "x.y", ".", "1.", "1.\0"] {
            assert!(
                matches!(parse(nonsense), Err(Fault::Question(_))),
                "{nonsense:?}"
            );
        }
    }
}
