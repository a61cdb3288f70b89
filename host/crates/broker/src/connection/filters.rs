//! What rules decide about the filters of one SUBSCRIBE or UNSUBSCRIBE:
//! `client.authorize`, then `client.subscribe` or `client.unsubscribe`, each
//! filter on its own. The packet waits until all are decided.

use std::sync::Arc;

use foldhash::HashMap;
use hookwire_mqtt::{PacketId, ReasonCode, TopicFilter};

use super::access::{AccessQuestion, Found, Inquiry, Leave};
use super::grant::wanted;
use super::{CloseReason, ConnectionKey, Farewell};
use crate::hooks::{
    Authorization, Hook, Hooks, Question, Refusal, RuleSet, SubscriptionInfo, SubscriptionOutcome,
    SubscriptionRequest,
};
use crate::shard::Shard;
use crate::time::Now;

/// The filters of one packet, and how far each is.
#[derive(Debug)]
pub(crate) struct FilterInquiry {
    hook: Hook,
    packet_id: PacketId,
    user_properties: Arc<[(String, String)]>,
    places: Vec<Place>,
    /// The first filter that was not looked at yet.
    next: usize,
    /// The filter that each open question is about.
    open: HashMap<u64, usize>,
}

#[derive(Debug)]
struct Place {
    asked: SubscriptionInfo,
    /// While `client.authorize` is asked.
    access: Option<AccessQuestion>,
    ruling: Ruling,
}

/// What was decided about one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    AsAsked,
    Replaced(SubscriptionInfo),
    Refused(ReasonCode),
}

/// Questions about one packet that may be open at once.
const MAX_OPEN: usize = 64;

impl FilterInquiry {
    pub(super) fn new(
        hook: Hook,
        packet_id: PacketId,
        user_properties: &[(String, String)],
        asked: Vec<SubscriptionInfo>,
    ) -> Self {
        let place = |asked| Place {
            asked,
            access: None,
            ruling: Ruling::AsAsked,
        };
        Self {
            hook,
            packet_id,
            user_properties: user_properties.into(),
            places: asked.into_iter().map(place).collect(),
            next: 0,
            open: HashMap::default(),
        }
    }

    /// Whether something is not decided.
    pub(super) fn is_open(&self) -> bool {
        self.next < self.places.len() || !self.open.is_empty()
    }

    fn is_of(&self, hook: Hook, packet_id: PacketId, filters: usize) -> bool {
        self.hook == hook && self.packet_id == packet_id && self.places.len() == filters
    }

    fn into_rulings(self) -> Vec<Ruling> {
        self.places.into_iter().map(|place| place.ruling).collect()
    }
}

impl<H: Hooks> Shard<H> {
    /// What is decided about the filters of a packet; none while something is
    /// asked, and the packet has to wait.
    pub(super) fn rulings(
        &mut self,
        now: Now,
        key: ConnectionKey,
        (hook, packet_id, filters): (Hook, PacketId, usize),
        begin: impl FnOnce(&mut Self) -> FilterInquiry,
    ) -> Option<Vec<Ruling>> {
        if let Some(inquiry) = self.live(key).and_then(|found| found.inquiry.take())
            && let Inquiry::Filters(inquiry) = *inquiry
            && inquiry.is_of(hook, packet_id, filters)
            && !inquiry.is_open()
        {
            return Some(inquiry.into_rulings());
        }
        let mut inquiry = begin(self);
        self.go_on_with_filters(now, key, &mut inquiry);
        if !inquiry.is_open() {
            return Some(inquiry.into_rulings());
        }
        if let Some(connection) = self.live(key) {
            connection.inquiry = Some(Box::new(Inquiry::Filters(inquiry)));
        }
        None
    }

    /// Looks at filters for as long as few enough questions are open.
    fn go_on_with_filters(&mut self, now: Now, key: ConnectionKey, inquiry: &mut FilterInquiry) {
        while inquiry.open.len() < MAX_OPEN && inquiry.next < inquiry.places.len() {
            let index = inquiry.next;
            inquiry.next += 1;
            if inquiry.hook == Hook::ClientSubscribe {
                self.ask_access(now, key, inquiry, index);
            } else {
                self.ask_decision(key, inquiry, index);
            }
            if self.live(key).is_none() {
                return;
            }
        }
    }

    fn ask_access(
        &mut self,
        now: Now,
        key: ConnectionKey,
        inquiry: &mut FilterInquiry,
        index: usize,
    ) {
        let Some(place) = inquiry.places.get_mut(index) else {
            return;
        };
        // What is no filter is refused when the packet is taken.
        let Some(plain) = plain(&place.asked.filter) else {
            return;
        };
        let rules = self.hooks.match_filter(Hook::ClientAuthorize, &plain);
        if rules == RuleSet::NONE {
            let leave = self.default_leave(key);
            return self.access_decided(now, key, inquiry, index, leave);
        }
        let wish = Self::subscription_wish(plain.as_str(), place.asked.qos);
        match self.find_access(now, key, rules, wish) {
            Found::Known(leave) => self.access_decided(now, key, inquiry, index, leave),
            Found::Asked(question) => {
                inquiry.open.insert(question.number, index);
                place.access = Some(question);
            }
        }
    }

