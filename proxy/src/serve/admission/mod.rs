//! What AccessPolicies make of a request: admitted, changed, answered or refused.
//!
//! - [`enter`]: from where, and by whom, before anything of the body is read
//! - [`judge`]: rules, models and limits, once the model is known
//! - [`names`]: members that servers read in different ways
//! - [`backend`]: the policies of one backend, once it is a candidate

mod backend;
mod enter;
mod judge;
mod names;

pub(crate) use backend::{Admitted, of_backend};
pub(crate) use enter::{applying, enter};
pub(crate) use judge::{
    Going, Judged, Question, Reserved, Told, judge, judged, left, lists, meter, telling,
};
