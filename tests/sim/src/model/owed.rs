//! What has to be delivered: noted when the server took a message over, and held
//! against what was received whenever all is calm.

use hookwire_mqtt::QoS;

use super::Model;
use super::message::Origin;
use super::rule::Rule;
use super::state::{ClientNo, MessageNo, Version};
use super::topics::FilterNo;
use crate::history::ConnectionNo;

impl Model {
    /// The server took a message over: every session that was surely subscribed
    /// all the time has to get it.
    pub(super) fn owe(&mut self, number: MessageNo) {
        for client in 0..self.clients.len() {
            self.owe_to(client, number);
        }
    }

    fn owe_to(&mut self, client: ClientNo, number: MessageNo) {
        let now = self.now;
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        // Which of the empty messages of a topic came cannot be told.
        let is_undelivered = self.topics.matches(self.undelivered_topics, message.topic);
        if message.is_empty() || is_undelivered {
            return;
        }
        let state = &self.clients[client];
        let session = &state.session;
        if !session.exists || session.is_in_doubt || message.matched_from <= session.overflowed {
            return;
        }
        if message.packet_bytes > session.max_packet_bytes(message.matched_from) {
            return;
        }
        let mut is_owed = false;
        let mut shared = Vec::new();
        for version in &session.versions {
            let is_for = version.qos > QoS::AtMostOnce
                && version.surely_exists(message.matched_from, now.seq)
                && self.topics.matches(version.filter, message.topic);
            if is_for && version.is_shared {
                shared.push(version.filter);
            } else if is_for {
                is_owed |= !(version.no_local && message.publisher == Some(client));
            }
        }
        let is_away = session.away.is_some();
        shared.retain(|filter| {
            let is_there = message
                .copies
                .iter()
                .any(|copy| copy.shared.contains(filter));
            !is_away && !is_there && !self.may_be_lost(*filter, message.matched_from)
        });
        self.owed_shared
            .extend(shared.into_iter().map(|filter| (number, filter)));
        let session = &mut self.clients[client].session;
        if is_owed && !session.seen.contains_key(&number) {
            session.owed.insert(number);
        }
    }

    /// Whether a member of the shared subscription may have lost messages since,
    /// or may have been given them with QoS 0.
    fn may_be_lost(&self, filter: FilterNo, since: u64) -> bool {
        let now = self.now.seq;
        let lost = self.shared_losses.get(&filter);
        let mut versions = self
            .clients
            .iter()
            .flat_map(|state| &state.session.versions);
        lost.is_some_and(|lost| *lost >= since)
            || versions.any(|version| {
                version.filter == filter
                    && version.qos == QoS::AtMostOnce
                    && version.may_exist(since, now)
            })
    }

    /// A member of shared subscriptions went, or lost messages: what it may have
    /// been chosen for is not due any more.
    pub(super) fn drop_owed_shared_of(&mut self, client: ClientNo) {
        let versions = &self.clients[client].session.versions;
        let live = versions.iter().filter(|version| version.until.is_none());
        let filters: Vec<FilterNo> = live
            .filter(|version| version.is_shared)
            .map(|version| version.filter)
            .collect();
        for filter in filters {
            self.drop_owed_shared(filter);
        }
    }

    /// What was due to the shared subscription may have been lost.
    pub(super) fn drop_owed_shared(&mut self, filter: FilterNo) {
        self.shared_losses.insert(filter, self.now.seq);
        self.owed_shared.retain(|(_, owed)| *owed != filter);
    }

    /// All is calm and the client's window has room: it has everything.
    pub(super) fn check_owed(&mut self, no: ConnectionNo, client: ClientNo) {
        let now_ms = self.now.ms;
        let max_bytes = self.connections[no].max_packet_bytes();
        let messages = &self.messages;
        let is_due = |number: &MessageNo| {
            messages.get(number).is_some_and(|message| {
                message.may_pass()
                    && !message.may_be_expired(now_ms)
                    && message.packet_bytes <= max_bytes
            })
        };
        let session = &mut self.clients[client].session;
        let lost = std::mem::take(&mut session.owed);
        let lost_retained = std::mem::take(&mut session.owed_retained);
        for number in lost.into_iter().filter(is_due).collect::<Vec<_>>() {
            let rule = match self.messages.get(&number).map(|message| message.origin) {
                Some(Origin::Will(_)) => Rule::WillLost,
                _ => Rule::Lost,
            };
            self.violate(rule, || format!("#{no}: message {number}"));
        }
        for (number, version) in lost_retained {
            if self.messages.get(&number).is_some_and(|message| {
                !message.may_be_expired(now_ms) && message.packet_bytes <= max_bytes
            }) {
                let filter = self.clients[client].session.version(version);
                let filter = filter.map(|version| version.filter);
                let filter = filter.map(|filter| self.topics.filter_text(filter).to_owned());
                self.violate(Rule::RetainedLost, || {
                    format!("#{no}: message {number} for {filter:?}")
                });
            }
        }
    }

    /// All is calm: a member of each shared subscription has the message, unless
    /// it waits for one that is away or whose window is full.
    pub(super) fn check_owed_shared(&mut self, is_ready: &[bool]) {
        let now_ms = self.now.ms;
        for (number, filter) in self.owed_shared.clone() {
            let mut members = self.clients.iter().enumerate().filter(|(_, state)| {
                let live = |version: &Version| version.filter == filter && version.until.is_none();
                state.session.versions.iter().any(live)
            });
            if !members.all(|(client, _)| is_ready[client]) {
                continue;
            }
            self.owed_shared.remove(&(number, filter));
            let is_due = self
                .messages
                .get(&number)
                .is_some_and(|message| message.may_pass() && !message.may_be_expired(now_ms));
            if is_due {
                let filter = self.topics.filter_text(filter).to_owned();
                self.violate(Rule::SharedLost, || {
                    format!("message {number} for {filter:?}")
                });
            }
        }
    }
}
