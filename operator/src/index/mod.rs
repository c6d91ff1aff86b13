//! What is known besides our resources: Pods that may connect, Deployments and Services that we made.

pub mod owned;
pub mod pods;
