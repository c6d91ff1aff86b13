//! What `docs/dialects.md` says of a cell.

use std::collections::HashMap;
use std::fs;

use dragoman_system::root;

use super::wires::Side;

/// What becomes of a client's request for an upstream.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Translated,
    Refused(Refusal),
    /// A 400 of the server's own that names this field.
    Judged(&'static str),
}

/// A 400 that says one of these names of a field, and why.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) names: Vec<String>,
    pub(super) message: String,
}

/// The tables of requests: by client's title, feature and upstream's column.
pub(super) struct Page {
    cells: HashMap<(String, String, String), Cell>,
}

impl Page {
    /// Reads the page.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(root().join("docs/dialects.md")).unwrap();
        let refusals = refusals(&text);
        let mut cells = HashMap::new();
        for section in text.split("\n### Clients of ").skip(1) {
            let (title, section) = section.split_once('\n').unwrap();
            let section = section.split("\n## ").next().unwrap();
            let mut rows = section
                .lines()
                .filter(|line| line.starts_with('|'))
                .map(row);
            let columns = rows.next().unwrap();
            for row in rows.skip(1) {
                for (column, cell) in columns.iter().zip(&row).skip(1) {
                    let key = (title.to_owned(), row[0].clone(), column.clone());
                    cells.insert(key, read(cell, &refusals));
                }
            }
        }
        Self { cells }
    }

    /// What it says.
    pub(super) fn cell(&self, client: &Side, upstream: &Side, feature: &str) -> Cell {
        let key = (
            client.title.to_owned(),
            feature.to_owned(),
            upstream.column.to_owned(),
        );
        let cell = self.cells.get(&key);
        cell.unwrap_or_else(|| panic!("the page lacks {key:?}"))
            .clone()
    }
}

/// The cells of a line.
fn row(line: &str) -> Vec<String> {
    let cells = line.trim_matches('|').split('|');
    cells.map(|cell| cell.trim().to_owned()).collect()
}

fn read(cell: &str, refusals: &[Refusal]) -> Cell {
    match cell.strip_prefix("✗ ") {
        Some(number) => Cell::Refused(refusals[number.parse::<usize>().unwrap() - 1].clone()),
        None => {
            assert!(cell.starts_with('✓'), "{cell:?}");
            Cell::Translated
        }
    }
}

/// Each refusal: ``7. `seed`, `options.seed`: … ([page](…))``.
fn refusals(text: &str) -> Vec<Refusal> {
    let (_, list) = text.split_once("\n## Refusals\n").unwrap();
    let lines = list.lines().filter_map(|line| line.split_once(". `"));
    let read = |(_, rest): (&str, &str)| {
        let (names, rest) = rest.split_once("`: ").unwrap();
        let message = rest.split(" ([page](").next().unwrap();
        Refusal {
            names: names.split("`, `").map(str::to_owned).collect(),
            message: message.to_owned(),
        }
    };
    lines.map(read).collect()
}
