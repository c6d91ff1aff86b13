//! Which requests are asked for.

use super::sql::Sql;
use crate::fault::Fault;
use crate::record::{LONGEST_NAME, cut, without_nul};
use crate::store::Cell;
use serde_json::{Value, json};

/// Which requests are asked for. The default is all of them; what is set must hold together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Started then or later, in microseconds since the epoch.
    pub from: Option<i64>,
    /// Started before then.
    pub until: Option<i64>,
    /// The namespaces that whoever asks may see, or asks for. None means all, an empty list nothing.
    pub namespaces: Option<Vec<String>>,
    /// The route's name.
    pub route: Option<String>,
    /// Who called.
    pub user: Option<String>,
    /// The model as the client named it.
    pub model: Option<String>,
    /// How it ended.
    pub status: Option<Status>,
    /// It took at least so many milliseconds.
    pub min_duration_ms: Option<i64>,
    /// A text within the request's body, the reply's body, its content or the error; letters of ASCII match in either case. Needs `from`, because
    /// it is looked for in every request of that time.
    pub text: Option<String>,
    /// Custom attributes by name and value. A value matches as text, number or boolean, whichever the attribute is.
    pub attributes: Vec<(String, String)>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this status.
    Code(u16),
    /// With a status of this hundred: 5 for 500 to 599.
    Class(u8),
    /// As an error: with one recorded, or with a status from 400.
    Failed,
    /// Not as an error.
    Succeeded,
}

/// What is read of the requests that a filter lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Keys of the newest, by whichever index finds them first.
    Keys,
    /// Figures of all, from the index that holds them. In Postgres that index has short attributes alone, as `labels`.
    Figures,
    /// Figures of those whose attributes are too long for it. They have an index of their own.
    LongAttributes,
}

/// Where a text is looked for.
const TEXTS: [&str; 4] = ["request_body", "response_content", "response_body", "error"];

impl Filter {
    /// Adds the filter to a query as what follows `WHERE`.
    pub(super) fn write(&self, sql: &mut Sql) -> Result<(), Fault> {
        self.write_for(Read::Keys, sql)
    }

    /// The same, for what is to be read.
    pub(super) fn write_for(&self, read: Read, sql: &mut Sql) -> Result<(), Fault> {
        sql.push("TRUE");
        for (time, order) in [(self.from, ">="), (self.until, "<")] {
            if let Some(time) = time {
                let bound = sql.time(time);
                sql.push(&format!(" AND started_at {order} {bound}"));
            }
        }
        if let Some(namespaces) = &self.namespaces {
            sql.push(" AND ");
            // As they were stored.
            let namespaces: Vec<_> = namespaces.iter().map(|name| stored(name)).collect();
            sql.is_one_of("namespace", namespaces.iter().map(String::as_str));
        }
        let names = [
            ("route", &self.route),
            ("user_name", &self.user),
            ("model_requested", &self.model),
        ];
        for (column, name) in names {
            if let Some(name) = name {
                sql.push(" AND ");
                sql.is_one_of(column, [stored(name).as_str()]);
            }
        }
        self.status
            .into_iter()
            .for_each(|status| write_status(status, read, sql));
        if let Some(least) = self.min_duration_ms {
            let least = sql.bind(Cell::Int(least));
            sql.push(&format!(" AND duration_ms >= {least}"));
        }
        self.attributes
            .iter()
            .for_each(|(name, value)| write_attribute(name, value, read, sql));
        if read == Read::LongAttributes {
            sql.push(" AND attributes IS NOT NULL AND labels IS NULL");
        }
        self.write_text(sql)
    }

    fn write_text(&self, sql: &mut Sql) -> Result<(), Fault> {
        let Some(text) = &self.text else {
            return Ok(());
        };
        if self.from.is_none() {
            return Err(Fault::Question(
                "a search for text needs the time that it begins at".into(),
            ));
        }
        let text = without_nul(text).to_ascii_lowercase();
        let text = sql.bind(Cell::Text(text));
        let tests = TEXTS.map(|column| {
            if sql.postgres {
                format!("strpos(lower({column} COLLATE \"C\"), {text}) > 0")
            } else {
                format!("instr(lower({column}), {text}) > 0")
            }
        });
        sql.push(&format!(" AND ({})", tests.join(" OR ")));
        Ok(())
    }
}

/// A name as it is stored.
fn stored(name: &str) -> String {
    cut(&without_nul(name), LONGEST_NAME).into_owned()
}

fn write_status(status: Status, read: Read, sql: &mut Sql) {
    // Said too where a status implies it, so that the index of errors serves; and so that it does not, where more is read than it holds.
    let failed = match (read, sql.postgres) {
        (Read::Keys, true) => " AND failed",
        (Read::Keys, false) => " AND failed = 1",
        (_, true) => " AND failed::int = 1",
        (_, false) => " AND +failed = 1",
    };
    let (least, most) = match status {
        Status::Failed => return sql.push(failed),
        Status::Succeeded => return sql.push(" AND NOT failed"),
        Status::Code(code) => (i64::from(code), i64::from(code)),
        Status::Class(class) => (i64::from(class) * 100, i64::from(class) * 100 + 99),
    };
    let (low, high) = (sql.bind(Cell::Int(least)), sql.bind(Cell::Int(most)));
    sql.push(&format!(" AND status BETWEEN {low} AND {high}"));
    if least >= 400 {
        sql.push(failed);
    }
}

/// Texts, numbers and booleans of JSON are told apart by databases, and not by people who type one into a form.
fn write_attribute(name: &str, value: &str, read: Read, sql: &mut Sql) {
    let (name, value) = (without_nul(name), without_nul(value));
    let scalar = serde_json::from_str::<Value>(&value)
        .ok()
        .filter(|scalar| scalar.is_number() || scalar.is_boolean());
    if sql.postgres {
        let column = match read {
            Read::Keys => "attributes",
            Read::Figures => "labels",
            // Not to be looked for in the index of all attributes.
            Read::LongAttributes => "(attributes || '{}')",
        };
        let alternatives: Vec<_> = [Some(Value::from(value.as_ref())), scalar]
            .into_iter()
            .flatten()
            .map(|value| json!({ name.as_ref(): value }).to_string())
            .map(|part| format!("{column} @> {}::jsonb", sql.bind(Cell::Text(part))))
            .collect();
        sql.push(&format!(" AND ({})", alternatives.join(" OR ")));
        return;
    }
    let name = sql.bind(Cell::Text(name.into_owned()));
    let text = sql.bind(Cell::Text(value.into_owned()));
    let scalar = match scalar {
        Some(Value::Bool(value)) => format!(" OR a.type = '{value}'"),
        Some(Value::Number(number)) => {
            let whole = number.as_i64().map(Cell::Int);
            let number = whole
                .or_else(|| number.as_f64().map(Cell::Real))
                .unwrap_or(Cell::Int(0));
            format!(
                " OR a.type IN ('integer', 'real') AND a.atom = {}",
                sql.bind(number)
            )
        }
        _ => String::new(),
    };
    sql.push(&format!(
        " AND attributes IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(attributes) a WHERE a.key = {name} \
         AND (a.type = 'text' AND a.atom = {text}{scalar}))"
    ));
}
