//! One row per measure: its figures over all rounds, and the verdict.

use serde::Serialize;

use super::definitions::{Beside, DEFINITIONS, Definition};
use super::spread::Spread;
use crate::measure::Round;

/// What the proxy's figure stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Yardstick {
    /// nginx, which passes the same upstream's bytes on.
    Nginx,
    /// The proxy itself, without what is measured: a translation, a policy.
    Own,
}

/// What is held against the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Comparison {
    /// The proxy's figure divided by the yardstick's of the same round.
    Ratio,
    /// The proxy's figure less the yardstick's of the same round.
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
    /// What the proxy's figure stands beside.
    pub(crate) beside: Yardstick,
    /// The yardstick's figure.
    pub(crate) yardstick: Spread,
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

/// Every measure that was taken.
pub(super) fn all(rounds: &[Round]) -> Vec<Row> {
    DEFINITIONS
        .iter()
        .filter_map(|definition| definition.row(rounds))
        .collect()
}

impl Definition {
    fn row(&self, rounds: &[Round]) -> Option<Row> {
        let dragoman = |round: &Round| (self.figure)(round, round.dragoman.as_ref()?);
        let yardstick = |round: &Round| match self.beside {
            Beside::Nginx => (self.figure)(round, &round.nginx),
            // It may have been taken for its own sake: then there is nothing beside it.
            Beside::Own(figure) => dragoman(round).and(figure(round, round.dragoman.as_ref()?)),
        };
        let compare = |round: &Round| {
            let (own, beside) = (dragoman(round)?, yardstick(round)?);
            Some(match self.comparison {
                Comparison::Ratio => own / beside,
                Comparison::Difference => own - beside,
                Comparison::Absolute => own,
            })
        };
        let compared = Spread::of(rounds.iter().filter_map(compare));
        Some(Row {
            measure: self.measure,
            unit: self.unit,
            beside: match self.beside {
                Beside::Nginx => Yardstick::Nginx,
                Beside::Own(_) => Yardstick::Own,
            },
            yardstick: Spread::of(rounds.iter().filter_map(yardstick))?,
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
    use crate::measure::{Sample, Translated};

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

    #[test]
    fn a_policy_is_held_against_nginx_and_against_the_proxy_without_it() {
        let mut round = round(10.0, 12.0);
        round.nginx.cpu_per_guarded_request_us = Some(20.0);
        let guarded = round.dragoman.as_mut().unwrap();
        guarded.cpu_per_guarded_request_us = Some(28.0);
        let rows = all(&[round]);
        let compared: Vec<_> = rows[1..].iter().map(|row| row.compared.unwrap()).collect();
        assert_eq!(compared[0].median, 1.4);
        assert_eq!(rows[1].met, Some(true));
        assert_eq!(compared[1].median, 16.0);
        assert_eq!((rows[2].beside, rows[2].met), (Yardstick::Own, Some(false)));
    }

    #[test]
    fn translation_at_full_speed_is_held_against_the_proxy_itself() {
        let mut round = Round::default();
        let mut sample = Sample::default();
        sample.translated[1] = Translated {
            cpu_per_full_event_us: Some(1.5),
            cpu_per_untranslated_event_us: Some(0.25),
            ..Translated::default()
        };
        round.dragoman = Some(sample);
        let rows = all(&[round]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].beside, Yardstick::Own);
        assert_eq!(rows[0].compared.unwrap().median, 1.25);
        assert_eq!(rows[0].met, Some(false));
    }
}
