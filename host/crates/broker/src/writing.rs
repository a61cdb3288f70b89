//! What leaves a shard: bytes for sockets, mail for other shards.

use hookwire_mqtt::{ProtocolVersion, ReasonCode};

use crate::connection::{CloseReason, ConnectionKey, Farewell};
use crate::hooks::Hooks;
use crate::link::{Link, Mail, WorkerId};
use crate::output::Output;
use crate::shard::Shard;
use crate::time::Now;

/// Output buffers kept for reuse, and how large one may be to be kept.
const KEPT_BUFFERS: usize = 256;
const KEPT_BUFFER_BYTES: usize = 64 * 1024;

impl<H: Hooks> Shard<H> {
    /// Connections whose output grew, or that are closing, since the last call.
    pub fn take_dirty(&mut self, keys: &mut Vec<ConnectionKey>) {
        for key in self.dirty.drain(..) {
            if let Some(connection) = self.connections.get_mut(key.index as usize)
                && connection.generation == key.generation
            {
                connection.dirty = false;
                keys.push(key);
            }
        }
    }

    /// Connections that were paused and may be read again.
    pub fn take_resumed(&mut self, keys: &mut Vec<ConnectionKey>) {
        keys.append(&mut self.resumed);
    }

    /// Whether anything waits in the lists of dirty or resumed connections, or
    /// for another worker.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.resumed.is_empty() || self.links.iter().any(Link::has_mail)
    }

    /// Whether to write before the next packets are taken, so that a client that
    /// reads in time does not miss messages because they came in one turn.
    pub fn take_pressing(&mut self) -> bool {
        std::mem::take(&mut self.output_is_pressing)
    }

    /// What is to be carried to another shard now.
    pub fn take_mail(&mut self, to: WorkerId) -> Vec<Mail> {
        self.links
            .get_mut(usize::from(to))
            .map(Link::take_outbox)
            .unwrap_or_default()
    }

    /// The unwritten output of a connection; None once it is gone, and as long as
    /// CONNACK, which is the first of it, may still become a refusal.
    pub fn output(&mut self, key: ConnectionKey) -> Option<&mut Output> {
        self.connection_mut(key)
            .filter(|connection| !connection.is_withheld)
            .map(|connection| &mut connection.output)
    }

    /// The output was written as far as the socket took it: what waited for
    /// that may be sent, or read.
    pub fn written(&mut self, now: Now, key: ConnectionKey) {
        let max_output_bytes = self.limits.max_output_bytes;
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let paused = connection.paused;
        let starved = if connection.is_starved && connection.output.len() <= max_output_bytes / 2 {
            connection.is_starved = false;
            connection.session
        } else {
            None
        };
        if let Some(mut buffer) = connection.output.reclaim()
            && self.buffers.len() < KEPT_BUFFERS
            && buffer.capacity() <= KEPT_BUFFER_BYTES
        {
            buffer.clear();
            self.buffers.push(buffer);
        }
        if paused {
            self.resume_if_free(key);
        }
        if let Some(session) = starved {
            self.send_waiting(now, session);
        }
    }

    /// Whether the connection is only waiting for its output to be written.
    #[must_use]
    pub fn is_closing(&self, key: ConnectionKey) -> bool {
        self.connection(key)
            .is_none_or(|connection| !connection.is_open())
    }

    /// Counts bytes that the caller read from a client's socket.
    pub fn count_read(&mut self, bytes: usize) {
        self.counters.bytes_received += bytes as u64;
    }

    /// Counts bytes that the caller wrote to a client's socket.
    pub fn count_written(&mut self, bytes: usize) {
        self.counters.bytes_sent += bytes as u64;
    }

    /// Notes that the connection has something to write, and sees to it that its
    /// output has a buffer.
    pub(crate) fn touch(&mut self, key: ConnectionKey) {
        if let Some(connection) = self
            .connections
            .get_mut(key.index as usize)
            .filter(|connection| connection.generation == key.generation)
        {
            if !connection.output.has_buffer() {
                connection
                    .output
                    .lend(self.buffers.pop().unwrap_or_default());
            }
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(key);
            }
        }
    }

    /// Appends a packet to the output of a connection that is open.
    pub(crate) fn append_packet(
        &mut self,
        key: ConnectionKey,
        encode: impl FnOnce(ProtocolVersion, &mut Vec<u8>),
    ) {
        self.touch(key);
        if let Some(connection) = self
            .connections
            .get_mut(key.index as usize)
            .filter(|connection| connection.generation == key.generation && connection.is_open())
        {
            let out = connection.output.tail();
            let before = out.len();
            encode(connection.version, out);
            if out.len() - before > connection.maximum_packet_bytes {
                // It must not be sent [MQTT-3.1.2-24], and is owed.
                out.truncate(before);
                let text = "an answer is larger than the client takes";
                let farewell = Farewell::new(ReasonCode::PacketTooLarge, text);
                self.closings.push((key, CloseReason::Refused, farewell));
                return;
            }
            self.counters.packets_sent += 1;
        }
    }
}
