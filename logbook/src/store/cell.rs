//! One value on its way to a database or from it, the same for both kinds.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Column, Postgres, Row, Sqlite, TypeInfo, ValueRef};

/// A value. Every query is written so that these four are all it takes and gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Option<i64>> for Cell {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Int)
    }
}

impl From<Option<String>> for Cell {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

impl Cell {
    /// The text, if it is one.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is a whole one.
    pub(crate) const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub(crate) fn bind_sqlite(self, arguments: &mut SqliteArguments) -> Result<(), sqlx::Error> {
        match self {
            Self::Null => arguments.add(None::<i64>),
            Self::Int(int) => arguments.add(int),
            Self::Real(real) => arguments.add(real),
            Self::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)
    }

    pub(crate) fn bind_postgres(self, arguments: &mut PgArguments) -> Result<(), sqlx::Error> {
        match self {
            Self::Null => arguments.add(None::<i64>),
            Self::Int(int) => arguments.add(int),
            Self::Real(real) => arguments.add(real),
            Self::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)
    }
}

/// A row of SQLite as cells.
pub(crate) fn of_sqlite(row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
    (0..row.len())
        .map(|at| {
            let value = row.try_get_raw(at)?;
            let (null, kind) = (value.is_null(), value.type_info());
            Ok(match kind.name() {
                _ if null => Cell::Null,
                "TEXT" => Cell::Text(decode::<String, Sqlite>(value)?),
                "REAL" => Cell::Real(decode::<f64, Sqlite>(value)?),
                _ => Cell::Int(decode::<i64, Sqlite>(value)?),
            })
        })
        .collect()
}

/// A row of Postgres as cells; columns are BIGINT, DOUBLE PRECISION or TEXT by how queries are written.
pub(crate) fn of_postgres(row: &PgRow) -> Result<Vec<Cell>, sqlx::Error> {
    row.columns()
        .iter()
        .map(|column| {
            let value = row.try_get_raw(column.ordinal())?;
            Ok(match column.type_info().name() {
                _ if value.is_null() => Cell::Null,
                "INT8" => Cell::Int(decode::<i64, Postgres>(value)?),
                "FLOAT8" => Cell::Real(decode::<f64, Postgres>(value)?),
                _ => Cell::Text(decode::<String, Postgres>(value)?),
            })
        })
        .collect()
}

fn decode<'r, T: sqlx::Decode<'r, D>, D: sqlx::Database>(
    value: <D as sqlx::Database>::ValueRef<'r>,
) -> Result<T, sqlx::Error> {
    T::decode(value).map_err(sqlx::Error::Decode)
}
