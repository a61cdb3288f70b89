//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use hookwire_mqtt::{
    ReasonCode, RetainHandling, SharedFilter, SubAck, Subscribe, SubscribeFilter, TopicFilter,
    TopicName, UnsubAck, Unsubscribe,
};

use super::ConnectionKey;
use crate::faults::Fault;
use crate::group::{Load, Member};
use crate::hooks::Hooks;
use crate::message::Message;
use crate::session::{Granted, SessionKey, Terms};
use crate::shard::{Shard, Subscriber};
use crate::time::Now;

/// Retained messages that may wait for one client before no more are looked for.
const MAX_BACKLOG: usize = 250_000;
/// Subscriptions of a client beyond which it is not looked whether mail may
/// bring a retained message a second time: then it may.
const MAX_COMPARED: usize = 64;

/// A filter as it is kept: shared ones of one group and filter are one.
struct Wanted {
    subscription: TopicFilter,
    shared: Option<SharedFilter>,
}

impl<H: Hooks> Shard<H> {
    /// Grants what can be granted, filter by filter. When SUBACK is written every
    /// worker routes to the new subscriptions; retained messages follow it.
    pub(super) fn on_subscribe(&mut self, now: Now, key: ConnectionKey, subscribe: &Subscribe) {
        let Some((session, version)) = self
            .live(key)
            .and_then(|connection| Some((connection.session?, connection.version)))
        else {
            return;
        };
        let id_is_in_use = version.is_v5()
            && self
                .session(session)
                .is_some_and(|session| session.received.contains(&subscribe.packet_id));
        let identifier = subscribe.subscription_identifier;
        let reasons = subscribe
            .filters
            .iter()
            .map(|requested| match wanted(&requested.filter) {
                _ if id_is_in_use => ReasonCode::PacketIdentifierInUse,
                Ok(wanted) => self.grant(now, session, &wanted, requested, identifier),
                Err(reason) => reason,
            })
            .collect();
        let ack = SubAck {
            packet_id: subscribe.packet_id,
            reasons,
            reason_string: None,
            user_properties: Vec::new(),
        };
        self.append_packet(key, |version, out| ack.encode(version, out));
        self.send_waiting(now, session);
    }

    pub(super) fn on_unsubscribe(&mut self, key: ConnectionKey, unsubscribe: &Unsubscribe) {
        let Some(session) = self.live(key).and_then(|connection| connection.session) else {
            return;
        };
        let reasons = unsubscribe
            .filters
            .iter()
            .map(|text| self.revoke(session, text))
            .collect();
        let ack = UnsubAck {
            packet_id: unsubscribe.packet_id,
            reasons,
            reason_string: None,
            user_properties: Vec::new(),
        };
        self.append_packet(key, |version, out| ack.encode(version, out));
    }

    fn grant(
        &mut self,
        now: Now,
        key: SessionKey,
        wanted: &Wanted,
        requested: &SubscribeFilter,
        identifier: Option<u32>,
    ) -> ReasonCode {
        let granted = Granted {
            qos: requested.qos,
            no_local: requested.no_local,
            retain_as_published: requested.retain_as_published,
            identifier,
        };
        let subscription = &wanted.subscription;
        let Some(session) = self.session_mut(key) else {
            return ReasonCode::UnspecifiedError;
        };
        let is_known = session
            .subscriptions
            .insert(subscription.clone(), granted)
            .is_some();
        match &wanted.shared {
            Some(shared) if !is_known => self.join(key, subscription, shared),
            Some(_) => {}
            None => {
                self.register(key, subscription, granted, is_known);
                let is_sent = match requested.retain_handling {
                    RetainHandling::SendAtSubscribe => true,
                    RetainHandling::SendIfNew => !is_known,
                    RetainHandling::DoNotSend => false,
                };
                if is_sent {
                    self.find_retained(now, key, subscription, granted, is_known);
                }
            }
        }
        ReasonCode::granted(granted.qos)
    }

