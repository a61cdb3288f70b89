//! Deadlines of connections and sessions, all on the worker's one wheel.

use hookwire_mqtt::ReasonCode;

use crate::connection::{CloseReason, ConnectionKey, Farewell, Stage};
use crate::hooks::Hooks;
use crate::session::SessionKey;
use crate::shard::Shard;
use crate::time::Now;

/// What a deadline is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Authentication, then keep-alive.
    Connection(ConnectionKey),
    /// A will's delay, the session's end.
    Session(SessionKey),
}

impl<H: Hooks> Shard<H> {
    /// Does what is due: closes silent connections, ends sessions, publishes
    /// wills and delayed messages, forgets what expired. Call it at least once a
    /// second.
    pub fn tick(&mut self, now: Now) {
        let mut due = Vec::new();
        let (connections, sessions) = (&self.connections, &self.sessions);
        // A deadline that is no longer the one its owner waits for is void.
        let is_awaited = |deadline_ms: u64, timer: &Timer| match timer {
            Timer::Connection(key) => {
                connections
                    .get(key.index as usize)
                    .is_some_and(|connection| {
                        connection.generation == key.generation
                            && connection.is_open()
                            && connection.armed_ms == Some(deadline_ms)
                    })
            }
            Timer::Session(key) => sessions.get(key.index as usize).is_some_and(|session| {
                session.generation == key.generation && session.armed_ms == Some(deadline_ms)
            }),
        };
        self.wheel.turn(now.mono_ms, &mut due, is_awaited);
        due.retain(|(deadline_ms, timer)| is_awaited(*deadline_ms, timer));
        for (_, timer) in due {
            match timer {
                Timer::Connection(key) => self.check_connection(now, key),
                Timer::Session(key) => self.check_session(now, key),
            }
        }
        self.release_delayed(now);
        self.fetch_again(now);
        self.tell_all_moves();
        self.speak(now);
        self.close_listed(now);
        if self.worker == 0 {
            self.retained.expire(now.wall_ms);
        }
    }

    /// Gives a connection a place on the wheel; an earlier one is void.
    pub(crate) fn arm_connection(&mut self, deadline_ms: u64, key: ConnectionKey) {
        if let Some(connection) = self.connection_mut(key) {
            connection.armed_ms = Some(deadline_ms);
        }
        self.wheel.insert(deadline_ms, Timer::Connection(key));
    }

    /// Gives a session a place on the wheel for its next deadline, unless it has
    /// an earlier one. A later one that it had is void, and forgotten when the
    /// wheel comes to it.
    pub(crate) fn arm_session(&mut self, key: SessionKey) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let Some(deadline_ms) = session.next_deadline_ms() else {
            return;
        };
        if session
            .armed_ms
            .is_none_or(|armed_ms| armed_ms > deadline_ms)
        {
            session.armed_ms = Some(deadline_ms);
            self.wheel.insert(deadline_ms, Timer::Session(key));
        }
    }

    fn check_connection(&mut self, now: Now, key: ConnectionKey) {
        match self.connection(key).map(|connection| connection.stage) {
            Some(Stage::Live) => self.check_keep_alive(now, key),
            Some(Stage::Arriving) => self.check_arrival(now, key),
            Some(Stage::Closing | Stage::Gone) | None => {}
        }
    }

    fn check_keep_alive(&mut self, now: Now, key: ConnectionKey) {
        let max_output_bytes = self.limits.max_output_bytes;
        let Some(connection) = self
            .live(key)
            .filter(|connection| connection.keep_alive_ms > 0)
        else {
            return;
        };
        // A client that does not read its own output is silent by its own choice.
        if connection.paused && connection.output.len() <= max_output_bytes {
            connection.last_seen_ms = now.mono_ms;
        }
        let due_ms = connection.last_seen_ms + connection.keep_alive_ms;
        if now.mono_ms < due_ms {
            return self.arm_connection(due_ms, key);
        }
        self.counters.keep_alive_timeouts += 1;
        let farewell = Farewell::new(ReasonCode::KeepAliveTimeout, "nothing came in time");
        self.close(now, key, CloseReason::KeepAlive, Some(farewell));
    }
}
