//! The report as a table for people.

use std::fmt::Write as _;

use super::rows::{Comparison, Row, Yardstick};

/// The rows, aligned, under a line that says what the columns are; one table for each yardstick.
pub(super) fn text(rows: &[Row], rounds: usize) -> String {
    let mut text = String::new();
    for (beside, heads) in [
        (Yardstick::Nginx, ["nginx", "dragoman"]),
        (Yardstick::Own, ["without", "with"]),
    ] {
        let mut rows = rows.iter().filter(|row| row.beside == beside).peekable();
        if rows.peek().is_some() {
            table(heads, rows, &mut text);
        }
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Medians of {rounds} rounds; compared round by round.");
    text
}

fn table<'a>(heads: [&str; 2], rows: impl Iterator<Item = &'a Row>, text: &mut String) {
    let [yardstick, own] = heads;
    let _ = writeln!(
        text,
        "{:<58} {yardstick:>10} {own:>10}  {:<24} {:<12} met",
        "", "compared (least–most)", "bound"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:<58} {:>10} {:>10}  {:<24} {:<12} {}",
            format!("{}, {}", row.measure, row.unit),
            format!("{:.2}", row.yardstick.median),
            row.dragoman
                .map_or_else(|| "-".into(), |own| format!("{:.2}", own.median)),
            compared(row),
            bound(row),
            row.met.map_or("-", |met| if met { "yes" } else { "NO" }),
        );
    }
}

fn compared(row: &Row) -> String {
    let Some(spread) = row.compared else {
        return "-".into();
    };
    let (median, least, most) = (spread.median, spread.least, spread.most);
    match row.comparison {
        Comparison::Ratio => format!("{median:.2} × ({least:.2}–{most:.2})"),
        Comparison::Difference => format!("{median:+.2} {} ({least:+.2}–{most:+.2})", row.unit),
        Comparison::Absolute => format!("{median:.1} {} ({least:.1}–{most:.1})", row.unit),
    }
}

fn bound(row: &Row) -> String {
    let Some(bound) = row.bound else {
        return "-".into();
    };
    match row.comparison {
        Comparison::Ratio => format!("≤ {bound} ×"),
        Comparison::Difference => format!("≤ +{bound} {}", row.unit),
        Comparison::Absolute => format!("≤ {bound} {}", row.unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Round, Sample};

    #[test]
    fn a_row_shows_figures_comparison_bound_and_verdict() {
        let sample = |figure| Sample {
            mib_at_rest: Some(figure),
            ..Sample::default()
        };
        let round = Round {
            nginx: sample(5.0),
            dragoman: Some(sample(6.5)),
            ..Round::default()
        };
        let table = text(&super::super::rows::all(&[round]), 1);
        let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            row.join(" "),
            "RSS at rest, MiB 5.00 6.50 6.5 MiB (6.5–6.5) ≤ 10 MiB yes"
        );
    }
}
