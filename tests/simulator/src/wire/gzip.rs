//! Gzip without compression: stored blocks, one for each write, so that no library is needed.
//!
//! Sources: [RFC 1951 §3.2.4](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4),
//! [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952).

use bytes::{BufMut, Bytes, BytesMut};

/// Deflate, no flags, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Encodes a stream, block by block.
pub(super) struct Encoder {
    started: bool,
    crc: u32,
    length: u32,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            started: false,
            crc: !0,
            length: 0,
        }
    }

    /// The bytes as blocks that a reader can decode at once.
    pub(super) fn block(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = self.start(bytes.len() + 16);
        for chunk in bytes.chunks(usize::from(u16::MAX)) {
            // A chunk's length fits by construction.
            let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
            out.put_u8(0);
            out.put_u16_le(length);
            out.put_u16_le(!length);
            out.extend_from_slice(chunk);
        }
        self.crc = summed(self.crc, bytes);
        let length = bytes.len() & 0xffff_ffff;
        self.length = self
            .length
            .wrapping_add(u32::try_from(length).unwrap_or(u32::MAX));
        out.freeze()
    }

    /// The last, empty block and the trailer.
    pub(super) fn finish(&mut self) -> Bytes {
        let mut out = self.start(32);
        out.extend_from_slice(&[1, 0, 0, 255, 255]);
        out.put_u32_le(!self.crc);
        out.put_u32_le(self.length);
        out.freeze()
    }

    fn start(&mut self, capacity: usize) -> BytesMut {
        let mut out = BytesMut::with_capacity(capacity + HEADER.len());
        if !self.started {
            out.extend_from_slice(&HEADER);
            self.started = true;
        }
        out
    }
}

/// The CRC-32 of some bytes.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !summed(!0, bytes)
}

fn summed(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| {
        (sum >> 8) ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)]
    })
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailer_holds_the_known_checksum() {
        let mut encoder = Encoder::new();
        let block = encoder.block(b"123456789");
        assert_eq!(&block[10..], b"\x00\x09\x00\xf6\xff123456789");
        let end = encoder.finish();
        // The check value of CRC-32, and the length.
        assert_eq!(end[5..], [0x26, 0x39, 0xf4, 0xcb, 9, 0, 0, 0]);
    }
}
