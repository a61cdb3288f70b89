//! Subscriptions: each a row of versions, of which none may overlap in truth,
//! but several may exist as far as the client can know.

use std::rc::Rc;

use hookwire_mqtt::{QoS, ReasonCode};

use super::Model;
use super::rule::Rule;
use super::state::{PendingSubscribe, PendingUnsubscribe, Version};
use super::topics::FilterNo;
use crate::history::ConnectionNo;
use crate::packet::Entry;
use crate::policy::plain;

impl Model {
    pub(super) fn sent_subscribe(
        &mut self,
        no: ConnectionNo,
        id: u16,
        identifier: Option<u32>,
        entries: &[Entry],
    ) {
        let now = self.now;
        let Some(client) = self.connections[no].client else {
            return;
        };
        let mut pending = PendingSubscribe {
            id,
            versions: Vec::new(),
            requested: Vec::new(),
            is_valid: Vec::new(),
        };
        for entry in entries {
            let filter = self.topics.filter(&entry.filter);
            let is_denied = self
                .configuration
                .denied_filters
                .iter()
                .any(|denied| **denied == *plain(&entry.filter));
            let is_valid = self.topics.is_valid(filter) && !is_denied;
            pending.requested.push(entry.qos);
            pending.is_valid.push(is_valid);
            self.next_version += 1;
            pending.versions.push(self.next_version);
            if !is_valid {
                continue;
            }
            let session = &mut self.clients[client].session;
            let before = |version: &&Version| version.filter == filter && version.until.is_none();
            let is_surely_new = !session.versions.iter().any(|version| before(&version));
            let is_surely_known = session
                .versions
                .iter()
                .filter(before)
                .any(|version| version.acknowledged.is_some() && version.ending.is_none());
            end_versions(&mut session.versions, filter, now.seq);
            session.versions.push(Version {
                number: self.next_version,
                filter,
                is_shared: self.topics.is_shared(filter),
                qos: entry.qos,
                no_local: entry.no_local,
                retain_as_published: entry.retain_as_published,
                retain_handling: entry.retain_handling,
                identifier,
                from: now.seq,
                acknowledged: None,
                ending: None,
                until: None,
                is_surely_new,
                is_surely_known,
                retained: None,
            });
            if entry.qos == QoS::AtMostOnce {
                self.forgive(client, filter);
            }
        }
        self.connections[no].subscribes.push(pending);
        for number in self.unmatched.clone() {
            let session = &self.clients[client].session;
            if !session.waiting.contains_key(&number) {
                self.expect_at(client, number);
            }
        }
        if self.is_over_bounds(client) {
            self.may_overflow(client);
        }
    }

    pub(super) fn suback(&mut self, no: ConnectionNo, id: u16, reasons: &[ReasonCode]) {
        let connection = &mut self.connections[no];
        let place = connection
            .subscribes
            .iter()
            .position(|pending| pending.id == id);
        let (Some(place), Some(client)) = (place, connection.client) else {
            return self.violate(Rule::AnswersNothing, || format!("#{no}: SUBACK id {id}"));
        };
        let pending = connection.subscribes.remove(place);
        if pending.versions.len() != reasons.len() {
            return self.violate(Rule::SubAckCodes, || {
                format!("#{no}: {reasons:?} for {} filters", pending.versions.len())
            });
        }
        for (index, &number) in pending.versions.iter().enumerate() {
            let granted = match reasons[index] {
                ReasonCode::Success => Some(QoS::AtMostOnce),
                ReasonCode::GrantedQoS1 => Some(QoS::AtLeastOnce),
                ReasonCode::GrantedQoS2 => Some(QoS::ExactlyOnce),
                _ => None,
            };
            // MQTT 3.1 cannot say that a filter was refused.
            let has_refusals =
                self.connections[no].connect.version != hookwire_mqtt::ProtocolVersion::V31;
            let is_right = match granted {
                Some(granted) if pending.is_valid[index] => granted == pending.requested[index],
                Some(_) => !has_refusals,
                None => !pending.is_valid[index],
            };
            if !is_right {
                self.violate(Rule::SubAckCodes, || {
                    format!(
                        "#{no}: SUBACK id {id} {reasons:?}, asked for {:?}",
                        pending.requested
                    )
                });
            }
            match granted {
                Some(granted) => self.granted(no, client, number, granted),
                None => self.not_granted(client, number),
            }
        }
    }

