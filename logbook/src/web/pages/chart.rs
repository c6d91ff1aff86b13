//! Charts, drawn on the server as SVG. Colours and strokes are the stylesheet's; a table beside them says the same to whoever cannot see them.

use super::figures::{duration, money, number, short, time};
use super::frame::drawn;
use crate::web::time::rfc3339;
use maud::{Escaper, Markup, html};
use std::fmt::Write as _;

const WIDTH: i64 = 480;
const HEIGHT: i64 = 180;
const LEFT: i64 = 52;
const RIGHT: i64 = 8;
const TOP: i64 = 10;
const BOTTOM: i64 = 26;
const PLOT_WIDTH: i64 = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT: i64 = HEIGHT - TOP - BOTTOM;
/// Lines across, beside the base.
const LINES: i64 = 4;
/// About how many times are written below.
const TIMES: i64 = 5;

/// What values are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Milliseconds,
    /// Millionths.
    Money,
}

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// On top of each other.
    Bars,
    Lines,
}

/// What is drawn in one colour: `class` is the stylesheet's.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    /// One value for each step.
    pub(super) values: Vec<Option<i64>>,
}

/// A chart over time.
pub(super) struct Chart<'a> {
    pub(super) title: &'static str,
    pub(super) unit: Unit,
    pub(super) shape: Shape,
    pub(super) series: Vec<Series>,
    /// Where each step begins, in microseconds.
    pub(super) steps: &'a [i64],
    /// The time from one step to the next.
    pub(super) step: i64,
}

impl Unit {
    pub(super) fn show(self, value: i64) -> String {
        match self {
            Self::Count => number(value),
            Self::Milliseconds => duration(value),
            Self::Money => money(value),
        }
    }

    /// As it stands beside a line across.
    fn tick(self, value: i64) -> String {
        match self {
            Self::Count => short(value),
            Self::Milliseconds if value < 1000 => format!("{value} ms"),
            Self::Milliseconds if value % 1000 == 0 || value >= 100_000 => {
                format!("{} s", number(value / 1000))
            }
            Self::Milliseconds => format!("{}.{} s", value / 1000, value % 1000 / 100),
            Self::Money => money(value),
        }
    }
}

impl Chart<'_> {
    /// The chart with its title and legend.
    pub(super) fn draw(&self) -> Markup {
        html! {
            figure.chart {
                figcaption {
                    span.title { (self.title) }
                    ul.legend {
                        @for series in &self.series {
                            li { span class={ "swatch " (series.class) } {} (series.name) }
                        }
                    }
                }
                (drawn(self.svg()))
            }
        }
    }

    fn svg(&self) -> String {
        let highest = nice(self.highest(), self.unit);
        let mut svg = String::new();
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            svg,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\""
        );
        let _ = write!(Escaper::new(&mut svg), "{}: {}", self.title, self.summary());
        svg.push_str("\">");
        for line in 0..=LINES {
            let value = highest / LINES * line;
            let y = self.y(value, highest);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/><text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6,
                y + 4,
                self.unit.tick(value)
            );
        }
        self.times(&mut svg);
        match self.shape {
            Shape::Bars => self.bars(&mut svg, highest),
            Shape::Lines => self.lines(&mut svg, highest),
        }
        self.hints(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn highest(&self) -> i64 {
        let at = |step: usize| {
            let values = self
                .series
                .iter()
                .filter_map(|series| series.values.get(step).copied().flatten());
            match self.shape {
                Shape::Bars => values.sum::<i64>(),
                Shape::Lines => values.max().unwrap_or_default(),
            }
        };
        (0..self.steps.len()).map(at).max().unwrap_or_default()
    }

    /// For whoever hears the chart.
    fn summary(&self) -> String {
        let each: Vec<_> = self
            .series
            .iter()
            .map(|series| {
                let highest = series.values.iter().flatten().max();
                let highest =
                    highest.map_or_else(|| "none".to_owned(), |most| self.unit.show(*most));
                format!("{} at most {highest}", series.name)
            })
            .collect();
        format!("{}. The table below has all figures.", each.join(", "))
    }

    fn y(&self, value: i64, highest: i64) -> i64 {
        let part = i128::from(value) * i128::from(PLOT_HEIGHT) / i128::from(highest.max(1));
        TOP + PLOT_HEIGHT - i64::try_from(part).unwrap_or(PLOT_HEIGHT)
    }

    /// Where a step begins, in tenths.
    fn x(&self, step: usize) -> i64 {
        let (step, steps) = (to_i64(step), to_i64(self.steps.len()).max(1));
        LEFT * 10 + PLOT_WIDTH * 10 * step / steps
    }

    fn bars(&self, svg: &mut String, highest: i64) {
        let mut below = vec![0_i64; self.steps.len()];
        for series in &self.series {
            for (step, below) in below.iter_mut().enumerate() {
                let Some(value) = series
                    .values
                    .get(step)
                    .copied()
                    .flatten()
                    .filter(|value| *value > 0)
                else {
                    continue;
                };
                let bottom = self.y(*below, highest);
                *below += value;
                // What is there is seen, however little it is.
                let top = self.y(*below, highest).min(bottom - 1);
                let (left, right) = (self.x(step), self.x(step + 1));
                let gap = if right - left > 40 { 10 } else { 2 };
                let _ = write!(
                    svg,
                    "<rect class=\"{}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{}\"/>",
                    series.class,
                    tenths(left),
                    tenths((right - left - gap).max(4)),
                    bottom - top
                );
            }
        }
    }

    fn lines(&self, svg: &mut String, highest: i64) {
        for series in &self.series {
            let mut path = String::new();
            let mut before = None;
            for (step, value) in series.values.iter().enumerate() {
                if let Some(value) = value {
                    let middle = (self.x(step) + self.x(step + 1)) / 2;
                    let (x, y) = (tenths(middle), self.y(*value, highest));
                    let word = if before.is_some() { 'L' } else { 'M' };
                    let _ = write!(path, "{word}{x} {y}");
                    let alone = before.is_none()
                        && series.values.get(step + 1).copied().flatten().is_none();
                    if alone {
                        let _ = write!(
                            svg,
                            "<circle class=\"{}\" cx=\"{x}\" cy=\"{y}\" r=\"2.5\"/>",
                            series.class
                        );
                    }
                }
                before = *value;
            }
            let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", series.class);
        }
    }

    /// Times below the base, where they are round.
    fn times(&self, svg: &mut String) {
        let every = (to_i64(self.steps.len()) / TIMES).max(1);
        let days = self.step.saturating_mul(every) >= 86_400_000_000;
        let mut step = 0;
        while let Some(at) = self.steps.get(step) {
            let text = rfc3339(*at);
            let text = if days {
                text.get(5..10)
            } else {
                text.get(11..16)
            };
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{}\" y=\"{}\">{}</text>",
                tenths(self.x(step)),
                HEIGHT - 8,
                text.unwrap_or_default()
            );
            step += usize::try_from(every).unwrap_or(1);
        }
    }

    /// What each step holds, for whoever points at it.
    fn hints(&self, svg: &mut String) {
        for (step, at) in self.steps.iter().enumerate() {
            let (left, right) = (self.x(step), self.x(step + 1));
            let text = rfc3339(*at);
            let _ = write!(
                svg,
                "<rect class=\"hint\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{PLOT_HEIGHT}\"><title>{}",
                tenths(left),
                tenths(right - left),
                text.get(..16).unwrap_or(&text).replace('T', " ")
            );
            for series in &self.series {
                if let Some(value) = series.values.get(step).copied().flatten() {
                    let _ = write!(svg, "\n{}: {}", series.name, self.unit.show(value));
                }
            }
            svg.push_str("</title></rect>");
        }
    }
}