    /// Sees to it that messages reach a session by this subscription.
    fn register(
        &mut self,
        key: SessionKey,
        filter: &TopicFilter,
        granted: Granted,
        is_known: bool,
    ) {
        let subscriber = Subscriber {
            session: key,
            granted,
        };
        if is_known {
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
    }

    /// Makes a session a member of a shared subscription.
    fn join(&mut self, key: SessionKey, subscription: &TopicFilter, shared: &SharedFilter) {
        let worker = self.worker;
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let is_online = session.connection.is_some();
        let load = session.load.get_or_insert_with(|| {
            let load = Load::default();
            load.set_online(is_online);
            Arc::new(load)
        });
        let member = Member {
            worker,
            session: key,
            load: Arc::clone(load),
        };
        session.report_load();
        self.routes.join(subscription, &shared.filter, member);
    }

    /// Puts the retained messages that match before everything newer.
    fn find_retained(
        &mut self,
        now: Now,
        key: SessionKey,
        filter: &TopicFilter,
        granted: Granted,
        is_known: bool,
    ) {
        let waits = self.session(key).map_or(0, |session| session.backlog.len());
        if waits >= MAX_BACKLOG {
            self.counters.retained_unsent += 1;
            return;
        }
        let mut found = self.retained.matching(filter, now.wall_ms);
        if found.is_empty() {
            return;
        }
        let ignores_no_local = self.planted.is(Fault::NoLocalIgnored);
        let worker = u64::from(self.worker);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        if granted.no_local && !ignores_no_local {
            let clientid = &session.client.clientid;
            found.retain(|message| message.sender != *clientid);
        }
        // Mail of another worker may still bring what was found here, unless an
        // older subscription is owed that mail anyway.
        let may_come_again = |message: &Message| {
            let Ok(topic) = TopicName::new(&message.topic) else {
                return false;
            };
            let others = session
                .subscriptions
                .keys()
                .filter(|other| *other != filter);
            message.id.worker() != worker && !others.into_iter().any(|other| other.matches(topic))
        };
        let is_too_much = session.subscriptions.len() > MAX_COMPARED;
        let noted: Vec<Arc<Message>> = if is_known || is_too_much {
            Vec::new()
        } else {
            let recent = found.iter().filter(|message| may_come_again(message));
            recent.cloned().collect()
        };
        let until_ms = session.recent.note(&noted, now.wall_ms);
        session.backlog.push(found, Terms::of(granted));
        self.recent_until_ms = self.recent_until_ms.max(until_ms);
    }

    fn revoke(&mut self, key: SessionKey, text: &str) -> ReasonCode {
        let Ok(wanted) = wanted(text) else {
            return ReasonCode::TopicFilterInvalid;
        };
        let known = self
            .session_mut(key)
            .is_some_and(|session| session.subscriptions.remove(&wanted.subscription).is_some());
        if !known {
            return ReasonCode::NoSubscriptionExisted;
        }
        self.remove_subscription(&wanted.subscription, key);
        ReasonCode::Success
    }

    pub(crate) fn remove_subscription(&mut self, subscription: &TopicFilter, key: SessionKey) {
        if let Some(shared) = subscription.shared() {
            self.routes
                .leave(subscription, &shared.filter, self.worker, key);
            return;
        }
        if self
            .subscriptions
            .remove(subscription, |entry| entry.session == key)
        {
            self.routes.remove(subscription, self.worker);
        }
        self.subscriptions_generation += 1;
    }
}

/// The filter of SUBSCRIBE or UNSUBSCRIBE, if it is one. `$queue/FILTER` is
/// another way to write `$share/$queue/FILTER`.
fn wanted(text: &str) -> Result<Wanted, ReasonCode> {
    let invalid = |_| ReasonCode::TopicFilterInvalid;
    let filter = TopicFilter::new(text).map_err(invalid)?;
    let shared = filter.shared();
    let subscription = match text.strip_prefix("$queue/") {
        Some(plain) => TopicFilter::new(&format!("$share/$queue/{plain}")).map_err(invalid)?,
        None => filter,
    };
    Ok(Wanted {
        subscription,
        shared,
    })
}
