//! What there is to do outside, and what came of it.

use dragoman_config::{InputData, InputKey, Key, ObjectKey};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::children::Child;
use crate::children::apply::{Settled, Unapplied};
use crate::children::route::Wanted;
use crate::status::{News, Written};
use crate::watch::Source;

/// One thing to do.
#[derive(Debug)]
pub enum Job {
    /// Read a Secret or a ConfigMap that somebody refers to.
    ReadInput(InputKey),
    /// Apply what an LLMProxy owns.
    ApplyProxy {
        /// The LLMProxy.
        proxy: ObjectKey,
        /// Its objects, in order.
        children: Vec<Child>,
    },
    /// Bring a route's Service to what it should be.
    SettleService {
        /// The route, and its Service.
        route: ObjectKey,
        /// The Service as the watch showed it.
        known: Option<Box<Service>>,
        /// What it should be.
        wanted: Box<Wanted>,
        /// The route's UID.
        route_uid: String,
    },
    /// Write a status.
    WriteStatus {
        /// The resource.
        key: Key,
        /// Its status as it should be.
        after: Value,
    },
    /// Record an event.
    Tell {
        /// The resource.
        key: Key,
        /// Its UID.
        uid: String,
        /// What there is to tell.
        news: News,
    },
}

/// What came of a job.
#[derive(Debug)]
pub enum Done {
    /// A Secret or a ConfigMap was read.
    ReadInput(InputKey, kube::Result<InputData>),
    /// An LLMProxy's objects were applied, up to the one that failed.
    ApplyProxy {
        /// The LLMProxy.
        proxy: ObjectKey,
        /// What was written, as the API server answered.
        written: Vec<(Source, ObjectMeta)>,
        /// The object that could not be, and why.
        fault: Option<(String, Unapplied)>,
    },
    /// A route's Service was looked after.
    SettleService(ObjectKey, kube::Result<Settled>),
    /// A status was written.
    WriteStatus(Key, Value, kube::Result<Written>),
    /// An event was recorded, or given up: it is a courtesy.
    Told(Key),
}
