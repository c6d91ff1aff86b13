//! What was counted within a span, tick by tick.

use std::collections::VecDeque;

use super::span::{Now, Span};

/// Amounts by the tick in which they were counted, oldest first. A window has at most 66 of them.
#[derive(Debug, Default)]
pub(super) struct Count {
    ticks: VecDeque<(u64, u64)>,
    total: u64,
}

impl Count {
    /// What counts now.
    pub(super) fn total(&mut self, span: Span, now: Now) -> u64 {
        while let Some((tick, amount)) = self.ticks.front().copied()
            && span.left(tick, now) == 0
        {
            self.total = self.total.saturating_sub(amount);
            self.ticks.pop_front();
        }
        self.total
    }

    /// Counts so much more.
    pub(super) fn add(&mut self, amount: u64, span: Span, now: Now) {
        if amount == 0 {
            return;
        }
        let tick = span.tick(now);
        self.total = self.total.saturating_add(amount);
        match self.ticks.back_mut() {
            // Another thread may have counted in a later tick by now.
            Some((last, sum)) if *last >= tick => *sum = sum.saturating_add(amount),
            _ => self.ticks.push_back((tick, amount)),
        }
    }

    /// Takes back so much of what was counted in a tick, if that still counts.
    pub(super) fn take(&mut self, amount: u64, tick: u64) {
        let found = self.ticks.iter_mut().find(|(at, _)| *at == tick);
        if let Some((_, sum)) = found {
            let taken = amount.min(*sum);
            *sum -= taken;
            self.total -= taken;
        }
    }

    /// How many milliseconds it takes until `amount` more fits under `most`; none if it never does.
    pub(super) fn wait(&self, amount: u64, most: u64, span: Span, now: Now) -> Option<u64> {
        let mut free = most.checked_sub(amount)?;
        let mut wait = 0;
        // From the newest back: what fits may stay.
        for (tick, sum) in self.ticks.iter().rev() {
            match free.checked_sub(*sum) {
                Some(left) => free = left,
                None => {
                    wait = span.left(*tick, now);
                    break;
                }
            }
        }
        Some(wait)
    }

    /// How many milliseconds it takes until nothing counts any more.
    pub(super) fn reset(&self, span: Span, now: Now) -> u64 {
        let newest = self.ticks.back();
        newest.map_or(0, |(tick, _)| span.left(*tick, now))
    }
}

#[cfg(test)]
mod tests {
    use dragoman_config::SpanItem;
    use proptest::prelude::*;

    use super::*;

    fn at(steady: u64) -> Now {
        Now { steady, utc: 0 }
    }

    proptest! {
        #[test]
        fn never_more_than_the_bound_within_any_window(
            window in 1u64..5000,
            most in 1u64..20,
            gaps in proptest::collection::vec((0u64..600, 1u64..4), 1..300),
        ) {
            let span = Span::new(SpanItem::Window(window));
            let mut count = Count::default();
            let mut admitted: Vec<(u64, u64)> = Vec::new();
            let mut now = 12_345;
            for (gap, amount) in gaps {
                now += gap;
                if count.total(span, at(now)) + amount <= most {
                    count.add(amount, span, at(now));
                    admitted.push((now, amount));
                } else if amount <= most {
                    let wait = count.wait(amount, most, span, at(now)).unwrap();
                    prop_assert!(wait > 0);
                    // A 64th of the window more than the truth, at most.
                    let exact: u64 = admitted.iter().filter(|(then, _)| now + wait < then + window).map(|(_, sum)| sum).sum();
                    prop_assert!(exact + amount <= most);
                    let tick = window.div_ceil(64);
                    let sooner = now + wait;
                    let kept: u64 = admitted.iter().filter(|(then, _)| sooner <= then + window + tick).map(|(_, sum)| sum).sum();
                    prop_assert!(kept + amount > most, "it waits too long");
                }
                prop_assert!(count.ticks.len() <= 67);
            }
            for (last, _) in &admitted {
                let within = admitted.iter().filter(|(then, _)| then <= last && last - then < window);
                prop_assert!(within.map(|(_, sum)| sum).sum::<u64>() <= most);
            }
        }
    }

    #[test]
    fn what_is_taken_back_no_longer_counts_and_nothing_else_is_taken() {
        let span = Span::new(SpanItem::Window(6400));
        let mut count = Count::default();
        count.add(10, span, at(0));
        count.add(5, span, at(200));
        count.take(4, 0);
        assert_eq!(count.total(span, at(200)), 11);
        count.take(100, 2);
        count.take(1, 77);
        assert_eq!(count.total(span, at(200)), 6);
        assert_eq!(count.total(span, at(6500)), 0);
        count.take(6, 0);
        assert_eq!(count.total(span, at(6500)), 0);
    }

    #[test]
    fn what_never_fits_is_told_from_what_does_later() {
        let span = Span::new(SpanItem::Window(6400));
        let mut count = Count::default();
        count.add(10, span, at(0));
        assert_eq!(count.wait(11, 10, span, at(0)), None);
        assert_eq!(count.wait(10, 10, span, at(0)), Some(6500));
        assert_eq!(count.wait(0, 10, span, at(0)), Some(0));
    }
}
