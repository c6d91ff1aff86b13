//! Requests in pages, newest first, and one by its id.
//!
//! Pages go by key, never by offset: the thousandth costs what the first does, and none repeats a row when new ones come.

use super::Filter;
use super::search::Search;
use super::sql::Sql;
use crate::fault::Fault;
use crate::record::Record;
use crate::store::{Cell, Store, record};

/// The most rows of one page.
pub const LARGEST_PAGE: u32 = 1000;

/// An id that comes before that of any request.
const BEFORE_ALL: &str = "\u{1}";

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
    /// A search for a text came so far back, in microseconds since the epoch, when its time was over, and the next page goes on there. The page may be
    /// short then, and empty.
    pub searched: Option<i64>,
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
        let after = after.map(parse).transpose()?;
        // One more than asked for tells whether there is a next page.
        let wanted = limit + 1;
        let (mut records, mut searched) = (Vec::new(), None);
        if filter.text.is_none() {
            records = self.rows(filter, columns, wanted, after.as_ref()).await?;
        } else {
            let mut search = Search::new(filter, after.as_ref().map(|(at, _)| *at));
            while records.len() < wanted {
                let Some(piece) = self.next_piece(&mut search).await? else {
                    break;
                };
                let left = wanted - records.len();
                let found = self.rows(&piece, columns, left, after.as_ref()).await?;
                records.extend(found);
            }
            searched = search.stopped();
        }
        let more = records.len() > limit;
        records.truncate(limit);
        let next = match records.last() {
            Some(last) if more => Some(cursor(last.started_at, &last.id)),
            _ => searched.map(|at| cursor(at, BEFORE_ALL)),
        };
        Ok(Page {
            records,
            next,
            searched: searched.filter(|_| !more),
        })
    }

    /// The newest requests behind a cursor, at most so many.
    async fn rows(
        &self,
        filter: &Filter,
        columns: Columns,
        limit: usize,
        after: Option<&(i64, String)>,
    ) -> Result<Vec<Record>, Fault> {
        // Keys are found in an index first, and only the page's rows are read.
        let mut sql = Sql::new(self.is_postgres(), "");
        let wanted = sql.columns(columns == Columns::All);
        sql.push(&format!(
            "SELECT {wanted} FROM (SELECT started_at AS page_at, id AS page_id FROM requests WHERE "
        ));
        filter.write(&mut sql)?;
        if let Some((at, id)) = after {
            let (at, id) = (sql.time(*at), sql.bind(Cell::Text(id.clone())));
            sql.push(&format!(" AND (started_at, id) < ({at}, {id})"));
        }
        sql.push(&format!(
            " ORDER BY started_at DESC, id DESC LIMIT {limit}) AS page \
             JOIN requests r ON r.id = page_id AND r.started_at = page_at \
             ORDER BY r.started_at DESC, r.id DESC"
        ));
        let rows = self.ask(sql.text, sql.values).await?;
        Ok(rows.into_iter().map(record).collect())
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

fn cursor(at: i64, id: &str) -> String {
    format!("{at:x}.{id}")
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
        assert_eq!(
            parse(&cursor(last.started_at, &last.id)),
            Ok((last.started_at, "a.b".into()))
        );
        for nonsense in ["", "12", "x.y", ".", "1.", "1.\0"] {
            assert!(
                matches!(parse(nonsense), Err(Fault::Question(_))),
                "{nonsense:?}"
            );
        }
    }
}
