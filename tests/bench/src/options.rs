//! The command line of `dragoman-bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures `dragoman-proxy` against nginx's pass-through, in one interleaved run on loopback.
///
/// Needs two cores, nginx, and util-linux (taskset, setpriv). Exit codes: 0 when the figures were taken, 1 when
/// --assert is given and a bound is not met, 2 when nothing could be measured.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100)]
pub(crate) struct Options {
    /// The proxy to measure; without it nginx is measured alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) proxy: Option<PathBuf>,
    /// The yardstick.
    #[arg(long, value_name = "FILE", default_value = "nginx")]
    pub(crate) nginx: PathBuf,
    /// How often everything is measured; medians are taken over the rounds.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// One short round: shows that everything runs, its figures mean little.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Core of the contenders.
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    pub(crate) proxy_core: usize,
    /// Core of the load and the upstream.
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    pub(crate) load_core: usize,
    /// Measure only these; give it more than once for several.
    #[arg(long, value_enum, value_name = "MEASURE")]
    pub(crate) only: Vec<Measure>,
    /// How the report is printed.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
    /// Exit 1 when a bound is not met.
    #[arg(long)]
    pub(crate) assert: bool,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// CPU per request at 16 connections.
    Plain,
    /// CPU per request past an AccessPolicy, and what it adds to plain ones, which are measured too.
    Policy,
    /// CPU per request whose row goes into a log of the proxy's own, beside that of the same without.
    Log,
    /// Added median latency at one connection.
    Latency,
    /// CPU per event of paced streams.
    Paced,
    /// CPU per event of streams at full speed.
    Full,
    /// CPU per event of paced streams that are translated.
    TranslatedPaced,
    /// CPU per event of translated streams at full speed, beside that of streams within one API.
    TranslatedFull,
    /// Added time to the first token of a translated stream while many others run.
    FirstToken,
    /// Memory at rest and per idle stream.
    Memory,
}

impl Measure {
    /// Whether it is taken of each translated pair.
    pub(crate) fn is_of_pairs(self) -> bool {
        matches!(
            self,
            Self::TranslatedPaced | Self::TranslatedFull | Self::FirstToken
        )
    }

    /// The other measure of the same round that it is held against.
    fn held_against(self) -> Option<Self> {
        (self == Self::Policy).then_some(Self::Plain)
    }
}

/// How the report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table for people.
    Text,
    /// One JSON document with every round's figures.
    Json,
}

/// How much one round does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How long plain requests, and streams at full speed, are sent.
    pub(crate) closed_loop: Duration,
    /// Requests whose latency is taken.
    pub(crate) latencies: usize,
    /// How long paced streams are watched.
    pub(crate) paced: Duration,
    /// How long translated streams are sent at full speed.
    pub(crate) translated_loop: Duration,
    /// How long translated paced streams are watched.
    pub(crate) translated_paced: Duration,
    /// Streams whose first token is timed.
    pub(crate) first_tokens: usize,
    /// Idle streams that are held open.
    pub(crate) idle_streams: usize,
}

impl Options {
    /// How often everything is measured.
    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// How much one round does.
    pub(crate) fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                closed_loop: Duration::from_millis(300),
                latencies: 500,
                paced: Duration::from_millis(500),
                translated_loop: Duration::from_millis(200),
                translated_paced: Duration::from_millis(300),
                first_tokens: 50,
                idle_streams: 100,
            }
        } else {
            Effort {
                closed_loop: Duration::from_millis(1200),
                latencies: 4000,
                paced: Duration::from_secs(2),
                translated_loop: Duration::from_millis(700),
                translated_paced: Duration::from_millis(1500),
                first_tokens: 500,
                idle_streams: 400,
            }
        }
    }

    /// Whether this is to be measured: it is asked for, or what is asked for is held against it.
    pub(crate) fn wants(&self, measure: Measure) -> bool {
        let wanted = |only: &Measure| *only == measure || only.held_against() == Some(measure);
        self.only.is_empty() || self.only.iter().any(wanted)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn quick_is_one_round_whatever_else_is_said() {
        let options = Options::parse_from(["dragoman-bench", "--quick", "--rounds", "9"]);
        assert_eq!(options.rounds(), 1);
    }

    #[test]
    fn what_a_measure_is_held_against_is_measured_too() {
        let options = Options::parse_from(["dragoman-bench", "--only", "policy"]);
        assert!(options.wants(Measure::Policy) && options.wants(Measure::Plain));
        assert!(!options.wants(Measure::Latency));
        let options = Options::parse_from(["dragoman-bench", "--only", "plain"]);
        assert!(!options.wants(Measure::Policy));
    }
}
