//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use hookwire_mqtt::{ReasonCode, SubAck, Subscribe, SubscribeFilter, UnsubAck, Unsubscribe};

use super::ConnectionKey;
use super::filters::{FilterInquiry, Ruling};
use super::grant::wanted;
use crate::hooks::{Hook, Hooks, SubscriptionInfo};
use crate::session::SessionKey;
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Grants what can be granted, filter by filter. When SUBACK is written every
    /// worker routes to the new subscriptions; retained messages follow it. False:
    /// rules are asked, and the packet has to come again.
    pub(super) fn on_subscribe(
        &mut self,
        now: Now,
        key: ConnectionKey,
        subscribe: &Subscribe,
    ) -> bool {
        let Some((session, is_v5, denies_unlisted)) = self.live(key).and_then(|connection| {
            let is_v5 = connection.version.is_v5();
            Some((connection.session?, is_v5, connection.denies_unlisted))
        }) else {
            return true;
        };
        let id_is_in_use = is_v5
            && self
                .session(session)
                .is_some_and(|session| session.received.contains(&subscribe.packet_id));
        let has_rules = denies_unlisted
            || self.hooks.wants(Hook::ClientAuthorize)
            || self.hooks.wants(Hook::ClientSubscribe);
        let mut rulings = Vec::new();
        if has_rules && !id_is_in_use {
            let packet = (
                Hook::ClientSubscribe,
                subscribe.packet_id,
                subscribe.filters.len(),
            );
            let decided = self.rulings(now, key, packet, |shard| {
                let of = |requested| shard.asked(session, subscribe, requested);
                let asked = subscribe.filters.iter().map(of).collect();
                let properties = &subscribe.user_properties;
                FilterInquiry::new(packet.0, packet.1, properties, asked)
            });
            match decided {
                Some(decided) => rulings = decided,
                None => return self.live(key).is_none(),
            }
            if self.live(key).is_none() {
                return true;
            }
        }
        let mut rulings = rulings.into_iter();
        let mut reasons = Vec::with_capacity(subscribe.filters.len());
        for requested in &subscribe.filters {
            let reason = match rulings.next().unwrap_or(Ruling::AsAsked) {
                _ if id_is_in_use => ReasonCode::PacketIdentifierInUse,
                Ruling::Refused(reason) => reason,
                Ruling::Replaced(other) => self.grant(now, session, other),
                Ruling::AsAsked => {
                    let asked = self.asked(session, subscribe, requested);
                    self.grant(now, session, asked)
                }
            };
            reasons.push(reason);
        }
        let ack = SubAck {
            packet_id: subscribe.packet_id,
            reasons,
            reason_string: None,
            user_properties: Vec::new(),
        };
        self.append_packet(key, |version, out| ack.encode(version, out));
        self.send_waiting(now, session);
        true
    }

    /// What a client asks for with one filter.
    fn asked(
        &self,
        session: SessionKey,
        subscribe: &Subscribe,
        requested: &SubscribeFilter,
    ) -> SubscriptionInfo {
        let known = wanted(&requested.filter).ok().is_some_and(|wanted| {
            let session = self.session(session);
            session.is_some_and(|found| found.subscriptions.contains_key(&wanted.subscription))
        });
        SubscriptionInfo {
            filter: Arc::from(requested.filter.as_str()),
            qos: requested.qos,
            no_local: requested.no_local,
            retain_as_published: requested.retain_as_published,
            retain_handling: requested.retain_handling as u8,
            identifier: subscribe.subscription_identifier,
            is_new: !known,
        }
    }

    /// Gives up what rules let the client give up. False: they are asked, and the
    /// packet has to come again.
    pub(super) fn on_unsubscribe(
        &mut self,
        now: Now,
        key: ConnectionKey,
        unsubscribe: &Unsubscribe,
    ) -> bool {
        let Some(session) = self.live(key).and_then(|connection| connection.session) else {
            return true;
        };
        let mut rulings = Vec::new();
        if self.hooks.wants(Hook::ClientUnsubscribe) {
            let packet = (
                Hook::ClientUnsubscribe,
                unsubscribe.packet_id,
                unsubscribe.filters.len(),
            );
            let decided = self.rulings(now, key, packet, |shard| {
                let of = |text: &String| shard.subscription(session, text);
                let asked = unsubscribe.filters.iter().map(of).collect();
                let properties = &unsubscribe.user_properties;
                FilterInquiry::new(packet.0, packet.1, properties, asked)
            });
            match decided {
                Some(decided) => rulings = decided,
                None => return self.live(key).is_none(),
            }
            if self.live(key).is_none() {
                return true;
            }
        }
        let mut rulings = rulings.into_iter();
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for text in &unsubscribe.filters {
            reasons.push(match rulings.next() {
                Some(Ruling::Refused(reason)) => reason,
                _ => self.revoke(now, session, text),
            });
        }
        let ack = UnsubAck {
            packet_id: unsubscribe.packet_id,
            reasons,
            reason_string: None,
            user_properties: Vec::new(),
        };
        self.append_packet(key, |version, out| ack.encode(version, out));
        true
    }
}