    fn granted(&mut self, no: ConnectionNo, client: usize, number: u64, granted: QoS) {
        let now = self.now;
        let session = &mut self.clients[client].session;
        let Some(version) = session.version(number) else {
            return;
        };
        version.qos = version.qos.min(granted);
        version.acknowledged = Some(now.seq);
        let filter = version.filter;
        for other in &mut session.versions {
            if other.filter == filter && other.number < number && other.until.is_none() {
                other.until = Some(now.seq);
            }
        }
        self.retained_at_suback(no, client, number);
    }

    fn not_granted(&mut self, client: usize, number: u64) {
        let session = &mut self.clients[client].session;
        let Some(version) = session.version(number) else {
            return;
        };
        let (filter, from) = (version.filter, version.from);
        session.versions.retain(|version| version.number != number);
        for version in &mut session.versions {
            if version.filter == filter && version.ending == Some(from) {
                version.ending = None;
            }
        }
    }

    pub(super) fn sent_unsubscribe(&mut self, no: ConnectionNo, id: u16, filters: &[Rc<str>]) {
        let now = self.now;
        let Some(client) = self.connections[no].client else {
            return;
        };
        let filters: Vec<FilterNo> = filters
            .iter()
            .map(|filter| self.topics.filter(filter))
            .collect();
        for &filter in &filters {
            let session = &mut self.clients[client].session;
            end_versions(&mut session.versions, filter, now.seq);
            self.forgive(client, filter);
        }
        let pending = PendingUnsubscribe {
            id,
            from: now.seq,
            filters,
        };
        self.connections[no].unsubscribes.push(pending);
    }

    pub(super) fn unsuback(&mut self, no: ConnectionNo, id: u16, reasons: &[ReasonCode]) {
        let now = self.now;
        let connection = &mut self.connections[no];
        let is_v5 = connection.is_v5();
        let place = connection
            .unsubscribes
            .iter()
            .position(|pending| pending.id == id);
        let (Some(place), Some(client)) = (place, connection.client) else {
            return self.violate(Rule::AnswersNothing, || format!("#{no}: UNSUBACK id {id}"));
        };
        let pending = connection.unsubscribes.remove(place);
        let due = if is_v5 { pending.filters.len() } else { 0 };
        let mut is_right = reasons.len() == due;
        for (index, &filter) in pending.filters.iter().enumerate() {
            let versions = &mut self.clients[client].session.versions;
            let live = |version: &Version| version.filter == filter && version.until.is_none();
            let may_exist = versions.iter().any(live);
            let surely_exists = versions.iter().any(|version| {
                // Unless an earlier packet ended it, whose answer was lost.
                let is_untouched = version.ending.is_none_or(|ending| ending >= pending.from);
                live(version) && version.acknowledged.is_some() && is_untouched
            });
            is_right &= match reasons.get(index) {
                Some(ReasonCode::Success) => may_exist,
                Some(ReasonCode::NoSubscriptionExisted) => !surely_exists,
                // A filter that is none may be told so.
                Some(ReasonCode::TopicFilterInvalid) => !self.topics.is_valid(filter),
                Some(_) => false,
                None => true,
            };
            for version in versions {
                // A SUBSCRIBE sent behind this UNSUBSCRIBE is not its business.
                if version.filter == filter && version.from < pending.from {
                    version.until.get_or_insert(now.seq);
                }
            }
        }
        if !is_right {
            self.violate(Rule::UnsubAckCodes, || {
                format!("#{no}: UNSUBACK id {id} {reasons:?}")
            });
        }
    }

    /// What was due only by this filter is not due any more.
    fn forgive(&mut self, client: usize, filter: FilterNo) {
        let session = &mut self.clients[client].session;
        let (topics, messages) = (&mut self.topics, &self.messages);
        let mut matches = |number: &u32| {
            let message = messages.get(number);
            message.is_some_and(|message| topics.matches(filter, message.topic))
        };
        session.owed.retain(|number| !matches(number));
        session.owed_retained.retain(|(number, _)| !matches(number));
        if self.topics.is_shared(filter) {
            self.drop_owed_shared(filter);
        }
    }
}

/// Whatever versions of the filter there are may end from now on.
fn end_versions(versions: &mut [Version], filter: FilterNo, now: u64) {
    for version in versions {
        if version.filter == filter && version.until.is_none() {
            version.ending.get_or_insert(now);
        }
    }
}
