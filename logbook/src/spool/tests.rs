//! Records come back in order, once acknowledged never again, and whatever a crash leaves.

use super::*;
use tempfile::TempDir;

const MOST: u64 = 1 << 30;

fn records(range: std::ops::Range<usize>) -> Vec<Record> {
    range
        .map(|i| Record {
            id: i.to_string(),
            ..Record::default()
        })
        .collect()
}

fn open(folder: &TempDir) -> Spool {
    Spool::open(&folder.path().join("spool"), MOST).unwrap()
}

fn ids(records: &[Record]) -> Vec<usize> {
    records
        .iter()
        .map(|record| record.id.parse().unwrap())
        .collect()
}

/// All that is left, in batches of 7.
fn drain(spool: &mut Spool) -> Vec<usize> {
    let mut all = Vec::new();
    loop {
        let batch = spool.next(7, usize::MAX).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(ids(&batch));
        spool.acknowledge().unwrap();
    }
}

#[test]
fn records_come_back_in_order_and_leave_nothing() {
    let folder = TempDir::new().unwrap();
    let mut spool = open(&folder);
    spool.append(&records(0..10)).unwrap();
    spool.append(&records(10..25)).unwrap();
    assert_eq!(drain(&mut spool), (0..25).collect::<Vec<_>>());
    assert!(spool.is_empty());
    assert_eq!(
        fs::read_dir(folder.path().join("spool")).unwrap().count(),
        0
    );
}

#[test]
fn what_is_not_acknowledged_is_read_again() {
    let folder = TempDir::new().unwrap();
    let mut spool = open(&folder);
    spool.append(&records(0..5)).unwrap();
    assert_eq!(ids(&spool.next(2, usize::MAX).unwrap()), [0, 1]);
    assert_eq!(ids(&spool.next(2, usize::MAX).unwrap()), [0, 1]);
    spool.acknowledge().unwrap();
    assert_eq!(ids(&spool.next(2, usize::MAX).unwrap()), [2, 3]);
}

#[test]
fn records_appended_while_others_are_read_come_after_them() {
    let folder = TempDir::new().unwrap();
    let mut spool = open(&folder);
    spool.append(&records(0..3)).unwrap();
    assert_eq!(ids(&spool.next(2, usize::MAX).unwrap()), [0, 1]);
    spool.append(&records(3..5)).unwrap();
    spool.acknowledge().unwrap();
    assert_eq!(drain(&mut spool), [2, 3, 4]);
}

#[test]
fn another_process_finds_what_one_left_and_adds_to_it() {
    let folder = TempDir::new().unwrap();
    let mut first = open(&folder);
    first.append(&records(0..4)).unwrap();
    first.next(2, usize::MAX).unwrap();
    first.acknowledge().unwrap();
    drop(first);
    let mut second = open(&folder);
    second.append(&records(4..6)).unwrap();
    // The first two again: how far a segment was sent is not kept.
    assert_eq!(drain(&mut second), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_segment_torn_at_any_byte_gives_its_whole_frames_and_the_next_segment() {
    let folder = TempDir::new().unwrap();
    open(&folder).append(&records(0..2)).unwrap();
    let path = folder.path().join("spool/00000000000000000001.spool");
    let whole = fs::read(&path).unwrap();
    open(&folder).append(&records(2..3)).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut spool = open(&folder);
        let expected = if cut < whole.len() / 2 {
            vec![2]
        } else {
            vec![0, 2]
        };
        assert_eq!(
            ids(&all_unacknowledged(&mut spool)),
            expected,
            "cut at {cut}"
        );
        fs::write(
            folder.path().join("spool/00000000000000000002.spool"),
            frames(2..3),
        )
        .unwrap();
    }
}

fn frames(range: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    records(range)
        .iter()
        .for_each(|record| frame::write(record, &mut bytes));
    bytes
}

fn all_unacknowledged(spool: &mut Spool) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let batch = spool.next(100, usize::MAX).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
        spool.acknowledge().unwrap();
    }
}

#[test]
fn a_spool_holds_no_more_than_it_may_and_takes_more_once_there_is_room() {
    let folder = TempDir::new().unwrap();
    let batch = records(0..10);
    let size = frames(0..10).len() as u64;
    let mut spool = Spool::open(folder.path(), size * 2).unwrap();
    spool.append(&batch).unwrap();
    spool.append(&batch).unwrap();
    assert!(matches!(spool.append(&records(0..1)), Err(Full::Bound)));
    assert!(spool.bytes() <= size * 2);
    drain(&mut spool);
    spool.append(&batch).unwrap();
    assert_eq!(drain(&mut spool).len(), 10);
}

#[test]
fn many_segments_are_read_in_order_and_a_batch_is_bounded_by_bytes() {
    let folder = TempDir::new().unwrap();
    let mut spool = open(&folder);
    for i in 0..24 {
        let body = Some("x".repeat(1 << 20));
        spool
            .append(&[Record {
                id: i.to_string(),
                request_body: body,
                ..Record::default()
            }])
            .unwrap();
    }
    assert!(spool.segments.len() >= 3);
    assert_eq!(spool.next(100, 3 << 20).unwrap().len(), 3);
    assert_eq!(drain(&mut spool), (0..24).collect::<Vec<_>>());
}
