//! What the core promises, without a cluster: events in by hand, jobs looked at and answered.

mod access;
mod cold;
mod inputs;
mod logged;
mod outages;
mod serving;
mod stage;
mod telling;
mod truth;
mod writing;
