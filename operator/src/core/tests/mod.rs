//! What the core promises, without a cluster: events in by hand, jobs looked at and answered.

mod cold;
mod logged;
mod outages;
mod secrets;
mod serving;
mod stage;
mod telling;
mod truth;
mod writing;
