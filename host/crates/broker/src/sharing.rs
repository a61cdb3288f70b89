//! Messages of shared subscriptions: to one member, wherever it lives, and to
//! another one when that member is gone.

use std::sync::Arc;

use crate::connection::ConnectionKey;
use crate::faults::Fault;
use crate::group::{Chosen, Dispatch, Group};
use crate::hooks::Hooks;
use crate::message::Message;
use crate::session::{Delivery, SessionKey, Terms};
use crate::shard::Shard;
use crate::time::Now;
use crate::transit::Transit;

/// How often a message is passed on because the member chosen was gone.
const MAX_HOPS: u8 = 8;

impl<H: Hooks> Shard<H> {
    /// Chooses a member for a message, and hands it over.
    pub(crate) fn dispatch(
        &mut self,
        now: Now,
        from: Option<ConnectionKey>,
        group: &Arc<Group>,
        transit: &mut Transit<'_>,
        hops: u8,
    ) {
        let times = if hops == 0 && self.planted.is(Fault::SharedTwice) {
            2
        } else {
            1
        };
        for _ in 0..times {
            let chosen = group.choose(Chosen {
                sender: transit.sender,
                topic: transit.topic,
                may_wait: transit.qos > hookwire_mqtt::QoS::AtMostOnce,
            });
            let Some(member) = chosen else {
                self.counters.dropped_no_member += 1;
                return self.dropped(now, None, transit, "no-member");
            };
            if member.worker == self.worker {
                self.deliver_shared(now, group, member.session, transit, hops);
            } else if let Some(link) = self.links.get_mut(usize::from(member.worker)) {
                let dispatch = Dispatch {
                    group: Arc::clone(group),
                    session: member.session,
                    hops,
                };
                link.send_shared(transit.shared(), dispatch);
                self.note_full_link(from, member.worker);
            }
        }
    }

    /// A message of another worker, for a member that lives here.
    pub(crate) fn deliver_shared_mail(
        &mut self,
        now: Now,
        message: &Arc<Message>,
        dispatch: &Dispatch,
    ) {
        let Dispatch {
            group,
            session,
            hops,
        } = dispatch;
        self.deliver_shared(now, group, *session, &mut Transit::of(message), *hops);
    }

    fn deliver_shared(
        &mut self,
        now: Now,
        group: &Arc<Group>,
        member: SessionKey,
        transit: &mut Transit<'_>,
        hops: u8,
    ) {
        if transit.expires_at_ms <= now.wall_ms && !self.planted.is(Fault::ExpiredDelivered) {
            self.counters.deliveries_expired += 1;
            return self.dropped(now, Some(member), transit, "expired");
        }
        let granted = self.session(member).and_then(|session| {
            let is_away = session.connection.is_none();
            let is_passed_on = is_away && group.has_other_online(self.worker, member);
            let granted = session.subscriptions.get(&group.subscription);
            granted
                .copied()
                .filter(|_| !is_passed_on || hops >= MAX_HOPS)
        });
        match granted {
            Some(granted) => {
                transit.deliver_rules = self.deliver_rules(transit.topic);
                let terms = Terms::of(granted);
                self.deliver_to(now, member, &terms, Some(group), transit, false);
                // Choosing counted one; what is not kept is not to be counted.
                if let Some(session) = self.session(member) {
                    session.report_load();
                }
            }
            None if hops < MAX_HOPS => self.dispatch(now, None, group, transit, hops + 1),
            None => {
                self.counters.dropped_no_member += 1;
                self.dropped(now, None, transit, "no-member");
            }
        }
    }

    /// What a member that is gone for good had not acknowledged goes to the
    /// others, but for QoS 2 under way, which nobody else may get [MQTT-4.8.2-5].
    pub(crate) fn pass_on(&mut self, now: Now, deliveries: impl IntoIterator<Item = Delivery>) {
        for delivery in deliveries {
            if let Some(group) = &delivery.group {
                self.dispatch(now, None, group, &mut Transit::of(&delivery.message), 1);
            }
        }
    }

    /// What waits for a member that is away, and was not sent, goes to those who
    /// are online.
    pub(crate) fn pass_on_waiting(&mut self, now: Now, key: SessionKey) {
        let worker = self.worker;
        let Some(session) = self
            .session_mut(key)
            .filter(|session| session.load.is_some())
        else {
            return;
        };
        let has_others = |delivery: &Delivery| {
            let group = delivery.group.as_ref();
            group.is_some_and(|group| group.has_other_online(worker, key))
        };
        let returned = session.deciding.take_returned().into_iter();
        let (returned, kept): (Vec<_>, Vec<_>) = returned.partition(has_others);
        session.deciding.set_returned(kept.into());
        let waiting = session.queue.extract(has_others);
        session.report_load();
        self.pass_on(now, returned);
        self.pass_on(now, waiting);
    }
}
