//! Every validation rule of the CRDs, on the API server: one object that it admits and one that it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use dragoman_system::{Kubectl, root};

fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cases(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn the_api_server_admits_and_refuses_as_the_offline_check_does() {
    // The cases are written for the namespace that every cluster has.
    let kubectl = Kubectl::in_namespace("default");
    let mut files = Vec::new();
    cases(&root().join("crds/tests/rules"), &mut files);
    assert!(files.len() > 20, "only {} cases", files.len());
    files.sort();
    for file in files {
        let manifest = fs::read_to_string(&file).unwrap();
        let expected = manifest
            .lines()
            .find_map(|line| line.strip_prefix("# refused: "));
        match (expected, kubectl.dry_run(&manifest)) {
            (None, Ok(())) => {}
            (Some(expected), Err(words)) => {
                assert!(words.contains(expected), "{}: {words}", file.display());
            }
            (None, Err(words)) => panic!("{} was refused: {words}", file.display()),
            (Some(expected), Ok(())) => {
                panic!("{} was admitted, against {expected}", file.display())
            }
        }
    }
}
