//! For which subscription a message was delivered. Of every way in which it can
//! have come about, one has to hold.

use hookwire_mqtt::{QoS, RetainHandling};

use super::message::{Copy, Message, Origin, is_feasible};
use super::rule::Rule;
use super::state::{ClientNo, MessageNo, Version};
use super::topics::FilterNo;
use super::{Model, lower};
use crate::history::ConnectionNo;
use crate::packet::Publish;
use crate::tally::Count;

/// By which subscriptions a message that is published now can have come.
#[derive(Debug)]
struct Live {
    is_own: bool,
    shared: Vec<FilterNo>,
    /// Subscriptions for which it may have come as a retained message.
    retained: Vec<u64>,
}

impl Model {
    /// Finds the subscription that a delivery was for.
    pub(super) fn explain(
        &mut self,
        no: ConnectionNo,
        client: ClientNo,
        publish: &Publish,
        number: MessageNo,
    ) {
        let live = self.live(client, publish, number);
        let retained = self.retained_versions(client, publish, number);
        if let Ok(versions) = &retained {
            let owed = &mut self.clients[client].session.owed_retained;
            let place = owed
                .iter()
                .position(|(due, version)| *due == number && versions.contains(version));
            if let Some(place) = place {
                owed.remove(place);
            }
        }
        let wrong = match live {
            Ok(mut live) => {
                live.retained = retained.clone().unwrap_or_default();
                match self.add_copy(client, publish, number, &live) {
                    Ok(()) => return self.took_live(no, client, publish, number, &live),
                    Err(rule) => rule,
                }
            }
            Err(rule) => rule,
        };
        let taken = retained.and_then(|versions| self.took_retained(client, number, versions));
        match taken {
            Ok(()) => {}
            Err(rule) => {
                // The more that fitted, the more it says.
                let is_vague = matches!(rule, Rule::NoSubscription | Rule::RetainFlag);
                let is_only_flag = wrong == Rule::RetainFlag && self.is_awaited(client, number);
                let rule = if is_vague || is_only_flag {
                    wrong
                } else {
                    rule
                };
                self.violate(rule, || format!("#{no}: {publish}"));
            }
        }
    }

    /// Whether the message is due to subscriptions that were there before it.
    fn is_awaited(&mut self, client: ClientNo, number: MessageNo) -> bool {
        let session = &self.clients[client].session;
        let (Some(message), false) = (
            self.messages.get(&number),
            session.seen.get(&number).is_some_and(|seen| seen.live > 0),
        ) else {
            return false;
        };
        let (from, now) = (message.matched_from, self.now.seq);
        session.versions.iter().any(|version| {
            !version.is_shared
                && version.surely_exists(from, now)
                && self.topics.matches(version.filter, message.topic)
        })
    }

    /// Whether it can have come as a message that is published now.
    fn live(
        &mut self,
        client: ClientNo,
        publish: &Publish,
        number: MessageNo,
    ) -> Result<Live, Rule> {
        let now = self.now.seq;
        let Some(message) = self.messages.get(&number) else {
            return Err(Rule::Invented);
        };
        let (from, to) = (message.matched_from, message.matched_by.unwrap_or(now));
        let mut own = Own::default();
        let mut shared = Vec::new();
        let mut wrong = Rule::NoSubscription;
        for version in &self.clients[client].session.versions {
            // What a member leaves behind goes to one that may have come later.
            let to = if version.is_shared { now } else { to };
            if !version.may_exist(from, to) || !self.topics.matches(version.filter, message.topic) {
                continue;
            }
            if !version.is_shared {
                own.add(version, client, message, version.surely_exists(from, to));
                continue;
            }
            match fits_alone(version, publish, message) {
                Ok(()) if shared.contains(&version.filter) => {}
                Ok(()) => shared.push(version.filter),
                Err(rule) => wrong = rule,
            }
        }
        match own.fits(publish, message) {
            Ok(()) => Ok(Live {
                is_own: true,
                shared,
                retained: Vec::new(),
            }),
            Err(_) if !shared.is_empty() => Ok(Live {
                is_own: false,
                shared,
                retained: Vec::new(),
            }),
            Err(Rule::NoSubscription) => Err(wrong),
            Err(rule) => Err(rule),
        }
    }

