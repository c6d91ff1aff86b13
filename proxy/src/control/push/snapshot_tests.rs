use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use dragoman_config::{Item, Key, Kind, ProxyItem};

use super::*;
use crate::control::push::message::{Change, Changes, Content, Name};

fn store() -> Store {
    let item = Item::Proxy(ProxyItem {
        policies: None,
        trusted_proxies: None,
        certificates: None,
        redis: None,
        logging: None,
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
    store.apply(Changes {
        put: vec![Change {
            name: Name::Known(name),
            hash: "h".into(),
            content,
        }],
        digest: "d".into(),
        ..Changes::default()
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
        (text.replacen("\"format\":2", "\"format\":1", 1), "format 1"),
        (text.replacen("\"n/p\"", "\"n/q\"", 1), "LLMProxy n/q"),
    ] {
        fs::write(&file, damaged).unwrap();
        let fault = snapshot.read().unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
}

#[test]
fn a_damaged_snapshots_content_is_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(NAME);
    let snapshot = snapshot(directory.path());
    snapshot.write(&store()).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let damaged = text.replacen("\"body_bytes\":1", "\"body_bytes\":\"sk-secret\"", 1);
    assert_ne!(text, damaged);
    fs::write(&file, damaged).unwrap();
    let fault = snapshot.read().unwrap_err().to_string();
    assert!(
        fault.contains("damaged") && !fault.contains("sk-"),
        "{fault}"
    );
}

#[test]
fn a_snapshot_torn_at_any_byte_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(NAME);
    let snapshot = snapshot(directory.path());
    snapshot.write(&store()).unwrap();
    let text = fs::read(&file).unwrap();
    for end in 0..text.len() {
        fs::write(&file, &text[..end]).unwrap();
        assert!(snapshot.read().is_err(), "{end} bytes");
    }
}
