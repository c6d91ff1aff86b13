//! Reads AWS's binary frames, by the specification alone.

use serde_json::Value;

use crate::client::Failed;

/// A message: what it is called, and its payload.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) payload: Value,
}

/// All whole messages, and whether nothing was left over.
pub(crate) fn read(mut bytes: &[u8]) -> Result<(Vec<Message>, bool), Failed> {
    let mut all = vec![];
    while bytes.len() >= 16 {
        let number = |at: usize| {
            bytes[at..at + 4]
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let (whole, headers) = (number(0), number(4));
        if bytes.len() < whole {
            break;
        }
        let mut message = Message {
            kind: String::new(),
            name: String::new(),
            payload: serde_json::from_slice(&bytes[12 + headers..whole - 4]).unwrap_or_default(),
        };
        let mut rest = &bytes[12..12 + headers];
        while let [length, after @ ..] = rest {
            let (name, after) = after.split_at(usize::from(*length));
            // A string's type, then its length.
            assert_eq!(after[0], 7);
            let length = usize::from(u16::from_be_bytes([after[1], after[2]]));
            let (value, after) = after[3..].split_at(length);
            let value = String::from_utf8(value.to_vec())?;
            match name {
                b":message-type" => message.kind = value,
                b":event-type" | b":exception-type" => message.name = value,
                _ => assert_eq!(value, "application/json"),
            }
            rest = after;
        }
        all.push(message);
        bytes = &bytes[whole..];
    }
    Ok((all, bytes.is_empty()))
}
