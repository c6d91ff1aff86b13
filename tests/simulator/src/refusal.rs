//! A request that is refused, whichever dialect says so.

use http::StatusCode;

use crate::{dialect::Dialect, reply::Reply};

/// A request that is refused. The client's fault; sending it again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            param: None,
            code: None,
        }
    }

    /// A 400 that names a parameter.
    pub(crate) fn of(param: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
            .param(param)
            .code(code)
    }

    pub(crate) fn param(mut self, param: &str) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The refusal in the shape of a dialect; `id` is that of the request.
    pub(crate) fn reply(&self, dialect: Dialect, id: u64) -> Reply {
        let (param, code) = (self.param.as_deref(), self.code);
        dialect.refuses(self.status, &self.message, param, code, id)
    }
}
