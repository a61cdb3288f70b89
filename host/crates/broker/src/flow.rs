//! Back-pressure: which connections are not read, and until when.

use crate::connection::ConnectionKey;
use crate::hooks::Hooks;
use crate::link::Link;
use crate::shard::{Flow, Shard};

impl<H: Hooks> Shard<H> {
    /// What the caller should do after a packet of this connection.
    pub(crate) fn flow(&mut self, key: ConnectionKey) -> Flow {
        match self.may_read(key) {
            None => Flow::Close,
            Some(true) => Flow::Continue,
            Some(false) => {
                if let Some(connection) = self.connection_mut(key)
                    && !connection.paused
                {
                    connection.paused = true;
                    self.paused.push(key);
                    self.counters.reads_paused += 1;
                }
                Flow::Pause
            }
        }
    }

    /// None when the connection is not served any more.
    fn may_read(&self, key: ConnectionKey) -> Option<bool> {
        let connection = self
            .connection(key)
            .filter(|connection| connection.is_live())?;
        let link_is_full = connection
            .blocked_on
            .and_then(|worker| self.links.get(usize::from(worker)))
            .is_some_and(Link::is_full);
        Some(
            !self.stopping
                && !link_is_full
                && connection.pipeline.len() < usize::from(self.limits.receive_maximum)
                && connection.output.len() <= self.limits.max_output_bytes
                && self.hooks.has_room(&connection.client.clientid),
        )
    }

    pub(crate) fn resume_paused(&mut self) {
        let mut index = 0;
        while let Some(&key) = self.paused.get(index) {
            if self.may_read(key) == Some(false) {
                index += 1;
                continue;
            }
            self.paused.swap_remove(index);
            if let Some(connection) = self.connection_mut(key) {
                connection.paused = false;
                connection.blocked_on = None;
                self.resumed.push(key);
            }
        }
    }
}
