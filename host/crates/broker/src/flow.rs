//! Back-pressure: which connections are not read, and until when.

use hookwire_mqtt::Packet;

use crate::connection::{ConnectionKey, Stage};
use crate::hooks::Hooks;
use crate::link::Link;
use crate::shard::Shard;

/// What a connection that is not read waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// Its CONNACK, its own verdicts and answers, or its own output to be written.
    Itself,
    /// Another worker's credits.
    Link,
    /// Room in a lane of the rules.
    Room,
    /// Nothing: the broker stops.
    Stop,
}

/// Void places in the list of paused connections before it is swept.
const SPARE_PAUSED: usize = 64;

impl<H: Hooks> Shard<H> {
    /// Whether a packet of a connection that is served is not to be taken now.
    /// What is answered with nothing is always taken, whatever else has to wait.
    pub(crate) fn has_to_wait(&self, key: ConnectionKey, packet: &Packet<'_>) -> bool {
        match packet {
            Packet::Publish(_) => self.obstacle(key).is_some(),
            // These are answered with nothing.
            Packet::PubAck(_) | Packet::PubComp(_) | Packet::Disconnect(_) => false,
            Packet::PubRec(_) => self.has_full_output(key),
            _ => self.stopping || self.has_full_output(key) || self.is_asked(key),
        }
    }

    /// Whether rules are asked about the packet that this connection sent last.
    #[cold]
    fn is_asked(&self, key: ConnectionKey) -> bool {
        self.connection(key)
            .and_then(|connection| connection.inquiry.as_ref())
            .is_some_and(|inquiry| inquiry.is_open())
    }

    fn has_full_output(&self, key: ConnectionKey) -> bool {
        self.connection(key)
            .is_some_and(|connection| connection.output.len() > self.limits.max_output_bytes)
    }

    /// The connection is not read until nothing is in its way.
    pub(crate) fn pause(&mut self, key: ConnectionKey) {
        self.paused_for_room |= self.obstacle(key) == Some(Obstacle::Room);
        if self.paused.len() > SPARE_PAUSED + 2 * self.connections.len() {
            self.resume_all_free();
        }
        if let Some(connection) = self.connection_mut(key)
            && !std::mem::replace(&mut connection.paused, true)
        {
            if !std::mem::replace(&mut connection.is_listed_paused, true) {
                self.paused.push(key);
            }
            self.counters.reads_paused += 1;
        }
    }

    /// Reads again from one connection, if nothing is in its way any more.
    pub(crate) fn resume_if_free(&mut self, key: ConnectionKey) {
        let waits = self
            .connection(key)
            .is_some_and(|connection| connection.paused);
        if !waits {
            return;
        }
        match self.obstacle(key) {
            // Its place in the list is void until it pauses again or the list is swept.
            None => self.resume(key),
            Some(obstacle) => self.paused_for_room |= obstacle == Obstacle::Room,
        }
    }

    /// Reads again from all connections that can be read again.
    pub(crate) fn resume_all_free(&mut self) {
        let mut index = 0;
        self.paused_for_room = false;
        while let Some(&key) = self.paused.get(index) {
            let waits = self
                .connection(key)
                .is_some_and(|connection| connection.paused);
            match self.obstacle(key).filter(|_| waits) {
                Some(obstacle) => {
                    self.paused_for_room |= obstacle == Obstacle::Room;
                    index += 1;
                }
                None => {
                    self.paused.swap_remove(index);
                    if let Some(connection) = self.connection_mut(key) {
                        connection.is_listed_paused = false;
                    }
                    self.resume(key);
                }
            }
        }
    }

    fn resume(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connection_mut(key)
            && connection.paused
        {
            connection.paused = false;
            connection.blocked_on = None;
            connection.crowded = Vec::new();
            self.resumed.push(key);
        }
    }

    /// None when the connection may be read, or is gone.
    #[inline]
    fn obstacle(&self, key: ConnectionKey) -> Option<Obstacle> {
        let connection = self
            .connection(key)
            .filter(|connection| connection.is_open())?;
        if connection.stage == Stage::Arriving {
            return Some(Obstacle::Itself);
        }
        let link_is_full = connection
            .blocked_on
            .and_then(|worker| self.links.get(usize::from(worker)))
            .is_some_and(Link::is_full);
        if self.stopping {
            Some(Obstacle::Stop)
        } else if link_is_full {
            Some(Obstacle::Link)
        } else if (connection.inquiry.is_some() && self.is_asked(key))
            || connection.pipeline.len() >= usize::from(self.limits.receive_maximum)
            || connection.output.len() > self.limits.max_output_bytes
        {
            Some(Obstacle::Itself)
        } else if !self.hooks.has_room(&connection.client.clientid)
            || (connection.crowded.iter()).any(|client| !self.hooks.has_room(client))
        {
            Some(Obstacle::Room)
        } else {
            None
        }
    }
}
