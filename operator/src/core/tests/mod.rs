//! What the core promises, without a cluster: events in by hand, jobs looked at and answered.

mod serving;
mod stage;
mod writing;
