//! Leader election by a [Lease](https://kubernetes.io/docs/concepts/architecture/leases/): one replica serves and writes, and hands over at once when it stops.

mod election;
mod record;
mod role;
mod run;

pub use role::{Role, Term};
pub use run::Candidate;
