//! Which namespaces the log has requests of.

use super::sql::Sql;
use crate::fault::Fault;
use crate::store::{Cell, Store};

impl Store {
    /// The namespaces that the log has requests of, by name, at most so many. On Postgres each costs a step down an index, whatever number of requests it has; SQLite reads its index
    /// once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn namespaces(&self, most: u32) -> Result<Vec<String>, Fault> {
        let text = if self.is_postgres() {
            "WITH RECURSIVE names (name) AS (SELECT min(namespace) FROM requests UNION ALL \
             SELECT (SELECT min(namespace) FROM requests WHERE namespace > names.name) FROM names WHERE name IS NOT NULL) \
             SELECT name FROM names WHERE name IS NOT NULL LIMIT $1"
        } else {
            "SELECT DISTINCT namespace FROM requests INDEXED BY requests_by_time ORDER BY 1 LIMIT $1"
        };
        let mut sql = Sql::new(self.is_postgres(), text);
        sql.bind(Cell::Int(i64::from(most)));
        let rows = self.ask(sql.text, sql.values).await?;
        let name = |row: Vec<Cell>| row.into_iter().next()?.text();
        Ok(rows.into_iter().filter_map(name).collect())
    }
}
