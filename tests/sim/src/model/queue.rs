//! What may wait for clients at the server, and when that may be too much.

use hookwire_mqtt::QoS;

use super::Model;
use super::state::{ClientNo, MessageNo};
use super::topics::FilterNo;

impl Model {
    /// Notes where a message may come to wait, and what may be dropped for it.
    pub(super) fn expect_at_sessions(&mut self, number: MessageNo) {
        for client in 0..self.clients.len() {
            self.expect_at(client, number);
        }
        for client in 0..self.clients.len() {
            if self.is_over_bounds(client) {
                self.may_overflow(client);
            }
        }
    }

    pub(super) fn expect_at(&mut self, client: ClientNo, number: MessageNo) {
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        let session = &mut self.clients[client].session;
        // QoS 0 waits behind retained messages, if not for a client that is away.
        let waits = [
            self.configuration.queues_qos0 || session.away.is_none(),
            true,
        ];
        let mut own = [false; 2];
        let mut copies = [0; 2];
        let mut shared: Vec<FilterNo> = Vec::new();
        for version in session
            .versions
            .iter()
            .filter(|version| version.until.is_none())
        {
            let kind = usize::from(message.qos.min(version.qos) > QoS::AtMostOnce);
            if !waits[kind] || !self.topics.matches(version.filter, message.topic) {
                continue;
            }
            if !version.is_shared {
                own[kind] = true;
            } else if !shared.contains(&version.filter) {
                shared.push(version.filter);
                copies[kind] += 1;
            }
        }
        // The highest QoS counts.
        copies[1] += usize::from(own[1]);
        copies[0] += usize::from(own[0] && !own[1]);
        if copies == [0, 0] {
            return;
        }
        session.add_waiting(number, copies, message.held_bytes);
    }

    /// Whether more may wait for the client than the server keeps. What waits
    /// for other members of its shared subscriptions may come to it.
    pub(super) fn is_over_bounds(&self, client: ClientNo) -> bool {
        let session = &self.clients[client].session;
        let (mut messages, mut bytes) = session.passed_on;
        messages = messages.saturating_add(session.waiting_messages);
        bytes = bytes.saturating_add(session.waiting_bytes);
        for other in self.fellows(client) {
            let (more, more_bytes) = self.held_for(other);
            messages = messages.saturating_add(more);
            bytes = bytes.saturating_add(more_bytes);
        }
        messages > self.configuration.max_queued_messages
            || bytes > self.configuration.max_queued_bytes
    }

    /// Other members of the client's shared subscriptions.
    fn fellows(&self, client: ClientNo) -> Vec<ClientNo> {
        let shared = |client: ClientNo| {
            let versions = self.clients[client].session.versions.iter();
            let live = versions.filter(|version| version.until.is_none() && version.is_shared);
            live.map(|version| version.filter)
        };
        let own: Vec<FilterNo> = shared(client).collect();
        if own.is_empty() {
            return Vec::new();
        }
        let others = (0..self.clients.len()).filter(|other| *other != client);
        others
            .filter(|other| shared(*other).any(|filter| own.contains(&filter)))
            .collect()
    }

    /// Messages that wait for a client, or are not acknowledged, and their bytes.
    fn held_for(&self, client: ClientNo) -> (usize, usize) {
        let session = &self.clients[client].session;
        let unacknowledged = session.exchanges.iter().map(|exchange| {
            let message = self.messages.get(&exchange.message);
            message.map_or(0, |message| message.held_bytes)
        });
        let messages = session.waiting_messages + session.exchanges.len();
        let bytes = session.waiting_bytes + unacknowledged.sum::<usize>();
        (
            messages.saturating_add(session.passed_on.0),
            bytes.saturating_add(session.passed_on.1),
        )
    }

    /// A client leaves: what waits for it may go to its fellows.
    pub(super) fn pass_on(&mut self, client: ClientNo) {
        let fellows = self.fellows(client);
        if fellows.is_empty() {
            return;
        }
        let (messages, bytes) = self.held_for(client);
        for fellow in fellows {
            let passed_on = &mut self.clients[fellow].session.passed_on;
            // At most, and again at most: it may become any number.
            passed_on.0 = passed_on.0.saturating_add(messages);
            passed_on.1 = passed_on.1.saturating_add(bytes);
            if self.is_over_bounds(fellow) {
                self.may_overflow(fellow);
            }
        }
    }

    /// Messages may be dropped from the client's queue, or the client closed.
    pub(super) fn may_overflow(&mut self, client: ClientNo) {
        let now = self.now;
        let session = &mut self.clients[client].session;
        session.overflowed = now.seq;
        session.owed.clear();
        self.drop_owed_shared_of(client);
        if self.configuration.overflow_closes {
            let state = &self.clients[client];
            for no in [state.connection, state.newest].into_iter().flatten() {
                self.add_cause(no, now);
            }
        }
    }
}
