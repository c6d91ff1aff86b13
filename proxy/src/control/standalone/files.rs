//! The manifest files below a directory, as a mounted ConfigMap or an editor leaves them; or one file, of any name.
//!
//! A [mounted ConfigMap](https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically)
//! holds links `file -> ..data/file`, and `..data` is itself a link that is swapped as a whole. So entries that
//! begin with a dot are passed over (editors' swap and lock files too), and everything else is followed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Fault;

/// The largest file that is read, in bytes. An object in a cluster is smaller than 1.5 MiB.
const LARGEST: u64 = 32 << 20;

/// All manifest files of a directory at one moment.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Files {
    /// Path and content, sorted by path.
    #[serde(serialize_with = "lossy")]
    pub texts: Vec<(PathBuf, String)>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

impl Files {
    /// Reads the files `*.yaml`, `*.yml` and `*.json` below `source`, or `source` itself when it is a file.
    #[must_use]
    pub fn read(source: &Path) -> Self {
        let mut files = Self::default();
        if source.is_file() {
            match text(source) {
                Ok(text) => files.texts.push((source.to_owned(), text)),
                // Gone a moment ago, too: nobody says that its objects shall go.
                Err(fault) => files.faults.push(Fault::of_file(source, cure(&fault))),
            }
            return files;
        }
        let mut paths = BTreeSet::new();
        files.list(source, &mut BTreeSet::new(), &mut paths);
        for path in paths {
            match text(&path) {
                Ok(text) => files.texts.push((path, text)),
                // Gone between the listing and now: whoever took it away has more to say in a moment.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound && !is_link(&path) => {}
                Err(fault) => files.faults.push(Fault::of_file(path, cure(&fault))),
            }
        }
        files
    }

    /// SHA-256 of names and contents. Equal hashes mean that nothing was edited.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for (path, text) in &self.texts {
            part(path.as_os_str().as_encoded_bytes());
            part(text.as_bytes());
        }
        for fault in &self.faults {
            part(fault.to_string().as_bytes());
        }
        hash.finalize().into()
    }

    /// Adds the manifests below `directory` to `paths`. `seen` keeps links in a circle from going on forever.
    fn list(
        &mut self,
        directory: &Path,
        seen: &mut BTreeSet<PathBuf>,
        paths: &mut BTreeSet<PathBuf>,
    ) {
        let entries = match fs::canonicalize(directory).map(|real| seen.insert(real)) {
            Ok(false) => return,
            Ok(true) => fs::read_dir(directory),
            Err(fault) => Err(fault),
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(fault) => return self.faults.push(Fault::of_file(directory, cure(&fault))),
        };
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
                Ok(entry) if entry.path().is_dir() => self.list(&entry.path(), seen, paths),
                Ok(entry) if is_manifest(&entry.path()) => {
                    paths.insert(entry.path());
                }
                Ok(_) => {}
                Err(fault) => self.faults.push(Fault::of_file(directory, cure(&fault))),
            }
        }
    }
}

fn lossy<S: Serializer>(texts: &[(PathBuf, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let texts = texts.iter();
    serializer.collect_seq(texts.map(|(path, text)| (path.to_string_lossy(), text)))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|entry| entry.is_symlink())
}

fn text(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > LARGEST {
        let text = format!("{size} bytes are too many for a manifest; split it");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    fs::read_to_string(path)
}

/// What is wrong with a path, and what to do.
pub(super) fn cure(fault: &io::Error) -> String {
    match fault.kind() {
        io::ErrorKind::NotFound => {
            "it does not exist; check the path, or where the link leads".into()
        }
        io::ErrorKind::PermissionDenied => {
            "this process may not read it; check its mode and owner".into()
        }
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it as UTF-8".into(),
        io::ErrorKind::NotADirectory => {
            "it is neither a directory nor a file; name the manifests' directory, or one of them"
                .into()
        }
        _ => format!("it cannot be read: {fault}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let files = Files::read(directory);
        assert_eq!(files.faults, []);
        let name = |path: &PathBuf| path.strip_prefix(directory).unwrap().display().to_string();
        files.texts.iter().map(|(path, _)| name(path)).collect()
    }

    #[test]
    fn a_mounted_config_map_is_read_once() {
        let mount = tempfile::tempdir().unwrap();
        let version = mount.path().join("..2025_01_01");
        fs::create_dir(&version).unwrap();
        fs::write(version.join("a.yaml"), "a").unwrap();
        symlink("..2025_01_01", mount.path().join("..data")).unwrap();
        symlink("..data/a.yaml", mount.path().join("a.yaml")).unwrap();
        assert_eq!(names(mount.path()), ["a.yaml"]);
    }

    #[test]
    fn manifests_are_found_below_and_sorted_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/c")).unwrap();
        for name in [
            "z.json",
            "b/c/d.yml",
            "a.YAML",
            "README.md",
            ".a.yaml.swp",
            ".hidden.yaml",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        // An editor's lock leads nowhere; a link up is a circle.
        symlink("somebody@somewhere:1", folder.path().join(".#a.yaml")).unwrap();
        symlink("..", folder.path().join("b/up")).unwrap();
        assert_eq!(names(folder.path()), ["a.YAML", "b/c/d.yml", "z.json"]);
    }

    #[test]
    fn one_file_is_read_whatever_its_name_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["chat.conf", "other.yaml"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let file = folder.path().join("chat.conf");
        let files = Files::read(&file);
        assert_eq!(files.faults, []);
        assert_eq!(files.texts, [(file, "chat.conf".to_owned())]);
    }

    #[test]
    fn what_is_neither_directory_nor_file_is_named() {
        let faults = Files::read(Path::new("/dev/null")).faults;
        assert!(faults[0].message.contains("neither"), "{faults:?}");
    }

    #[test]
    fn what_cannot_be_read_is_named_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), [0xff]).unwrap();
        symlink("nowhere", folder.path().join("b.yaml")).unwrap();
        let faults = Files::read(folder.path()).faults;
        assert!(faults[0].message.contains("UTF-8"), "{faults:?}");
        assert!(
            faults[1].message.contains("where the link leads"),
            "{faults:?}"
        );
        let faults = Files::read(&folder.path().join("no")).faults;
        assert!(faults[0].message.contains("does not exist"), "{faults:?}");
    }

    #[test]
    fn the_hash_changes_with_names_and_contents() {
        let files = |name: &str, text: &str| Files {
            texts: vec![(name.into(), text.into())],
            faults: Vec::new(),
        };
        assert_eq!(files("a", "b").hash(), files("a", "b").hash());
        assert_ne!(files("a", "b").hash(), files("ab", "").hash());
        assert_ne!(files("a", "b").hash(), files("a", "c").hash());
    }
}
