//! What goes wrong with the log, whose fault it is, and whether a retry helps.

/// Why something could not be stored or read. No message holds a value of a row, nor a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The database, or the way to it: away, overloaded, full, refusing our login. Nothing is wrong with the rows, so a retry helps.
    #[error("the log's database is away: {0}")]
    Away(String),
    /// A row that this database cannot hold. A retry never helps; the other rows of its batch can be stored without it.
    #[error("a row of the log cannot be stored: {0}")]
    Row(String),
    /// The caller asked for what cannot be answered. A retry never helps.
    #[error("{0}")]
    Question(String),
    /// A question that took longer than it may, so that it was given up. A retry helps little; a shorter time or another filter does.
    #[error(
        "the question takes too long to answer; ask for a shorter time, or for something more exact"
    )]
    Slow,
    /// The database's address or schema is not one that this program can work with. A retry helps once somebody has changed that.
    #[error("the log's database cannot be used: {0}")]
    Unusable(String),
}

impl Fault {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn may_retry(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Unusable(_))
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::Encode(_) => Self::Row(error.to_string()),
                sqlx::Error::Configuration(_) | sqlx::Error::ColumnDecode { .. } => {
                    Self::Unusable(error.to_string())
                }
                _ => Self::Away(error.to_string()),
            };
        };
        let said = database.message().to_owned();
        let code = database.code().unwrap_or_default();
        if database
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .is_some()
        {
            of_postgres(&code, said)
        } else {
            of_sqlite(code.parse().unwrap_or_default(), said)
        }
    }
}

/// Source: [Postgres, appendix A](https://www.postgresql.org/docs/current/errcodes-appendix.html).
fn of_postgres(code: &str, said: String) -> Fault {
    // A statement that took longer than its bound.
    if code == "57014" {
        return Fault::Slow;
    }
    match code.get(..2) {
        // Data that does not fit its type, a constraint, or a limit such as an index entry's size.
        Some("22" | "23" | "54") => Fault::Row(said),
        // No such table or column, a function that is too new: not the schema that we migrate to.
        Some("0A" | "42") if code != "42501" => Fault::Unusable(said),
        _ => Fault::Away(said),
    }
}

/// Source: [SQLite's result codes](https://www.sqlite.org/rescode.html); the low byte is the primary one.
fn of_sqlite(code: u32, said: String) -> Fault {
    const ERROR: u32 = 1;
    const INTERRUPTED: u32 = 9;
    const TOO_BIG: u32 = 18;
    const CONSTRAINT: u32 = 19;
    const MISMATCH: u32 = 20;
    const NOT_A_DATABASE: u32 = 26;
    match code & 0xff {
        TOO_BIG | CONSTRAINT | MISMATCH => Fault::Row(said),
        INTERRUPTED => Fault::Slow,
        ERROR | NOT_A_DATABASE => Fault::Unusable(said),
        _ => Fault::Away(said),
    }
}

impl From<sqlx::migrate::MigrateError> for Fault {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Unusable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_does_not_fit_is_never_tried_again() {
        for code in ["22021", "22P05", "23514", "54000"] {
            assert!(!of_postgres(code, String::new()).may_retry(), "{code}");
        }
        assert!(!of_sqlite(18, String::new()).may_retry());
    }

    #[test]
    fn a_database_that_is_away_full_or_refuses_us_is_tried_again() {
        for code in [
            "08006", "57P01", "53100", "53300", "28P01", "3D000", "42501", "40001", "25006",
        ] {
            assert!(
                matches!(of_postgres(code, String::new()), Fault::Away(_)),
                "{code}"
            );
        }
        // Busy, and its extended code for a snapshot; I/O error; full.
        for code in [5, 517, 10, 13] {
            assert!(
                matches!(of_sqlite(code, String::new()), Fault::Away(_)),
                "{code}"
            );
        }
    }
}
