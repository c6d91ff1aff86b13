//! What is wrong with a directory of manifests: file, object, field, and a message with the cure.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

/// One fault. The manifest's author's; loading again without an edit gives it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// The file, as found below the directory that was asked for.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The line, counted from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The object as `Kind namespace/name`; empty when the file holds none that can be named.
    pub object: String,
    /// The field as a JSON path such as `spec.rules[0].match`; empty when the whole object is meant.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Fault {
    /// A fault of a file as a whole.
    pub fn of_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            object: String::new(),
            field: String::new(),
            message: message.into(),
        }
    }
}

/// A path as text: what is no Unicode in it is replaced, as people see it.
pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// `file:line: Kind namespace/name: field: message`, without the parts that are not known.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.object.is_empty() {
            write!(f, " {}:", self.object)?;
        }
        if !self.field.is_empty() {
            write!(f, " {}:", self.field)?;
        }
        write!(f, " {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_file_object_field_and_cure() {
        let mut fault = Fault::of_file("/c/a.yaml", "not YAML");
        assert_eq!(fault.to_string(), "/c/a.yaml: not YAML");
        fault.line = Some(7);
        fault.object = "LLMRoute team-a/chat".into();
        fault.field = "spec.backends[0].name".into();
        fault.message = "name it".into();
        assert_eq!(
            fault.to_string(),
            "/c/a.yaml:7: LLMRoute team-a/chat: spec.backends[0].name: name it"
        );
    }
}
