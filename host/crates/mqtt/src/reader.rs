//! Reads the fields of one packet, and says which field was wrong.

use crate::error::{DecodeError, Fault};
use crate::packet_id::PacketId;

/// The unread bytes of one packet, or of its properties.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    packet: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(packet: &'static str, bytes: &'a [u8]) -> Self {
        Self { bytes, packet }
    }

    /// A reader over a part of the same packet.
    pub(crate) fn within(&self, bytes: &'a [u8]) -> Self {
        Self::new(self.packet, bytes)
    }

    pub(crate) fn error(&self, field: &'static str, fault: Fault) -> DecodeError {
        DecodeError::new(self.packet, field, fault)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything unread, which is then read.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// What is unread, left unread.
    pub(crate) fn peek(&self) -> &'a [u8] {
        self.bytes
    }

    /// Reads a byte if it is 0: the length of what is most often not there.
    #[inline]
    pub(crate) fn skip_zero(&mut self) -> bool {
        match self.bytes.split_first() {
            Some((0, rest)) => {
                self.bytes = rest;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(self.error("end", Fault::TrailingBytes))
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        match self.bytes.split_first_chunk::<N>() {
            Some((chunk, rest)) => {
                self.bytes = rest;
                Ok(*chunk)
            }
            None => Err(self.error(field, Fault::Truncated)),
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn variable_byte_integer(
        &mut self,
        field: &'static str,
    ) -> Result<u32, DecodeError> {
        match variable_byte_integer(self.bytes) {
            VariableByteInteger::Complete { value, width } => {
                self.bytes = self.bytes.get(width..).unwrap_or_default();
                Ok(value)
            }
            VariableByteInteger::Partial => Err(self.error(field, Fault::Truncated)),
            VariableByteInteger::Overlong { .. } | VariableByteInteger::Invalid => {
                Err(self.error(field, Fault::VariableByteInteger))
            }
        }
    }

    pub(crate) fn bytes(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        match self.bytes.split_at_checked(length) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(self.error(field, Fault::Truncated)),
        }
    }

    /// Binary data: a length of two bytes, then the bytes.
    #[inline]
    pub(crate) fn binary(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.u16(field)?;
        self.bytes(usize::from(length), field)
    }

    /// A UTF-8 string that may still hold U+0000.
    #[inline]
    pub(crate) fn utf8(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let bytes = self.binary(field)?;
        std::str::from_utf8(bytes).map_err(|_| self.error(field, Fault::InvalidUtf8))
    }

    /// A UTF-8 encoded string, checked.
    pub(crate) fn string(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let text = self.utf8(field)?;
        if text.as_bytes().contains(&0) {
            return Err(self.error(field, Fault::NulCharacter));
        }
        Ok(text)
    }

    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        const FIELD: &str = "packet identifier";
        PacketId::new(self.u16(FIELD)?).ok_or_else(|| self.error(FIELD, Fault::ZeroPacketId))
    }
}

pub(crate) enum VariableByteInteger {
    /// The number, and how many bytes it took.
    Complete { value: u32, width: usize },
    /// The same, in more bytes than it has to be, which MQTT 5 forbids
    /// [MQTT-1.5.5-1] and older versions do not.
    Overlong { value: u32, width: usize },
    /// More bytes are needed.
    Partial,
    /// Longer than four bytes.
    Invalid,
}

pub(crate) fn variable_byte_integer(bytes: &[u8]) -> VariableByteInteger {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let width = index + 1;
            return if byte == 0 && index > 0 {
                VariableByteInteger::Overlong { value, width }
            } else {
                VariableByteInteger::Complete { value, width }
            };
        }
    }
    if bytes.len() >= 4 {
        VariableByteInteger::Invalid
    } else {
        VariableByteInteger::Partial
    }
}
