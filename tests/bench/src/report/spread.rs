//! A median with the extremes around it.

use serde::Serialize;

/// A median with the extremes around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle; of an even number the mean of the middle two.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The most.
    pub(crate) most: f64,
}

impl Spread {
    /// Of these values; `None` of none.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], upper),
            _ => upper,
        };
        Some(Self {
            median,
            least: sorted[0],
            most: sorted[sorted.len() - 1],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_round_does_not_move_the_median() {
        let spread = Spread::of([1.0, 90.0, 1.2].into_iter()).unwrap();
        assert_eq!(
            spread,
            Spread {
                median: 1.2,
                least: 1.0,
                most: 90.0
            }
        );
    }

    #[test]
    fn an_even_number_has_its_median_between() {
        assert_eq!(
            Spread::of([4.0, 1.0, 2.0, 3.0].into_iter()).unwrap().median,
            2.5
        );
        assert_eq!(Spread::of(std::iter::empty()), None);
    }
}