    /// Gives the delivery a place among those of the message.
    fn add_copy(
        &mut self,
        client: ClientNo,
        publish: &Publish,
        number: MessageNo,
        live: &Live,
    ) -> Result<(), Rule> {
        let known = self
            .messages
            .get(&number)
            .map(|message| &message.copies[..]);
        let is_shared = !live.shared.is_empty()
            || known.is_some_and(|copies| copies.iter().any(|copy| !copy.shared.is_empty()));
        let may_be_gone: Vec<bool> = if is_shared {
            let clients = 0..self.clients.len();
            clients.map(|client| self.may_have_ended(client)).collect()
        } else {
            vec![false; self.clients.len()]
        };
        let (clients, now) = (&self.clients, self.now.seq);
        let Some(message) = self.messages.get_mut(&number) else {
            return Err(Rule::Invented);
        };
        message.copies.push(Copy {
            client,
            generation: clients[client].session.generation,
            at: now,
            qos: publish.qos,
            is_own: live.is_own,
            shared: live.shared.clone(),
            retained: live.retained.clone(),
        });
        let times = match message.qos {
            QoS::ExactlyOnce => message.lives as usize,
            _ => message.sends as usize,
        };
        let copies = &message.copies;
        let is_gone = |copy: &&Copy| {
            let session = &clients[copy.client].session;
            let is_over = session.generation != copy.generation || session.doubted > copy.at;
            copy.qos == QoS::AtLeastOnce && (is_over || may_be_gone[copy.client])
        };
        let of_shared = |filter| {
            let lost = copies.iter().filter(is_gone);
            times + lost.filter(|copy| copy.shared.contains(&filter)).count()
        };
        if copies.len() == 1 || is_feasible(copies, times, of_shared) {
            return Ok(());
        }
        let by_shared = copies.iter().any(|copy| !copy.shared.is_empty());
        message.copies.pop();
        Err(if by_shared && !live.shared.is_empty() {
            Rule::SharedTwice
        } else {
            Rule::Twice
        })
    }

    fn took_live(
        &mut self,
        no: ConnectionNo,
        client: ClientNo,
        publish: &Publish,
        number: MessageNo,
        live: &Live,
    ) {
        if !live.is_own {
            self.count(Count::DeliveryShared);
        }
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        for filter in &live.shared {
            self.owed_shared.remove(&(number, *filter));
        }
        let session = &mut self.clients[client].session;
        session.remove_waiting(number, publish.qos);
        session.owed.remove(&number);
        let seen = session.seen.entry(number).or_default();
        seen.live += 1;
        let is_first = seen.live + seen.retained == 1;
        let is_ordered = is_first
            && live.retained.is_empty()
            && message.sends == 1
            && live.shared.is_empty()
            && message.origin == Origin::Publish;
        let Some(publisher) = message.publisher.filter(|_| is_ordered) else {
            return;
        };
        let key = (publisher, message.topic, message.qos, publish.qos);
        let last = session.order.entry(key).or_insert(0);
        if message.sent.seq < *last {
            self.violate(Rule::Order, || format!("#{no}: {publish}"));
        } else {
            *last = message.sent.seq;
        }
    }

    /// The subscriptions for which it can have come as a retained message.
    fn retained_versions(
        &mut self,
        client: ClientNo,
        publish: &Publish,
        number: MessageNo,
    ) -> Result<Vec<u64>, Rule> {
        let Some(message) = self.messages.get(&number) else {
            return Err(Rule::Invented);
        };
        if !publish.retain || !message.retain {
            return Err(Rule::RetainFlag);
        }
        let mut wrong = Rule::NoSubscription;
        let mut found = Vec::new();
        for index in 0..self.clients[client].session.versions.len() {
            let version = &self.clients[client].session.versions[index];
            if version.is_shared || !self.topics.matches(version.filter, message.topic) {
                continue;
            }
            match self.fits_retained(client, index, publish, message) {
                Ok(()) => found.push(version.number),
                Err(rule) => wrong = rule,
            }
        }
        if found.is_empty() {
            Err(wrong)
        } else {
            Ok(found)
        }
    }

    /// Whether a version of a subscription can have been sent the message as a
    /// retained one.
    fn fits_retained(
        &self,
        client: ClientNo,
        index: usize,
        publish: &Publish,
        message: &Message,
    ) -> Result<(), Rule> {
        let version = &self.clients[client].session.versions[index];
        let is_unasked = version.retain_handling == RetainHandling::DoNotSend
            || (version.retain_handling == RetainHandling::SendIfNew && version.is_surely_known);
        let is_own = version.no_local
            && message.publisher == Some(client)
            && !matches!(message.origin, Origin::Will(_));
        let wrong = if is_unasked {
            Rule::RetainedUnasked
        } else if is_own {
            Rule::NoLocal
        } else if !self.was_retained(client, index, message.number) {
            Rule::RetainedStale
        } else if publish.qos != lower(message.qos, version.qos) {
            Rule::QosGranted
        } else if publish.identifiers != Vec::from_iter(version.identifier) {
            Rule::Identifiers
        } else {
            return Ok(());
        };
        Err(wrong)
    }

