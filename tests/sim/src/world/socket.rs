//! One connection between a client and the broker: what is under way in it.

use std::io::IoSlice;

use hookwire_broker::{ConnectionKey, Output};
use hookwire_mqtt::ProtocolVersion;

/// Both directions of a connection.
#[derive(Debug)]
pub struct Socket {
    place: Option<(usize, ConnectionKey)>,
    pub(super) version: ProtocolVersion,
    /// What the client sent.
    wire: Vec<u8>,
    /// How much of it has reached the broker.
    fed: usize,
    /// How much of that the broker took.
    taken: usize,
    /// What the client received and has not looked at.
    inbox: Vec<u8>,
    /// Whether the client has forgotten this connection, and looks at nothing.
    is_abandoned: bool,
    /// Whether the broker reads it no more.
    is_deaf: bool,
    is_over: bool,
    /// Whether the client knows that it is over.
    is_told: bool,
    closing_since_ms: Option<u64>,
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            place: None,
            version: ProtocolVersion::V5,
            wire: Vec::new(),
            fed: 0,
            taken: 0,
            inbox: Vec::new(),
            is_abandoned: false,
            is_deaf: false,
            is_over: false,
            is_told: false,
            closing_since_ms: None,
        }
    }
}

impl Socket {
    /// Where the client writes.
    pub fn wire(&mut self) -> &mut Vec<u8> {
        &mut self.wire
    }

    /// What the client received.
    pub fn inbox(&mut self) -> &mut Vec<u8> {
        &mut self.inbox
    }

    /// The client looks at nothing any more that comes this way.
    pub fn abandon(&mut self) {
        self.is_abandoned = true;
        self.inbox.clear();
    }

    /// Whether it is closed, by either side.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the client knows that it is over; from now on it does.
    pub fn tell(&mut self) -> bool {
        std::mem::replace(&mut self.is_told, true)
    }

    /// Whether it is over and the client does not know.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        self.is_over && !self.is_told
    }

    /// Whether bytes of the client have not reached the broker.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.fed < self.wire.len() && !self.is_over && !self.is_deaf
    }

    pub(super) fn is_read(&self) -> bool {
        !self.is_over && !self.is_deaf
    }

    pub(super) fn place(&self) -> Option<(usize, ConnectionKey)> {
        self.place.filter(|_| !self.is_over)
    }

    pub(super) fn greet(
        &mut self,
        worker: usize,
        key: ConnectionKey,
        version: ProtocolVersion,
        used: usize,
    ) {
        self.place = Some((worker, key));
        self.version = version;
        self.taken += used;
    }

    pub(super) fn feed(&mut self, bytes: usize) {
        self.fed = self.fed.saturating_add(bytes).min(self.wire.len());
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.wire[self.taken..self.fed]
    }

    pub(super) fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken == self.wire.len() {
            self.wire.clear();
            self.fed = 0;
            self.taken = 0;
        }
    }

    pub(super) fn stop_reading(&mut self) {
        self.is_deaf = true;
        self.fed = self.taken;
    }

    /// Moves output of the broker to the client; whether there was any.
    pub(super) fn take(&mut self, output: &mut Output, bytes: usize) -> bool {
        let mut left = bytes.min(output.len());
        let moved = left > 0;
        while left > 0 {
            let mut slices = [IoSlice::new(&[]); 8];
            let used = output.slices(&mut slices);
            let mut written = 0;
            for slice in &slices[..used] {
                let part = slice.len().min(left);
                if !self.is_abandoned {
                    self.inbox.extend_from_slice(&slice[..part]);
                }
                written += part;
                left -= part;
            }
            output.advance(written);
        }
        moved
    }

    pub(super) fn lingers(&mut self, now_ms: u64) -> u64 {
        now_ms - *self.closing_since_ms.get_or_insert(now_ms)
    }

    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.wire.clear();
        self.fed = 0;
        self.taken = 0;
    }
}
