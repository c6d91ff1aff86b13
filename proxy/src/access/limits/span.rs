//! The time within which a limit counts, cut into ticks: a 64th of a window that slides, or a whole day or month of UTC.
//!
//! A tick of a window counts until all that happened in it is older than the window. So a request is counted for no less than the window and
//! for no more than 65 64ths of it, and never does more than the bound fall within any window.

use dragoman_config::SpanItem;
use dragoman_crds::Calendar;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Into how many ticks a window is cut.
const TICKS: u64 = 64;

/// The present, by two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Milliseconds by a clock that never goes back.
    pub(crate) steady: u64,
    /// Milliseconds since 1970.
    pub(crate) utc: i64,
}

/// A time within which is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// So many milliseconds, and how long a tick of them is.
    Window { length: u64, tick: u64 },
    /// A day of UTC.
    Day,
    /// A month of UTC.
    Month,
}

impl Span {
    pub(crate) fn new(item: SpanItem) -> Self {
        match item {
            SpanItem::Window(length) => Self::Window {
                length,
                tick: length.div_ceil(TICKS).max(1),
            },
            SpanItem::Calendar(Calendar::Day) => Self::Day,
            SpanItem::Calendar(Calendar::Month) => Self::Month,
        }
    }

    /// The tick of now.
    pub(crate) fn tick(self, now: Now) -> u64 {
        match self {
            Self::Window { tick, .. } => now.steady / tick,
            Self::Day => now.utc.div_euclid(DAY).unsigned_abs(),
            Self::Month => {
                let date = date(now.utc);
                let months = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
                months.unsigned_abs()
            }
        }
    }

    /// For how many milliseconds from now a tick counts; 0 once it does no more.
    pub(crate) fn left(self, of: u64, now: Now) -> u64 {
        match self {
            Self::Window { length, tick } => {
                let until = (of.saturating_add(1))
                    .saturating_mul(tick)
                    .saturating_add(length);
                until.saturating_sub(now.steady)
            }
            Self::Day | Self::Month if of < self.tick(now) => 0,
            Self::Day => (DAY - now.utc.rem_euclid(DAY)).unsigned_abs(),
            Self::Month => {
                let next = date(now.utc).last_of_month().tomorrow();
                let next = next.and_then(|next| next.to_zoned(TimeZone::UTC));
                let next = next.map_or(now.utc, |next| next.timestamp().as_millisecond());
                next.saturating_sub(now.utc).max(1).unsigned_abs()
            }
        }
    }

    /// In words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Window { length, .. } if length % 1000 == 0 => {
                format!("within {}s", length / 1000)
            }
            Self::Window { length, .. } => format!("within {length}ms"),
            Self::Day => "a day (UTC)".into(),
            Self::Month => "a month (UTC)".into(),
        }
    }
}

const DAY: i64 = 86_400_000;

fn date(utc: i64) -> Date {
    let at = Timestamp::from_millisecond(utc).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Now {
        let utc = text.parse::<Timestamp>().unwrap().as_millisecond();
        Now { steady: 0, utc }
    }

    #[test]
    fn a_tick_of_a_window_counts_until_all_of_it_is_older_than_the_window() {
        for length in [1000, 60_000, 999, 7] {
            let span = Span::new(SpanItem::Window(length));
            let Span::Window { tick, .. } = span else {
                unreachable!()
            };
            for at in [0, 1, tick - 1, tick, 5 * tick + 3] {
                let made = span.tick(Now { steady: at, utc: 0 });
                let left = |steady| span.left(made, Now { steady, utc: 0 });
                assert!(left(at + length - 1) > 0, "{length} {at}");
                assert_eq!(left(at + length + tick), 0, "{length} {at}");
            }
        }
    }

    #[test]
    fn days_and_months_end_at_midnight_of_utc() {
        let late = utc("2028-02-28T23:59:59.500Z");
        assert_eq!(Span::Day.left(Span::Day.tick(late), late), 500);
        assert_eq!(
            Span::Month.left(Span::Month.tick(late), late),
            500 + 86_400_000
        );
        let next = utc("2028-02-29T00:00:00Z");
        assert_eq!(Span::Day.left(Span::Day.tick(late), next), 0);
        assert_eq!(Span::Month.tick(late), Span::Month.tick(next));
        let march = utc("2028-03-01T00:00:00Z");
        assert_eq!(Span::Month.left(Span::Month.tick(late), march), 0);
        let december = utc("2028-12-31T23:59:59Z");
        assert_eq!(Span::Month.left(Span::Month.tick(december), december), 1000);
    }
}
