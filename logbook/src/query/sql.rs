//! A question as it is put together: text of ours, and values that are always bound.

use crate::store::{COLUMNS, Cell, Kind, LARGE};

/// A statement of one of the two kinds of database, and its values.
pub(super) struct Sql {
    pub(super) postgres: bool,
    pub(super) text: String,
    pub(super) values: Vec<Cell>,
}

impl Sql {
    pub(super) fn new(postgres: bool, text: &str) -> Self {
        Self {
            postgres,
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    /// Adds text of ours. What others wrote goes through [`Self::bind`].
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes a value, and says what stands for it in the text. The same placeholder may be used again.
    pub(super) fn bind(&mut self, value: Cell) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// A time as the database keeps it.
    pub(super) fn time(&mut self, micros: i64) -> String {
        let value = self.bind(Cell::Int(micros));
        if self.postgres {
            format!("(timestamptz 'epoch' + {value} * interval '1 microsecond')")
        } else {
            value
        }
    }

    /// `column IN (…)`, or what is never so for no values.
    pub(super) fn is_one_of<'a>(
        &mut self,
        column: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) {
        let places: Vec<_> = values
            .into_iter()
            .map(|value| self.bind(Cell::Text(value.to_owned())))
            .collect();
        if places.is_empty() {
            self.push("FALSE");
        } else {
            self.push(&format!("{column} IN ({})", places.join(", ")));
        }
    }

    /// A time of the database as microseconds.
    pub(super) fn micros(&self, expr: &str) -> String {
        if self.postgres {
            format!("(extract(epoch FROM {expr}) * 1000000)::int8")
        } else {
            expr.to_owned()
        }
    }

    /// Money of the database as millionths.
    pub(super) fn millionths(&self, expr: &str) -> String {
        if self.postgres {
            format!("(({expr}) * 1000000)::int8")
        } else {
            format!("CAST(round(({expr}) * 1e6) AS INTEGER)")
        }
    }

    /// All columns of the table called `r`, as a record reads them; without the large ones if so wanted.
    pub(super) fn columns(&self, large: bool) -> String {
        let columns: Vec<_> = COLUMNS
            .iter()
            .map(|(name, kind)| match kind {
                _ if !large && LARGE.contains(name) => "NULL".to_owned(),
                Kind::Time => self.micros(&format!("r.{name}")),
                Kind::Money => self.millionths(&format!("r.{name}")),
                Kind::Int if self.postgres => format!("r.{name}::int8"),
                Kind::Bool if self.postgres => format!("r.{name}::int::int8"),
                Kind::Json if self.postgres => format!("r.{name}::text"),
                _ => format!("r.{name}"),
            })
            .collect();
        columns.join(", ")
    }
}
