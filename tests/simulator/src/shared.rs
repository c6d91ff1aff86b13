//! What all connections of one simulator share.

use std::{collections::HashMap, sync::Arc};

use http::StatusCode;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;

use crate::{bedrock::AwsKey, openai, record::Recorder, refusal::Refusal, words::Behaviour};

/// The state of a simulator.
pub(crate) struct Shared {
    /// Goes to `x-simulator` and `system_fingerprint`.
    pub(crate) name: String,
    /// Accepted keys; none: everyone may call.
    pub(crate) api_keys: RwLock<Vec<String>>,
    /// Tokens of Entra ID, which Azure accepts beside its keys.
    pub(crate) entra_tokens: Vec<String>,
    /// Keys of AWS that requests to Bedrock may be signed with.
    pub(crate) aws_keys: Vec<AwsKey>,
    /// Entries of the model list.
    pub(crate) models: RwLock<Vec<Value>>,
    /// Refuses models that are not listed.
    pub(crate) only_listed: bool,
    /// Refuses unknown fields, whatever models are called.
    pub(crate) strict: bool,
    /// What `/health` and `/v1/models` answer.
    pub(crate) health: RwLock<StatusCode>,
    pub(crate) recorder: Arc<Recorder>,
    /// Calls of each model name that says `times-N`.
    pub(crate) calls: Mutex<HashMap<String, u64>>,
}

impl Shared {
    /// The behaviour of this call of a model.
    pub(crate) fn behaviour(&self, model: &str) -> Result<Behaviour, Refusal> {
        if self.only_listed {
            openai::find(&self.models.read(), model)?;
        }
        Ok(self.called(model))
    }

    /// The same, whether or not the model is listed.
    pub(crate) fn called(&self, model: &str) -> Behaviour {
        let mut behaviour = Behaviour::of(model);
        behaviour.answer.strict |= self.strict;
        let Some(times) = behaviour.times else {
            return behaviour;
        };
        let mut calls = self.calls.lock();
        let calls = calls.entry(model.to_owned()).or_default();
        *calls += 1;
        if *calls > times {
            behaviour.healed()
        } else {
            behaviour
        }
    }

    /// Forgets requests, and how often models were called.
    pub(crate) fn clear(&self) {
        self.recorder.clear();
        self.calls.lock().clear();
    }
}
