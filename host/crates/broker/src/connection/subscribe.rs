//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use hookwire_mqtt::{ReasonCode, SubAck, Subscribe, SubscribeFilter, UnsubAck, Unsubscribe};

use super::ConnectionKey;
use super::filters::{FilterInquiry, Ruling};
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
        let Some((session, is_v5)) = self
            .live(key)
            .and_then(|connection| Some((connection.session?, connection.version.is_v5())))
        else {
            return true;
        };
        let id_is_in_use = is_v5
            && self
                .session(session)
                .is_some_and(|session| session.received.contains(&subscribe.packet_id));
        let (reasons, granted) = if id_is_in_use {
            let reasons = vec![ReasonCode::PacketIdentifierInUse; subscribe.filters.len()];
            (reasons, Vec::new())
        } else {
            match self.subscription_rulings(now, key, session, subscribe) {
                Some(rulings) if self.live(key).is_some() => {
                    self.grant_all(now, session, subscribe, rulings)
                }
                // One of the rules closed the connection.
                _ => return self.live(key).is_none(),
            }
        };
        let ack = SubAck {
            packet_id: subscribe.packet_id,
            reasons,
            reason_string: None,
            user_properties: Vec::new(),
        };
        self.acknowledge_subscribe(now, key, session, ack, &granted);
        true
    }

    /// What rules decide about each filter, no more than there are rules; none
    /// while they are asked.
    fn subscription_rulings(
        &mut self,
        now: Now,
        key: ConnectionKey,
        session: SessionKey,
        subscribe: &Subscribe,
    ) -> Option<Vec<Ruling>> {
        let hook = Hook::ClientSubscribe;
        let denies_unlisted = self
            .connection(key)
            .is_some_and(|connection| connection.denies_unlisted);
        if !denies_unlisted && !self.hooks.wants(Hook::ClientAuthorize) && !self.hooks.wants(hook) {
            return Some(Vec::new());
        }
        let (id, filters) = (subscribe.packet_id, subscribe.filters.len());
        self.rulings(now, key, (hook, id, filters), |shard| {
            let asked = subscribe.filters.iter().map(|requested| SubscriptionInfo {
                is_new: shard.subscription(session, &requested.filter).is_new,
                ..info_of(subscribe, requested)
            });
            FilterInquiry::new(hook, id, &subscribe.user_properties, asked.collect())
        })
    }

    /// The reason codes, and the filters as they were granted.
    fn grant_all(
        &mut self,
        now: Now,
        session: SessionKey,
        subscribe: &Subscribe,
        rulings: Vec<Ruling>,
    ) -> (Vec<ReasonCode>, Vec<Option<Arc<str>>>) {
        let mut rulings = rulings.into_iter();
        let granted = subscribe.filters.iter().map(|requested| {
            let info = match rulings.next().unwrap_or(Ruling::AsAsked) {
                Ruling::AsAsked => info_of(subscribe, requested),
                Ruling::Replaced(other) => other,
                Ruling::Refused(reason) => return (reason, None),
            };
            let filter = Arc::clone(&info.filter);
            (self.grant(now, session, info), Some(filter))
        });
        granted.unzip()
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
        let hook = Hook::ClientUnsubscribe;
        if self.hooks.wants(hook) {
            let (id, filters) = (unsubscribe.packet_id, unsubscribe.filters.len());
            let decided = self.rulings(now, key, (hook, id, filters), |shard| {
                let of = |text: &String| shard.subscription(session, text);
                let asked = unsubscribe.filters.iter().map(of).collect();
                FilterInquiry::new(hook, id, &unsubscribe.user_properties, asked)
            });
            match decided {
                Some(decided) if self.live(key).is_some() => rulings = decided,
                // One of the rules closed the connection.
                _ => return self.live(key).is_none(),
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

/// What a client asks for with one filter.
fn info_of(subscribe: &Subscribe, requested: &SubscribeFilter) -> SubscriptionInfo {
    SubscriptionInfo {
        filter: Arc::from(requested.filter.as_str()),
        qos: requested.qos,
        no_local: requested.no_local,
        retain_as_published: requested.retain_as_published,
        retain_handling: requested.retain_handling as u8,
        identifier: subscribe.subscription_identifier,
        is_new: true,
    }
}
