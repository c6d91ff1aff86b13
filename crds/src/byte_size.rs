//! Sizes in bytes, written with binary suffixes as Kubernetes quantities are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::form;

/// A size in bytes: a whole number, or one with `Ki`, `Mi` or `Gi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ByteSize(
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-validations" = form(
            "^[1-9][0-9]{0,9}(Ki|Mi|Gi)?$",
            "write a size as a whole number of bytes, alone or with Ki, Mi or Gi: 65536, 64Ki or 32Mi",
        ))
    )]
    pub String,
);

/// A size that cannot be read. The manifest's fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size in bytes; write it like 65536, 64Ki or 32Mi")]
pub struct BadByteSize(pub String);

impl ByteSize {
    /// The number of bytes.
    ///
    /// # Errors
    /// [`BadByteSize`] when the text is no size, or does not fit.
    pub fn bytes(&self) -> Result<u64, BadByteSize> {
        let text = self.0.as_str();
        let (number, shift) = match text
            .len()
            .checked_sub(2)
            .and_then(|at| text.split_at_checked(at))
        {
            Some((number, "Ki")) => (number, 10),
            Some((number, "Mi")) => (number, 20),
            Some((number, "Gi")) => (number, 30),
            _ => (text, 0),
        };
        number
            .parse::<u64>()
            .ok()
            .filter(|number| *number > 0 && number.leading_zeros() > shift)
            .map(|number| number << shift)
            .ok_or_else(|| BadByteSize(self.0.clone()))
    }
}

impl From<&str> for ByteSize {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_binary() {
        assert_eq!(ByteSize::from("64Ki").bytes(), Ok(65_536));
        assert_eq!(ByteSize::from("32Mi").bytes(), Ok(33_554_432));
        assert_eq!(ByteSize::from("7").bytes(), Ok(7));
    }

    #[test]
    fn nothing_and_nonsense_are_refused() {
        for text in ["", "0", "-1", "1.5Mi", "1M", "Ki", "18446744073709551615Ki"] {
            assert_eq!(ByteSize::from(text).bytes(), Err(BadByteSize(text.into())));
        }
    }
}
