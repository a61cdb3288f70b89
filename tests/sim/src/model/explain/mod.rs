//! For which subscription a message was delivered. Of every way in which it can
//! have come about, one has to hold.

mod fit;
mod retained;

use hookwire_mqtt::QoS;

use super::Model;
use super::message::{Copy, Origin, is_feasible};
use super::rule::Rule;
use super::state::{ClientNo, MessageNo};
use super::topics::FilterNo;
use crate::history::ConnectionNo;
use crate::packet::Publish;
use crate::tally::Count;
use fit::{Own, fits_alone};

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
}