    /// Gives a retained message a place among those that the session received:
    /// each subscription was sent one of a topic.
    fn took_retained(
        &mut self,
        client: ClientNo,
        number: MessageNo,
        versions: Vec<u64>,
    ) -> Result<(), Rule> {
        self.count(Count::DeliveryRetained);
        let Some(message) = self.messages.get(&number) else {
            return Ok(());
        };
        let session = &mut self.clients[client].session;
        session.owed.remove(&number);
        session.seen.entry(number).or_default().retained += 1;
        session.retained_copies.push((message.topic, versions));
        let of_topic = session
            .retained_copies
            .iter()
            .filter(|(topic, _)| *topic == message.topic);
        let copies: Vec<Copy> = of_topic
            .map(|(_, versions)| Copy {
                client,
                generation: session.generation,
                at: 0,
                qos: QoS::AtMostOnce,
                is_own: false,
                shared: Vec::new(),
                retained: versions.clone(),
            })
            .collect();
        if is_feasible(&copies, 0, |_| 0) {
            Ok(())
        } else {
            Err(Rule::RetainedTwice)
        }
    }
}

/// The session's own subscriptions that match a message, taken together: one
/// delivery is for all of them.
#[derive(Debug)]
struct Own {
    may_exist: bool,
    is_of_itself: bool,
    /// The QoS granted is between these.
    least: QoS,
    most: QoS,
    may_keep_flag: bool,
    may_clear_flag: bool,
    certain: Vec<u32>,
    possible: Vec<u32>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            may_exist: false,
            is_of_itself: false,
            least: QoS::AtMostOnce,
            most: QoS::AtMostOnce,
            may_keep_flag: false,
            may_clear_flag: false,
            certain: Vec::new(),
            possible: Vec::new(),
        }
    }
}

impl Own {
    fn add(&mut self, version: &Version, client: ClientNo, message: &Message, is_certain: bool) {
        if version.no_local && message.publisher == Some(client) {
            self.is_of_itself = true;
            // Whose message a will is, the standard does not say.
            if !matches!(message.origin, Origin::Will(_)) {
                return;
            }
        }
        self.may_exist = true;
        self.most = self.most.max(version.qos);
        self.may_keep_flag |= version.retain_as_published;
        self.may_clear_flag |= !version.retain_as_published;
        self.possible.extend(version.identifier);
        if is_certain && !(version.no_local && self.is_of_itself) {
            self.least = self.least.max(version.qos);
            self.certain.extend(version.identifier);
        }
    }

    fn fits(&self, publish: &Publish, message: &Message) -> Result<(), Rule> {
        if !self.may_exist {
            return Err(if self.is_of_itself {
                Rule::NoLocal
            } else {
                Rule::NoSubscription
            });
        }
        let (least, most) = (
            lower(message.qos, self.least),
            lower(message.qos, self.most),
        );
        if !(least..=most).contains(&publish.qos) {
            return Err(Rule::QosGranted);
        }
        let flag_is_right = if publish.retain {
            message.retain && self.may_keep_flag
        } else {
            !message.retain || self.may_clear_flag
        };
        if !flag_is_right {
            return Err(Rule::RetainFlag);
        }
        let count = |list: &[u32], wanted: u32| list.iter().filter(|id| **id == wanted).count();
        let got = &publish.identifiers;
        let none_is_missing = self
            .certain
            .iter()
            .all(|id| count(got, *id) >= count(&self.certain, *id));
        let none_is_extra = got
            .iter()
            .all(|id| count(got, *id) <= count(&self.possible, *id));
        if none_is_missing && none_is_extra {
            Ok(())
        } else {
            Err(Rule::Identifiers)
        }
    }
}

/// Whether a delivery is as one for this shared subscription alone has to be.
fn fits_alone(version: &Version, publish: &Publish, message: &Message) -> Result<(), Rule> {
    if message.is_empty() {
        return Ok(());
    }
    if publish.qos != lower(message.qos, version.qos) {
        return Err(Rule::QosGranted);
    }
    if publish.retain != (message.retain && version.retain_as_published) {
        return Err(Rule::RetainFlag);
    }
    if publish.identifiers != Vec::from_iter(version.identifier) {
        return Err(Rule::Identifiers);
    }
    Ok(())
}