    fn access_decided(
        &mut self,
        now: Now,
        key: ConnectionKey,
        inquiry: &mut FilterInquiry,
        index: usize,
        leave: Leave,
    ) {
        match leave {
            Leave::Granted => self.ask_decision(key, inquiry, index),
            Leave::Refused(refusal) => self.refuse_filter(inquiry, index, refusal.reason),
            Leave::Disconnect(refusal) => self.close_for(now, key, refusal),
        }
    }

    fn ask_decision(&mut self, key: ConnectionKey, inquiry: &mut FilterInquiry, index: usize) {
        let client = self.live(key).map(|found| Arc::clone(&found.client));
        let Some((place, client)) = inquiry.places.get(index).zip(client) else {
            return;
        };
        let Some(plain) = plain(&place.asked.filter) else {
            return;
        };
        let rules = self.hooks.match_filter(inquiry.hook, &plain);
        if rules == RuleSet::NONE {
            return;
        }
        let request = SubscriptionRequest {
            client,
            subscription: place.asked.clone(),
            user_properties: Arc::clone(&inquiry.user_properties),
        };
        let question = match inquiry.hook {
            Hook::ClientUnsubscribe => Question::Unsubscribe(request),
            _ => Question::Subscribe(request),
        };
        let number = self.ask(key, rules, question);
        inquiry.open.insert(number, index);
    }

    fn refuse_filter(&mut self, inquiry: &mut FilterInquiry, index: usize, reason: ReasonCode) {
        self.counters.subscriptions_denied += 1;
        if let Some(place) = inquiry.places.get_mut(index) {
            place.ruling = Ruling::Refused(sayable(inquiry.hook, reason));
        }
    }

    /// An answer of `client.authorize` about one filter.
    pub(super) fn filter_access_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        authorization: Authorization,
    ) {
        self.with_filters(now, key, |shard, inquiry| {
            // An answer to another question of the filter is none.
            let question = inquiry.open.get(&number).and_then(|index| {
                let place = inquiry.places.get_mut(*index)?;
                place.access.take_if(|access| access.number == number)
            });
            let Some(question) = question else {
                return;
            };
            if let Some(index) = inquiry.open.remove(&number) {
                let leave = shard.keep_access(now, key, &question, authorization);
                shard.access_decided(now, key, inquiry, index, leave);
            }
        });
    }

    /// An answer of `client.subscribe` or `client.unsubscribe` about one filter.
    pub(super) fn filter_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        outcome: SubscriptionOutcome,
    ) {
        self.with_filters(now, key, |shard, inquiry| {
            let is_decision = |place: &Place| place.access.is_none();
            let place = inquiry.open.get(&number);
            let place = place.and_then(|index| inquiry.places.get(*index));
            if !place.is_some_and(is_decision) {
                return;
            }
            let Some(index) = inquiry.open.remove(&number) else {
                return;
            };
            match outcome {
                SubscriptionOutcome::Proceed => {}
                SubscriptionOutcome::Replace(other) => {
                    if let Some(place) = inquiry.places.get_mut(index) {
                        place.ruling = Ruling::Replaced(other);
                    }
                }
                SubscriptionOutcome::Deny(refusal) => {
                    shard.refuse_filter(inquiry, index, refusal.reason);
                }
                SubscriptionOutcome::Disconnect(refusal) => shard.close_for(now, key, refusal),
            }
        });
    }

    /// Goes on with the filters that a client's packet waits for.
    fn with_filters(
        &mut self,
        now: Now,
        key: ConnectionKey,
        change: impl FnOnce(&mut Self, &mut FilterInquiry),
    ) {
        let Some(mut waiting) = self.live(key).and_then(|found| found.inquiry.take()) else {
            return;
        };
        if let Inquiry::Filters(inquiry) = &mut *waiting {
            change(self, inquiry);
            if self.live(key).is_some() {
                self.go_on_with_filters(now, key, inquiry);
            }
        }
        if let Some(connection) = self.live(key) {
            connection.inquiry = Some(waiting);
        }
        self.resume_if_free(key);
    }

    /// Rules want a client to be gone.
    pub(super) fn close_for(&mut self, now: Now, key: ConnectionKey, refusal: Refusal) {
        let farewell = Farewell::new(refusal.reason, refusal.text);
        self.close(now, key, CloseReason::Refused, Some(farewell));
    }
}

/// The filter that messages are matched with: without `$share/GROUP/`.
fn plain(text: &str) -> Option<TopicFilter> {
    let wanted = wanted(text).ok()?;
    Some(match wanted.shared {
        Some(shared) => shared.filter,
        None => wanted.subscription,
    })
}

/// The reason, if the acknowledgement can say it.
fn sayable(hook: Hook, reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::UnspecifiedError
        | ReasonCode::ImplementationSpecificError
        | ReasonCode::NotAuthorized
        | ReasonCode::TopicFilterInvalid => reason,
        ReasonCode::QuotaExceeded
        | ReasonCode::SharedSubscriptionsNotSupported
        | ReasonCode::SubscriptionIdentifiersNotSupported
        | ReasonCode::WildcardSubscriptionsNotSupported
            if hook == Hook::ClientSubscribe =>
        {
            reason
        }
        ReasonCode::Banned | ReasonCode::AdministrativeAction => ReasonCode::NotAuthorized,
        _ => ReasonCode::UnspecifiedError,
    }
}