/// The figures of several charts, for whoever cannot see them.
pub(super) fn table(charts: &[Chart<'_>], steps: &[i64]) -> Markup {
    html! {
        details.figures {
            summary { "All figures as a table" }
            div.scroll tabindex="0" role="region" aria-label="Figures over time" {
                table {
                    thead {
                        tr {
                            th rowspan="2" scope="col" { "From (UTC)" }
                            @for chart in charts { th colspan=(chart.series.len()) scope="colgroup" { (chart.title) } }
                        }
                        tr {
                            @for series in charts.iter().flat_map(|chart| &chart.series) { th.n scope="col" { (series.name) } }
                        }
                    }
                    tbody {
                        @for (step, at) in steps.iter().enumerate() {
                            tr {
                                th scope="row" { (time(*at)) }
                                @for chart in charts {
                                    @for series in &chart.series {
                                        td.n { (super::figures::maybe(series.values.get(step).copied().flatten(), |value| chart.unit.show(value))) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The next round number, which four lines divide evenly.
fn nice(highest: i64, unit: Unit) -> i64 {
    let least = match unit {
        Unit::Count | Unit::Milliseconds => LINES,
        Unit::Money => 100,
    };
    let mut size: i64 = 1;
    loop {
        for digit in [4, 8, 12, 16, 20, 24, 32, 40, 60] {
            let round = size.saturating_mul(digit);
            if round >= highest.max(least) || round == i64::MAX {
                return round;
            }
        }
        size = size.saturating_mul(10);
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn tenths(value: i64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_across_stand_at_round_numbers() {
        for (highest, round) in [
            (0, 4),
            (3, 4),
            (5, 8),
            (9, 12),
            (13, 16),
            (99, 120),
            (52, 60),
            (401, 600),
            (12_000, 12_000),
        ] {
            assert_eq!(nice(highest, Unit::Count), round);
        }
        assert!(nice(i64::MAX, Unit::Count) > 0);
    }

    #[test]
    fn a_chart_of_anything_is_drawn_within_its_frame() {
        for values in [
            vec![],
            vec![None],
            vec![Some(0)],
            vec![Some(i64::MAX / 8), None, Some(1)],
        ] {
            let steps: Vec<i64> = (0..values.len())
                .map(|at| to_i64(at) * 60_000_000)
                .collect();
            for shape in [Shape::Bars, Shape::Lines] {
                let series = |name| Series {
                    name,
                    class: "s1",
                    values: values.clone(),
                };
                let chart = Chart {
                    title: "A & B",
                    unit: Unit::Milliseconds,
                    shape,
                    series: vec![series("one"), series("two")],
                    steps: &steps,
                    step: 60_000_000,
                };
                let svg = chart.svg();
                assert!(svg.contains("A &amp; B") && !svg.contains("=\"-"), "{svg}");
            }
        }
    }
}
