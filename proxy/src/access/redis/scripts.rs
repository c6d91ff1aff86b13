//! What Redis is asked: scripts, each of which does all of its work at once, by Redis' own clock.
//!
//! All keys begin with [`PREFIX`], whose braces put them into one slot: a cluster can run the scripts, and one of its servers does all the counting.

use std::sync::LazyLock;

/// What all keys begin with.
pub(crate) const PREFIX: &str = "{dragoman}:";

/// A script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Counts a request under all its limits, or under none.
    Reserve,
    /// Counts what was used in place of what was reserved.
    Settle,
    /// Prolongs the leases of requests under way.
    Renew,
    /// Notes a failed authentication.
    Fail,
    /// Gives the bans that changed.
    Bans,
    /// Lifts a ban.
    Lift,
    /// Writes something.
    Check,
}

impl Script {
    pub(super) const ALL: [Self; 7] = [
        Self::Reserve,
        Self::Settle,
        Self::Renew,
        Self::Fail,
        Self::Bans,
        Self::Lift,
        Self::Check,
    ];

    pub(super) fn compiled(self) -> &'static redis::Script {
        static SCRIPTS: LazyLock<[redis::Script; 7]> = LazyLock::new(|| {
            let time = include_str!("lua/time.lua");
            let changes = include_str!("lua/changes.lua");
            let with = |source: &str| redis::Script::new(&format!("{time}{source}"));
            let addresses = include_str!("lua/addresses.lua");
            let of_bans = |source: &str| with(&format!("{changes}{source}"));
            let of_counts = |source: &str| with(&format!("{addresses}{source}"));
            [
                of_counts(include_str!("lua/reserve.lua")),
                of_counts(include_str!("lua/settle.lua")),
                with(include_str!("lua/renew.lua")),
                of_bans(include_str!("lua/fail.lua")),
                of_bans(include_str!("lua/bans.lua")),
                of_bans(include_str!("lua/lift.lua")),
                with(include_str!("lua/check.lua")),
            ]
        });
        &SCRIPTS[self as usize]
    }
}

/// A number as scripts take it: none is longer than a float is exact.
pub(crate) fn number(of: u64) -> Vec<u8> {
    of.min(1 << 52).to_string().into_bytes()
}
