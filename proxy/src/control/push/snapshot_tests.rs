use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use dragoman_config::wire::{Content, Put, Transaction};
use dragoman_config::{Item, Key, Kind, ProxyItem};

use super::*;

fn store() -> Store {
    let item = Item::Proxy(ProxyItem {
        cluster_domain: "cluster.local".into(),
        denied_cidrs: Vec::new(),
        deny_loopback: true,
        body_bytes: 1,
        header_bytes: 1,
        log_level: None,
    });
    let name = Key::new(Kind::Proxy, "n", "p");
    let content = Content::Item(Arc::new(item));
    let mut store = Store::default();
    store.apply(Transaction {
        put: vec![Put {
            name,
            hash: "h".into(),
            content,
        }],
        digest: "d".into(),
        ..Transaction::default()
    });
    store
}

fn snapshot(directory: &Path) -> Snapshot {
    Snapshot::new(directory, ObjectKey::new("n", "p"))
}

#[test]
fn a_restarted_container_finds_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let snapshot = snapshot(directory.path());
    assert_eq!(snapshot.read().unwrap(), None);
    snapshot.write(&Store::default()).unwrap();
    snapshot.write(&store()).unwrap();
    assert_eq!(snapshot.read().unwrap(), Some(store()));
}

#[test]
fn only_the_owner_may_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let next = directory.path().join(NEXT);
    fs::write(&next, "left by a crash, for all to read").unwrap();
    snapshot(directory.path()).write(&store()).unwrap();
    let mode = fs::metadata(directory.path().join(NAME))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!((mode & 0o777, next.exists()), (0o600, false));
}

#[test]
fn what_is_damaged_or_not_ours_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(NAME);
    let snapshot = snapshot(directory.path());
    snapshot.write(&store()).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    for (damaged, why) in [
        (text[..text.len() / 2].to_owned(), "damaged"),
        (text.replacen("\"format\":1", "\"format\":2", 1), "format 2"),
        (text.replacen("\"n/p\"", "\"n/q\"", 1), "LLMProxy n/q"),
    ] {
        fs::write(&file, damaged).unwrap();
        let fault = snapshot.read().unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
}
