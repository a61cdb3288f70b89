//! The network at rest: what was sent was read, what was written was received.
//! When all is calm, whatever had to happen has happened.

use hookwire_mqtt::QoS;

use super::Model;
use super::message::Origin;
use super::state::{ClientNo, MessageNo, Stage, Step};
use crate::history::ConnectionNo;

impl Model {
    pub(super) fn rest(&mut self, is_calm: bool, undrained: &[ConnectionNo]) {
        let now = self.now;
        let drained: Vec<ConnectionNo> = self
            .open
            .iter()
            .copied()
            .filter(|no| !undrained.contains(no))
            .collect();
        for &no in &drained {
            let connection = &mut self.connections[no];
            connection.drained_ms = now.ms;
            connection.confirmed_ms = connection.last_sent_ms.max(connection.confirmed_ms);
            if let Some(client) = connection.client
                && self.clients[client].connection == Some(no)
            {
                self.confirm_exchanges(no, client);
            }
        }
        let messages = &mut self.messages;
        self.untaken.retain(|number| {
            let Some(message) = messages.get_mut(number) else {
                return false;
            };
            let is_undrained = undrained.contains(&message.connection);
            if !is_undrained {
                message.taken_by_ms.get_or_insert(now.ms);
            }
            is_undrained
        });
        if is_calm {
            self.calm(&drained);
        }
    }

    fn calm(&mut self, open: &[ConnectionNo]) {
        self.match_the_rest();
        self.publish_scheduled();
        for &no in open {
            if !self.is_newest(no) {
                // What was asked for there is known by now, if not to the client.
                self.snapshot_retained(no);
            }
        }
        self.calm_retained();
        for &no in open {
            self.check_calm_connection(no);
        }
        let mut is_ready = vec![false; self.clients.len()];
        for &no in open {
            if self.connections[no].stage == Stage::Accepted
                && let Some(client) = self.connections[no].client
                && self.clients[client].connection == Some(no)
                && self.is_newest(no)
            {
                is_ready[client] = self.calm_session(no, client);
            }
        }
        // A client that is gone for good cannot keep a message from the others.
        for (client, is_ready) in is_ready.iter_mut().enumerate() {
            *is_ready |= !self.clients[client].session.exists;
        }
        self.check_owed_shared(&is_ready);
    }

    /// Messages were matched with subscriptions by now, but for those that wait
    /// for their time, or for PUBREL.
    fn match_the_rest(&mut self) {
        let now = self.now;
        let slack_ms = self.configuration.slack_ms;
        let (clients, messages) = (&self.clients, &mut self.messages);
        self.unmatched.retain(|number: &MessageNo| {
            let Some(message) = messages.get_mut(number) else {
                return false;
            };
            message.released_by_ms.get_or_insert(now.ms);
            let due = message.due(slack_ms);
            let is_unreleased = message.qos == QoS::ExactlyOnce
                && message.origin == Origin::Publish
                && !message.is_accepted
                && message.publisher.is_some_and(|publisher| {
                    let publishing = &clients[publisher].session.publishing;
                    publishing.values().any(|known| known.message == *number)
                });
            let waits = due.is_some_and(|due| due.most_ms >= now.ms) || is_unreleased;
            if !waits {
                message.matched_by = Some(now.seq);
            }
            waits
        });
    }

    /// Holds a session whose client is there against what has to be true when
    /// all is calm; whether nothing waits for it.
    fn calm_session(&mut self, no: ConnectionNo, client: ClientNo) -> bool {
        let session = &self.clients[client].session;
        let is_unfinished = |step: Step| !matches!(step, Step::Finished { .. });
        let unfinished = session.exchanges.iter();
        let unfinished = unfinished
            .filter(|exchange| is_unfinished(exchange.step))
            .count();
        let window = self.connections[no].window(self.configuration.max_inflight);
        let has_room = unfinished < window;
        self.check_resent(no, client, has_room);
        if !has_room {
            return false;
        }
        self.check_owed(no, client);
        let session = &mut self.clients[client].session;
        session.clear_waiting();
        session.retained_copies.clear();
        session.versions.retain(|version| version.until.is_none());
        for version in &mut session.versions {
            if version.acknowledged.is_some() {
                // Whatever it was to be sent was received.
                version.retained = Some(Vec::new());
            }
        }
        // What has yet to be published may still come to wait.
        for number in self.unmatched.clone() {
            self.expect_at(client, number);
        }
        true
    }
}
