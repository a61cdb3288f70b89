//! SUBSCRIBE and UNSUBSCRIBE.

use hookwire_mqtt::{
    QoS, ReasonCode, SubAck, Subscribe, SubscribeFilter, TopicFilter, UnsubAck, Unsubscribe,
};

use super::ConnectionKey;
use super::inbound::Breach;
use crate::hooks::Hooks;
use crate::session::{Granted, SessionKey};
use crate::shard::{Shard, Subscriber};
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Grants what can be granted, filter by filter. When SUBACK is written every
    /// worker routes to the new subscriptions.
    pub(super) fn on_subscribe(&mut self, now: Now, key: ConnectionKey, subscribe: &Subscribe) {
        if subscribe.subscription_identifier.is_some() {
            let breach = Breach {
                kind: "subscription identifier",
                reason: ReasonCode::SubscriptionIdentifiersNotSupported,
                text: "this server said that it takes no subscription identifiers",
            };
            return self.breach(now, key, &breach);
        }
        let Some((session, version)) = self
            .live(key)
            .and_then(|connection| Some((connection.session?, connection.version)))
        else {
            return;
        };
        let reasons = subscribe
            .filters
            .iter()
            .map(|requested| match grantable(requested) {
                Ok(filter) => self.grant(session, &filter, requested),
                Err(reason) => reason,
            })
            .collect();
        self.touch(key);
        if let Some(connection) = self.live(key) {
            let ack = SubAck {
                packet_id: subscribe.packet_id,
                reasons,
                reason_string: None,
                user_properties: Vec::new(),
            };
            ack.encode(version, connection.output.tail());
        }
    }

    pub(super) fn on_unsubscribe(&mut self, key: ConnectionKey, unsubscribe: &Unsubscribe) {
        let Some((session, version)) = self
            .live(key)
            .and_then(|connection| Some((connection.session?, connection.version)))
        else {
            return;
        };
        let reasons = unsubscribe
            .filters
            .iter()
            .map(|text| self.revoke(session, text))
            .collect();
        self.touch(key);
        if let Some(connection) = self.live(key) {
            let ack = UnsubAck {
                packet_id: unsubscribe.packet_id,
                reasons,
                reason_string: None,
                user_properties: Vec::new(),
            };
            ack.encode(version, connection.output.tail());
        }
    }

    fn grant(
        &mut self,
        key: SessionKey,
        filter: &TopicFilter,
        requested: &SubscribeFilter,
    ) -> ReasonCode {
        let granted = Granted {
            qos: requested.qos.min(QoS::AtLeastOnce),
            no_local: requested.no_local,
        };
        let Some(session) = self.session_mut(key) else {
            return ReasonCode::UnspecifiedError;
        };
        let known = session
            .subscriptions
            .insert(filter.clone(), granted)
            .is_some();
        let subscriber = Subscriber {
            session: key,
            qos: granted.qos,
            no_local: granted.no_local,
        };
        if known {
            let entry = self
                .subscriptions
                .get_mut(filter, |entry| entry.session == key);
            if let Some(entry) = entry {
                *entry = subscriber;
            }
        } else if self.subscriptions.insert(filter, subscriber) {
            self.routes.add(filter, self.worker);
        }
        self.subscriptions_generation += 1;
        match granted.qos {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce | QoS::ExactlyOnce => ReasonCode::GrantedQoS1,
        }
    }

    fn revoke(&mut self, key: SessionKey, text: &str) -> ReasonCode {
        let Ok(filter) = TopicFilter::new(text) else {
            return ReasonCode::TopicFilterInvalid;
        };
        let known = self
            .session_mut(key)
            .is_some_and(|session| session.subscriptions.remove(&filter).is_some());
        if !known {
            return ReasonCode::NoSubscriptionExisted;
        }
        self.remove_subscription(&filter, key);
        ReasonCode::Success
    }

    pub(crate) fn remove_subscription(&mut self, filter: &TopicFilter, key: SessionKey) {
        if self
            .subscriptions
            .remove(filter, |entry| entry.session == key)
        {
            self.routes.remove(filter, self.worker);
        }
        self.subscriptions_generation += 1;
    }
}

/// The filter, if this server can grant it.
fn grantable(requested: &SubscribeFilter) -> Result<TopicFilter, ReasonCode> {
    let filter = TopicFilter::new(&requested.filter).map_err(|_| ReasonCode::TopicFilterInvalid)?;
    if filter.as_str().starts_with("$share/") {
        return Err(ReasonCode::SharedSubscriptionsNotSupported);
    }
    Ok(filter)
}
