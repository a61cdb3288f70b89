//! Writes the fields of packets. Nothing here fails: a string or binary field
//! longer than its two-byte length can say is cut, a packet longer than its
//! length can say is not written at all.

const MAX_FIELD_BYTES: usize = u16::MAX as usize;

/// The largest variable byte integer, 4 bytes of 7 bits.
pub(crate) const MAX_VARIABLE_BYTE_INTEGER: usize = 268_435_455;

/// Writes a packet: its first byte, the length of what `body` writes, and that.
/// Writes nothing when the length cannot be said.
pub(crate) fn packet(out: &mut Vec<u8>, first_byte: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(first_byte);
    length_prefixed(out, body);
    if out.len().saturating_sub(start) > crate::MAX_PACKET_BYTES {
        out.truncate(start);
    }
}

/// Writes what `body` writes, behind its length as a variable byte integer. It
/// is a part of a packet, or all of it: one whose length cannot be said makes
/// the packet too long as well.
pub(crate) fn length_prefixed(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    body(out);
    let (length, width) = variable_byte_integer_bytes(out.len().saturating_sub(start));
    out.splice(start..start, length.into_iter().take(width));
}

fn variable_byte_integer_bytes(value: usize) -> ([u8; 4], usize) {
    let mut rest = value.min(MAX_VARIABLE_BYTE_INTEGER);
    let mut bytes = [0; 4];
    let mut width = 0;
    for byte in &mut bytes {
        *byte = (rest & 0x7F) as u8;
        rest >>= 7;
        width += 1;
        if rest == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, width)
}

pub(crate) fn variable_byte_integer(out: &mut Vec<u8>, value: usize) {
    let (bytes, width) = variable_byte_integer_bytes(value);
    out.extend(bytes.into_iter().take(width));
}

/// How many bytes `value` takes as a variable byte integer.
pub(crate) fn variable_byte_integer_len(value: usize) -> usize {
    variable_byte_integer_bytes(value).1
}

pub(crate) fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// `text`, cut to what a string field holds, between two characters.
pub(crate) fn fitting(text: &str) -> &str {
    if text.len() <= MAX_FIELD_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_FIELD_BYTES);
    text.get(..end).unwrap_or_default()
}

pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    binary(out, fitting(text).as_bytes());
}

pub(crate) fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..MAX_FIELD_BYTES).unwrap_or(bytes);
    // The line above makes it fit.
    u16(out, bytes.len() as u16);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    #[test]
    fn lengths_are_written_as_in_table_2_4() {
        let check = |value: usize, expected: &[u8]| {
            let mut out = Vec::new();
            variable_byte_integer(&mut out, value);
            assert_eq!(out, expected);
            assert_eq!(variable_byte_integer_len(value), expected.len());
            let mut reader = Reader::new("test", expected);
            let read = reader.variable_byte_integer("length");
            assert_eq!(read.map(|value| value as usize), Ok(value));
        };
        check(0, &[0x00]);
        check(127, &[0x7F]);
        check(128, &[0x80, 0x01]);
        check(16_383, &[0xFF, 0x7F]);
        check(16_384, &[0x80, 0x80, 0x01]);
        check(2_097_151, &[0xFF, 0xFF, 0x7F]);
        check(2_097_152, &[0x80, 0x80, 0x80, 0x01]);
        check(268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]);
    }

    #[test]
    fn a_packet_whose_length_cannot_be_said_is_not_written() {
        let mut out = Vec::with_capacity(2 + crate::MAX_PACKET_BYTES + 8);
        out.extend([0xC0, 0]);
        let chunk = vec![7; 1 << 20];
        let body = |bytes: usize| {
            let chunk = &chunk;
            move |out: &mut Vec<u8>| {
                for _ in 0..bytes / chunk.len() {
                    out.extend_from_slice(chunk);
                }
                out.extend_from_slice(&chunk[..bytes % chunk.len()]);
            }
        };
        packet(&mut out, 0x82, body(MAX_VARIABLE_BYTE_INTEGER + 1));
        assert_eq!(out, [0xC0, 0]);
        // Properties alone that are too long.
        packet(&mut out, 0x82, |out| {
            length_prefixed(out, body(MAX_VARIABLE_BYTE_INTEGER + 1));
        });
        assert_eq!(out, [0xC0, 0]);
        packet(&mut out, 0x82, body(MAX_VARIABLE_BYTE_INTEGER));
        assert_eq!(out.len(), 2 + crate::MAX_PACKET_BYTES);
        assert_eq!(out[..8], [0xC0, 0, 0x82, 0xFF, 0xFF, 0xFF, 0x7F, 7]);
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let mut out = Vec::new();
        string(&mut out, &"é".repeat(40_000));
        assert_eq!(out.len(), 2 + 65_534);
        assert_eq!(
            Reader::new("test", &out).string("text").map(str::len),
            Ok(65_534)
        );
        out.clear();
        binary(&mut out, &[7; 70_000]);
        assert_eq!(out.len(), 2 + 65_535);
        assert_eq!(
            Reader::new("test", &out).binary("data").map(<[u8]>::len),
            Ok(65_535)
        );
    }
}
