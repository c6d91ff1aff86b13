//! Manifests in `tests/rules` and `tests/structure`: each says in comments on top what it is about.
//!
//! `# path:` and `# rule:` name a CEL rule by its place in the schema and its message; a `.refuse.yaml` says in `# field:` where
//! it is refused and in `# refused:` what the API server says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) struct Case {
    pub(crate) file: PathBuf,
    pub(crate) manifest: Value,
    headers: BTreeMap<String, String>,
}

impl Case {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("{} has no comment `# {name}: …`", self.file.display()))
    }

    pub(crate) fn admits(&self) -> bool {
        self.file.to_string_lossy().ends_with(".admit.yaml")
    }
}

/// Every case below `folder` of this crate's `tests`, in the order of file names.
pub(crate) fn cases(folder: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<PathBuf> = list(&root).iter().flat_map(|folder| list(folder)).collect();
    files.sort();
    files.into_iter().map(read).collect()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap_or_else(|fault| panic!("{}: {fault}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn read(file: PathBuf) -> Case {
    let text = std::fs::read_to_string(&file).unwrap();
    let headers = text
        .lines()
        .map_while(|line| line.strip_prefix("# "))
        .filter_map(|line| line.trim_end().split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let manifest =
        serde_saphyr::from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    Case {
        file,
        manifest,
        headers,
    }
}
