//! How a connection's service ends, and what that sets off.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookwire_mqtt::ReasonCode;

use crate::connection::{CloseReason, ConnectionKey, Farewell, Stage, close_packet};
use crate::hooks::{ClientEvent, ClientHook, Hooks};
use crate::session::SessionKey;
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Ends the service of a connection: its session, its will, its events. The
    /// output, with the farewell at its end, is still to be written.
    pub(crate) fn close(
        &mut self,
        now: Now,
        key: ConnectionKey,
        reason: CloseReason,
        farewell: Option<Farewell>,
    ) {
        let Some(connection) = self.live(key) else {
            return;
        };
        connection.stage = Stage::Closing;
        let will = connection.will.take().filter(|_| !reason.drops_will());
        let session = connection.session.take();
        let client = Arc::clone(&connection.client);
        if let Some(farewell) = farewell {
            close_packet(connection, farewell);
        }
        self.touch(key);
        if let Some(will) = will {
            self.publish_will(now, key, will);
        }
        if let Some(session) = session {
            self.drop_session(session);
        }
        if self.hooks.wants_client(ClientHook::Disconnected) {
            self.hooks.submit_client(ClientEvent {
                hook: ClientHook::Disconnected,
                client,
                reason: reason.word(),
                at_ms: now.wall_ms,
            });
        }
    }

    /// Forgets a connection whose socket is gone and whose publishes are settled.
    pub(crate) fn free_if_done(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connection(key)
            && connection.stage == Stage::Gone
            && connection.pipeline.is_empty()
        {
            self.connections.remove(key.index as usize);
        }
    }

    pub(crate) fn check_keep_alive(&mut self, now: Now, key: ConnectionKey) {
        let max_output_bytes = self.limits.max_output_bytes;
        let Some(connection) = self.live(key) else {
            return;
        };
        // A client that does not read its own output is silent by its own choice.
        if connection.paused && connection.output.len() <= max_output_bytes {
            connection.last_seen_ms = now.mono_ms;
        }
        let due = connection.last_seen_ms + connection.keep_alive_ms;
        if now.mono_ms < due {
            self.wheel.insert(due, key);
            return;
        }
        self.counters.keep_alive_timeouts += 1;
        let farewell = Farewell::new(ReasonCode::KeepAliveTimeout, "nothing came in time");
        self.close(now, key, CloseReason::KeepAlive, Some(farewell));
    }

    fn drop_session(&mut self, key: SessionKey) {
        if self.session_mut(key).is_none() {
            return;
        }
        let session = self.sessions.remove(key.index as usize);
        if self.clients.get(&session.client.clientid) == Some(&key) {
            self.clients.remove(&session.client.clientid);
        }
        let filters: BTreeSet<_> = session.subscriptions.into_keys().collect();
        for filter in filters {
            self.remove_subscription(&filter, key);
        }
    }
}
