//! Bytes that wait to be written to one connection, in order.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// A connection's unwritten output: small packets side by side in one buffer,
/// large payloads as shared pieces between them. Holds no memory when empty.
#[derive(Debug, Default)]
pub struct Output {
    pieces: VecDeque<Bytes>,
    pieces_bytes: usize,
    tail: Vec<u8>,
    /// Bytes of `tail` that were written.
    tail_written: usize,
}

impl Output {
    /// Bytes not yet written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces_bytes + self.tail.len() - self.tail_written
    }

    /// Whether everything was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where small packets are appended.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Gives an idle output a buffer to append to.
    pub(crate) fn lend(&mut self, buffer: Vec<u8>) {
        if self.tail.capacity() == 0 {
            self.tail = buffer;
        }
    }

    pub(crate) fn has_buffer(&self) -> bool {
        self.tail.capacity() > 0
    }

    /// Appends bytes that others hold too, without copying them.
    pub(crate) fn push_shared(&mut self, piece: Bytes) {
        if self.tail.len() > self.tail_written {
            let mut tail = Bytes::from(std::mem::take(&mut self.tail));
            tail.advance(self.tail_written);
            self.pieces_bytes += tail.len();
            self.pieces.push_back(tail);
        } else {
            self.tail.clear();
        }
        self.tail_written = 0;
        self.pieces_bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// All that is to be written, if it is one piece: the usual case.
    #[must_use]
    pub fn only_piece(&self) -> Option<&[u8]> {
        if self.pieces.is_empty() {
            self.tail.get(self.tail_written..)
        } else {
            None
        }
    }

    /// Fills `slices` with what is to be written next; returns how many it used.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = self
            .tail
            .get(self.tail_written..)
            .filter(|tail| !tail.is_empty());
        let all = self.pieces.iter().map(|piece| &piece[..]).chain(tail);
        let mut used = 0;
        for (slot, bytes) in slices.iter_mut().zip(all) {
            *slot = IoSlice::new(bytes);
            used += 1;
        }
        used
    }

    /// `written` bytes are gone.
    pub fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let taken = written.min(piece.len());
            piece.advance(taken);
            self.pieces_bytes -= taken;
            written -= taken;
            if !piece.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.tail_written = (self.tail_written + written).min(self.tail.len());
        if self.tail_written == self.tail.len() {
            self.tail.clear();
            self.tail_written = 0;
        } else if self.tail_written >= 64 * 1024 {
            self.tail.drain(..self.tail_written);
            self.tail_written = 0;
        }
    }

    /// Takes the buffer back once everything was written.
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        (self.is_empty() && self.tail.capacity() > 0).then(|| std::mem::take(&mut self.tail))
    }

    /// Forgets everything unwritten.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwritten(output: &Output) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let used = output.slices(&mut slices);
        slices[..used]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    #[test]
    fn small_and_shared_pieces_leave_in_the_order_appended_whatever_is_written_at_once() {
        for step in 1..12 {
            let mut output = Output::default();
            output.tail().extend_from_slice(b"abc");
            output.push_shared(Bytes::from_static(b"DEFG"));
            output.push_shared(Bytes::from_static(b"H"));
            output.tail().extend_from_slice(b"ijk");
            let mut seen = Vec::new();
            while !output.is_empty() {
                let bytes = unwritten(&output);
                let written = step.min(bytes.len());
                seen.extend_from_slice(&bytes[..written]);
                output.advance(written);
                assert_eq!(output.len(), bytes.len() - written);
            }
            assert_eq!(seen, b"abcDEFGHijk", "in steps of {step}");
        }
    }

    #[test]
    fn a_buffer_comes_back_only_when_all_is_written() {
        let mut output = Output::default();
        output.lend(Vec::with_capacity(16));
        output.tail().extend_from_slice(b"xy");
        assert!(output.reclaim().is_none());
        output.advance(1);
        output.push_shared(Bytes::from_static(b"z"));
        assert_eq!(unwritten(&output), b"yz");
        output.advance(2);
        assert!(output.is_empty());
    }
}
