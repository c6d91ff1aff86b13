//! One row per measure: how it is compared, and its bound.

use serde::Serialize;

use super::spread::Spread;
use crate::measure::{Round, Sample};

/// What is held against the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Comparison {
    /// The proxy's figure divided by nginx's of the same round.
    Ratio,
    /// The proxy's figure less nginx's of the same round.
    Difference,
    /// The proxy's figure itself.
    Absolute,
}

/// One measure over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) measure: &'static str,
    /// Of the figures.
    pub(crate) unit: &'static str,
    /// nginx's figure.
    pub(crate) nginx: Spread,
    /// The proxy's figure.
    pub(crate) dragoman: Option<Spread>,
    /// How the two are compared.
    pub(crate) comparison: Comparison,
    /// What the comparison gave, round by round.
    pub(crate) compared: Option<Spread>,
    /// The most that the median of the comparison may be.
    pub(crate) bound: Option<f64>,
    /// Whether it is; `None` where there is no bound, or nothing to hold against it.
    pub(crate) met: Option<bool>,
}

/// A measure, before any figure.
struct Definition {
    measure: &'static str,
    unit: &'static str,
    comparison: Comparison,
    bound: Option<f64>,
    figure: fn(&Round, &Sample) -> Option<f64>,
}

const DEFINITIONS: [Definition; 7] = [
    Definition {
        measure: "CPU per request, 16 connections",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.5),
        figure: |_, sample| sample.cpu_per_request_us,
    },
    Definition {
        measure: "added p50, 1 connection",
        unit: "µs",
        comparison: Comparison::Difference,
        bound: Some(10.0),
        figure: |round, sample| Some(sample.p50_us? - round.direct_p50_us?),
    },
    Definition {
        measure: "CPU per event, 32 streams at 20 ms",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: Some(1.3),
        figure: |_, sample| sample.cpu_per_paced_event_us,
    },
    Definition {
        measure: "CPU per event, 8 streams at full speed",
        unit: "µs",
        comparison: Comparison::Ratio,
        bound: None,
        figure: |_, sample| sample.cpu_per_full_event_us,
    },
    Definition {
        measure: "RSS per idle stream",
        unit: "KiB",
        comparison: Comparison::Absolute,
        bound: Some(30.0),
        figure: |_, sample| sample.kib_per_idle_stream,
    },
    Definition {
        measure: "RSS at rest",
        unit: "MiB",
        comparison: Comparison::Absolute,
        bound: Some(10.0),
        figure: |_, sample| sample.mib_at_rest,
    },
    Definition {
        measure: "of it anonymous",
        unit: "MiB",
        comparison: Comparison::Absolute,
        bound: None,
        figure: |_, sample| sample.anonymous_mib_at_rest,
    },
];

/// Every measure that was taken.
pub(super) fn all(rounds: &[Round]) -> Vec<Row> {
    DEFINITIONS
        .iter()
        .filter_map(|definition| definition.row(rounds))
        .collect()
}

impl Definition {
    fn row(&self, rounds: &[Round]) -> Option<Row> {
        let nginx = |round: &Round| (self.figure)(round, &round.nginx);
        let dragoman = |round: &Round| (self.figure)(round, round.dragoman.as_ref()?);
        let compare = |round: &Round| {
            let (own, yardstick) = (dragoman(round)?, nginx(round)?);
            Some(match self.comparison {
                Comparison::Ratio => own / yardstick,
                Comparison::Difference => own - yardstick,
                Comparison::Absolute => own,
            })
        };
        let compared = Spread::of(rounds.iter().filter_map(compare));
        Some(Row {
            measure: self.measure,
            unit: self.unit,
            nginx: Spread::of(rounds.iter().filter_map(nginx))?,
            dragoman: Spread::of(rounds.iter().filter_map(dragoman)),
            comparison: self.comparison,
            compared,
            bound: self.bound,
            met: compared
                .zip(self.bound)
                .map(|(compared, bound)| compared.median <= bound),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(nginx: f64, dragoman: f64) -> Round {
        let sample = |figure| Sample {
            cpu_per_request_us: Some(figure),
            ..Sample::default()
        };
        Round {
            nginx: sample(nginx),
            dragoman: Some(sample(dragoman)),
            ..Round::default()
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine was twice as slow in the second round, for both.
        let rows = all(&[round(10.0, 12.0), round(20.0, 24.0), round(10.0, 12.0)]);
        assert_eq!(rows.len(), 1);
        let compared = rows[0].compared.unwrap();
        assert!((compared.least - 1.2).abs() < 1e-9 && (compared.most - 1.2).abs() < 1e-9);
        assert_eq!(rows[0].met, Some(true));
    }

    #[test]
    fn a_bound_that_is_passed_is_not_met() {
        assert_eq!(all(&[round(10.0, 15.1)])[0].met, Some(false));
    }

    #[test]
    fn nginx_alone_is_held_against_nothing() {
        let alone = Round {
            dragoman: None,
            ..round(10.0, 0.0)
        };
        assert_eq!(all(&[alone])[0].met, None);
    }
}
