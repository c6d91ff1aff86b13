//! How a record lies in a segment: four bytes of length, four of CRC-32 over what follows, both little-endian, and the record as JSON.
//!
//! A crash tears at most what was written last. Where a frame is cut short, or its sum is not right, the segment ends.

use crate::record::Record;

/// Bytes before the record.
const HEAD: usize = 8;
/// The longest record that is believed; a length beyond it is a torn one.
const LONGEST: usize = 256 << 20;

/// Adds a record's frame. Records are made of what JSON can say, so that none is left out.
pub(super) fn write(record: &Record, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(&[0; HEAD]);
    let sized = serde_json::to_writer(&mut *to, record).is_ok();
    let length = to.len() - start - HEAD;
    match u32::try_from(length) {
        Ok(size) if sized && length <= LONGEST => {
            let sum = crc32fast::hash(&to[start + HEAD..]);
            to[start..start + 4].copy_from_slice(&size.to_le_bytes());
            to[start + 4..start + HEAD].copy_from_slice(&sum.to_le_bytes());
        }
        _ => to.truncate(start),
    }
}

/// What lies at the head of some bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// A record, and the bytes of its frame.
    Record(Box<Record>, usize),
    /// A whole frame that holds no record that we understand, and its bytes.
    Foreign(usize),
    /// Nothing that is whole: the end, or a torn frame.
    End,
}

pub(super) fn read(bytes: &[u8]) -> Next {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Next::End;
    };
    let [a, b, c, d, sum @ ..] = *head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let Some(payload) = rest
        .get(..length)
        .filter(|_| (1..=LONGEST).contains(&length))
    else {
        return Next::End;
    };
    if crc32fast::hash(payload) != u32::from_le_bytes(sum) {
        return Next::End;
    }
    serde_json::from_slice(payload).map_or(Next::Foreign(HEAD + length), |record| {
        Next::Record(Box::new(record), HEAD + length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> Record {
        Record {
            id: id.into(),
            ..Record::default()
        }
    }

    #[test]
    fn a_frame_cut_at_any_byte_is_the_end_and_never_another_record() {
        let mut bytes = Vec::new();
        write(&record("first"), &mut bytes);
        let first = bytes.len();
        write(&record("second"), &mut bytes);
        assert_eq!(read(&bytes), Next::Record(Box::new(record("first")), first));
        for cut in 0..bytes.len() - first {
            assert_eq!(read(&bytes[first..first + cut]), Next::End, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_the_end() {
        let mut bytes = Vec::new();
        write(&record("x"), &mut bytes);
        for at in 0..bytes.len() * 8 {
            let mut torn = bytes.clone();
            torn[at / 8] ^= 1 << (at % 8);
            assert_eq!(read(&torn), Next::End, "bit {at}");
        }
        // Pages that a file system allotted and never wrote.
        assert_eq!(read(&[0; 64]), Next::End);
    }
}
