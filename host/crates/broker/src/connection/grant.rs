//! Subscriptions, made and ended: by SUBSCRIBE and UNSUBSCRIBE, and on a client's
//! behalf.

use std::sync::Arc;

use hookwire_mqtt::{QoS, ReasonCode, SharedFilter, TopicFilter};

use crate::group::{Load, Member};
use crate::hooks::{Event, Hook, Hooks, SubscriptionEvent, SubscriptionInfo};
use crate::session::{Begins, Granted, SessionKey};
use crate::shard::{Shard, Subscriber};
use crate::time::Now;

/// What a Subscription Identifier can be.
const IDENTIFIERS: std::ops::RangeInclusive<u32> = 1..=268_435_455;

/// A filter as it is kept: shared ones of one group and filter are one.
pub(super) struct Wanted {
    pub(super) subscription: TopicFilter,
    pub(super) shared: Option<SharedFilter>,
}

impl<H: Hooks> Shard<H> {
    /// Subscribes on the client's behalf, without SUBACK. What is sent for it
    /// waits until somebody calls [`Shard::send_waiting`].
    pub(crate) fn subscribe_for(
        &mut self,
        now: Now,
        key: SessionKey,
        subscription: SubscriptionInfo,
    ) {
        self.grant(now, key, subscription);
    }

    pub(super) fn grant(
        &mut self,
        now: Now,
        key: SessionKey,
        mut info: SubscriptionInfo,
    ) -> ReasonCode {
        let wanted = match wanted(&info.filter) {
            Ok(wanted) => wanted,
            Err(reason) => return reason,
        };
        let granted = granted(&info);
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
                let is_sent = match info.retain_handling {
                    0 => true,
                    1 => !is_known,
                    _ => false,
                };
                if is_sent {
                    self.find_retained(now, key, subscription, granted, is_known);
                }
                self.fetch_for(now, key, subscription, granted, Begins::Subscribed);
            }
        }
        info.is_new = !is_known;
        self.tell_subscription(now, Hook::SessionSubscribed, key, info);
        ReasonCode::granted(granted.qos)
    }

    /// Gives a restored session a subscription back: no rule is told, and no
    /// retained message sent.
    pub(super) fn subscribe_again(&mut self, now: Now, key: SessionKey, info: &SubscriptionInfo) {
        let Ok(wanted) = wanted(&info.filter) else {
            return;
        };
        let granted = granted(info);
        let subscription = &wanted.subscription;
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let known = session.subscriptions.insert(subscription.clone(), granted);
        match &wanted.shared {
            Some(shared) if known.is_none() => self.join(key, subscription, shared),
            Some(_) => {}
            None => {
                self.register(key, subscription, granted, known.is_some());
                self.fetch_for(now, key, subscription, granted, Begins::Restored);
            }
        }
    }

    /// Whether a session has a subscription by this filter.
    pub(super) fn has_subscription(&self, key: SessionKey, text: &str) -> bool {
        let session = self.session(key);
        wanted(text)
            .ok()
            .zip(session)
            .is_some_and(|(wanted, session)| {
                session.subscriptions.contains_key(&wanted.subscription)
            })
    }

    fn tell_subscription(
        &mut self,
        now: Now,
        hook: Hook,
        key: SessionKey,
        subscription: SubscriptionInfo,
    ) {
        if !self.hooks.wants(hook) {
            return;
        }
        let Some(session) = self.session(key) else {
            return;
        };
        let client = Arc::clone(&session.client);
        let event = SubscriptionEvent {
            hook,
            client,
            subscription,
            at_ms: now.wall_ms,
        };
        self.hooks.submit_event(Event::Subscription(event));
    }

    /// What a session has, or would have, by this filter.
    pub(super) fn subscription(&self, key: SessionKey, text: &str) -> SubscriptionInfo {
        let granted = wanted(text).ok().and_then(|wanted| {
            let session = self.session(key)?;
            session.subscriptions.get(&wanted.subscription).copied()
        });
        subscription_info(text, granted)
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

    /// Ends a subscription, as the client wrote it.
    pub(crate) fn revoke(&mut self, now: Now, key: SessionKey, text: &str) -> ReasonCode {
        let Ok(wanted) = wanted(text) else {
            return ReasonCode::TopicFilterInvalid;
        };
        let known = self
            .session_mut(key)
            .and_then(|session| session.subscriptions.remove(&wanted.subscription));
        if known.is_none() {
            return ReasonCode::NoSubscriptionExisted;
        }
        self.forget_fetching(now, key, &wanted.subscription);
        self.remove_subscription(&wanted.subscription, key);
        let gone = subscription_info(text, known);
        self.tell_subscription(now, Hook::SessionUnsubscribed, key, gone);
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

/// What is kept of a subscription.
fn granted(info: &SubscriptionInfo) -> Granted {
    Granted {
        qos: info.qos,
        no_local: info.no_local,
        retain_as_published: info.retain_as_published,
        identifier: info
            .identifier
            .filter(|number| IDENTIFIERS.contains(number)),
    }
}

/// A subscription as rules are told of it.
pub(crate) fn subscription_info(filter: &str, granted: Option<Granted>) -> SubscriptionInfo {
    SubscriptionInfo {
        filter: Arc::from(filter),
        qos: granted.map_or(QoS::AtMostOnce, |granted| granted.qos),
        no_local: granted.is_some_and(|granted| granted.no_local),
        retain_as_published: granted.is_some_and(|granted| granted.retain_as_published),
        retain_handling: 0,
        identifier: granted.and_then(|granted| granted.identifier),
        is_new: granted.is_none(),
    }
}

/// The filter of SUBSCRIBE or UNSUBSCRIBE, if it is one. `$queue/FILTER` is
/// another way to write `$share/$queue/FILTER`.
pub(super) fn wanted(text: &str) -> Result<Wanted, ReasonCode> {
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
