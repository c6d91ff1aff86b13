//! What AccessPolicies make of a request: admitted, changed, answered or refused.
//!
//! - [`enter`]: from where, and by whom, before anything of the body is read
//! - [`judge`]: rules, models and limits, once the model is known
//! - [`names`], [`spelled`]: members that servers read in different ways
//! - [`inner`]: models that a body names besides the one that it calls
//! - [`later`]: work that nobody would count
//! - [`backend`]: the policies of one backend, once it is a candidate
//! - [`told`]: what a client is told of its limits

mod backend;
mod enter;
mod inner;
mod judge;
mod later;
mod names;
mod spelled;
mod told;

pub(crate) use backend::{Admitted, Named, Reaching, of_backend};
pub(crate) use enter::{applying, enter};
pub(crate) use inner::{Inner, may_name};
pub(crate) use judge::{
    Going, Judged, Question, Reserved, Told, held, judge, judged, lists, meter,
};
pub(crate) use names::Names as MemberNames;
pub(crate) use told::{left, telling};
