//! How a connection's service ends, and a session, and what that sets off.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookwire_mqtt::{QoS, Will};

use crate::connection::{CloseReason, ConnectionKey, Farewell, Stage, close_packet};
use crate::faults::Fault;
use crate::hooks::{Hook, Hooks};
use crate::session::{PendingWill, SessionKey};
use crate::shard::Shard;
use crate::sys::Presence;
use crate::time::Now;

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its client begins anew.
    Discarded,
    /// Its time is over, or its connection's, for this reason.
    Terminated(&'static str),
    /// Its client was not let in: rules keep what they have of it, and are asked
    /// again when it comes back.
    Forgotten,
}

impl<H: Hooks> Shard<H> {
    /// Ends the service of a connection: its will, its session or its place in
    /// it, its events. The output, with the farewell at its end, is still to be
    /// written.
    pub(crate) fn close(
        &mut self,
        now: Now,
        key: ConnectionKey,
        reason: CloseReason,
        farewell: Option<Farewell>,
    ) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        match connection.stage {
            Stage::Live => {}
            Stage::Arriving => return self.turn_away(now, key, farewell),
            Stage::Closing | Stage::Gone => return,
        }
        connection.stage = Stage::Closing;
        connection.inquiry = None;
        connection.access = None;
        let said = farewell
            .as_ref()
            .map_or(connection.left_with, |farewell| farewell.reason);
        let was_let_in = !std::mem::take(&mut connection.is_withheld);
        let is_sent = was_let_in && !reason.drops_will();
        let will = connection.will.take().filter(|_| is_sent);
        let session = connection.session;
        let client = Arc::clone(&connection.client);
        let says_why = farewell.is_some() && connection.version.is_v5();
        match farewell {
            Some(farewell) if was_let_in => close_packet(connection, farewell),
            Some(farewell) => self.refuse_after_all(now, key, farewell),
            None => {}
        }
        self.counters.packets_sent += u64::from(says_why);
        self.touch(key);
        // Nothing more is sent to it, its own will included.
        if let Some(session) = session.and_then(|session| self.session_mut(session)) {
            session.connection = None;
            session.kept.forget_asked();
            if let Some(load) = &session.load {
                load.set_online(false);
            }
        }
        if let Some(session) = session {
            self.recall_deciding(now, session);
            self.stop_fetching(session);
        }
        if let Some(will) = will {
            self.leave_will(now, key, will, reason);
        }
        self.tell_client_code(now, Hook::ClientDisconnected, &client, reason.word(), said);
        if let Some(session) = session {
            self.detach(now, session, reason);
            if !was_let_in {
                self.end_session(now, session, Ending::Forgotten);
            }
        }
        let presence = Presence::Disconnected {
            reason: reason.word(),
        };
        self.tell_presence(now, &client, presence);
        if let Some(connection) = self.connection_mut(key)
            && !connection.pipeline.is_empty()
        {
            connection.is_leaving = true;
            let clientid = Arc::clone(&client.clientid);
            *self.leaving.entry(clientid).or_default() += 1;
        }
    }

    /// Publishes a will, or gives it to the session until its delay is over.
    fn leave_will(&mut self, now: Now, key: ConnectionKey, will: Will, reason: CloseReason) {
        let session = self
            .connection(key)
            .and_then(|connection| connection.session);
        let stops = reason == CloseReason::ServerStops;
        if let Some(session) = session.and_then(|session| self.session_mut(session))
            && will.delay_interval_s > 0
            && session.expiry_interval_s > 0
            && !stops
        {
            let due_ms = now.mono_ms + u64::from(will.delay_interval_s) * 1_000;
            session.will = Some(PendingWill { will, due_ms });
        } else {
            self.publish_will(now, key, will);
        }
    }

    /// The client is away: its session waits for it, or ends.
    fn detach(&mut self, now: Now, key: SessionKey, reason: CloseReason) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let seconds = session.expiry_interval_s;
        if seconds == 0 {
            let ending = match session.is_discarded {
                true => Ending::Discarded,
                false => Ending::Terminated(reason.word()),
            };
            return self.end_session(now, key, ending);
        }
        if seconds < u32::MAX {
            session.ends_at_ms = Some(now.mono_ms + u64::from(seconds) * 1_000);
        }
        self.arm_session(key);
        self.pass_on_waiting(now, key);
    }

    /// Ends a session: nothing of it is left.
    pub(crate) fn end_session(&mut self, now: Now, key: SessionKey, ending: Ending) {
        if self.session(key).is_none() {
            return;
        }
        if self.planted.is(Fault::SessionLeaked) {
            return;
        }
        let mut session = self.sessions.remove(key.index as usize);
        if self.clients.get(&session.client.clientid) == Some(&key) {
            self.clients.remove(&session.client.clientid);
        }
        let filters: BTreeSet<_> = session
            .subscriptions
            .drain()
            .map(|(filter, _)| filter)
            .collect();
        for filter in filters {
            self.remove_subscription(&filter, key);
        }
        match ending {
            Ending::Discarded => {
                self.tell_client(now, Hook::SessionDiscarded, &session.client, "");
            }
            Ending::Terminated(reason) => {
                self.tell_client(now, Hook::SessionTerminated, &session.client, reason);
            }
            Ending::Forgotten => {}
        }
        if let Some(pending) = session.will.take() {
            self.publish_late_will(now, &session.client, pending.will);
        }
        if session.load.is_some() {
            let returned = session.deciding.take_returned();
            let unacknowledged = session.inflight.into_deliveries();
            self.pass_on(
                now,
                unacknowledged.filter(|delivery| delivery.qos < QoS::ExactlyOnce),
            );
            self.pass_on(now, returned);
            self.pass_on(now, std::iter::from_fn(|| session.queue.pop()));
        }
    }

    /// A deadline of a session may be over: of its will, or of its life.
    pub(crate) fn check_session(&mut self, now: Now, key: SessionKey) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.armed_ms = None;
        let is_due = |due_ms: u64| due_ms <= now.mono_ms;
        if let Some(pending) = session.will.take_if(|pending| is_due(pending.due_ms)) {
            let client = Arc::clone(&session.client);
            self.publish_late_will(now, &client, pending.will);
        }
        let Some(session) = self.session_mut(key) else {
            return;
        };
        if session.ends_at_ms.is_some_and(is_due) {
            self.counters.sessions_expired += 1;
            return self.end_session(now, key, Ending::Terminated("expired"));
        }
        self.arm_session(key);
    }

    /// A connection that closed may have no publish left with the rules: then
    /// the next one of its client is served.
    pub(crate) fn left_if_settled(&mut self, now: Now, key: ConnectionKey) {
        let Some(connection) = self
            .connection_mut(key)
            .filter(|connection| connection.is_leaving && connection.pipeline.is_empty())
        else {
            return;
        };
        connection.is_leaving = false;
        let clientid = Arc::clone(&connection.client.clientid);
        if let Some(left) = self.leaving.get_mut(&clientid) {
            *left -= 1;
            if *left == 0 {
                self.leaving.remove(&clientid);
                self.begin_if_alone(now, &clientid);
            }
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
}
