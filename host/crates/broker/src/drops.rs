//! `message.dropped`: what rules are told of a message that does not reach a
//! client, or anybody. Where no rule listens it costs one look.

use std::sync::Arc;

use hookwire_mqtt::TopicName;

use crate::connection::ConnectionKey;
use crate::hooks::{DroppedEvent, Event, Hook, Hooks, RuleSet, Stores};
use crate::link::WorkerId;
use crate::message::Message;
use crate::session::SessionKey;
use crate::shard::Shard;
use crate::time::Now;
use crate::transit::Transit;

impl<H: Hooks> Shard<H> {
    /// A message goes no further: not to this session, or, without one, to nobody.
    #[inline]
    pub(crate) fn dropped(
        &mut self,
        now: Now,
        session: Option<SessionKey>,
        transit: &mut Transit<'_>,
        reason: &'static str,
    ) {
        if self.hooks.wants(Hook::MessageDropped) {
            self.tell_dropped(now, session, transit, reason);
        }
        if let Some(session) = session
            && transit.stored != Stores::NONE
        {
            self.position_done(session, &transit.shared());
        }
    }

    /// As [`Shard::dropped`], for a message that was kept.
    #[inline]
    pub(crate) fn dropped_message(
        &mut self,
        now: Now,
        session: Option<SessionKey>,
        message: &Arc<Message>,
        reason: &'static str,
    ) {
        if self.hooks.wants(Hook::MessageDropped) {
            self.tell_dropped(now, session, &mut Transit::of(message), reason);
        }
        if let Some(session) = session {
            self.position_done(session, message);
        }
    }

    #[cold]
    fn tell_dropped(
        &mut self,
        now: Now,
        session: Option<SessionKey>,
        transit: &mut Transit<'_>,
        reason: &'static str,
    ) {
        let Ok(topic) = TopicName::new(transit.topic) else {
            return;
        };
        if self.hooks.match_topic(Hook::MessageDropped, topic) == RuleSet::NONE {
            return;
        }
        let client = session
            .and_then(|session| self.session(session))
            .map(|session| Arc::clone(&session.client));
        let receiver = client.as_ref().map(|client| Arc::clone(&client.clientid));
        self.hooks.submit_event(Event::Dropped(DroppedEvent {
            client,
            message: transit.shared(),
            reason,
            at_ms: now.wall_ms,
        }));
        // What names nobody goes to the lane of its publisher, who waits for that anyway.
        if let Some(receiver) = receiver
            && self.crowded.len() < MAX_CROWDED
            && !self.hooks.has_room(&receiver)
        {
            self.crowded.push(receiver);
        }
    }

    /// The publisher of what was routed last is not read on while the lanes of
    /// those whose drops it filled are full: the lanes would have no bound.
    #[inline]
    pub(crate) fn note_crowded(&mut self, from: Option<ConnectionKey>) {
        if !self.crowded.is_empty() {
            self.hold_for_crowded(from);
        }
    }

    #[cold]
    fn hold_for_crowded(&mut self, from: Option<ConnectionKey>) {
        let crowded = std::mem::take(&mut self.crowded);
        if let Some(connection) = from.and_then(|key| self.connection_mut(key)) {
            connection.crowded = crowded;
        }
    }

    /// Mail was taken; what it dropped before a full lane stays on the account
    /// of the worker that sent it until the lane has room.
    pub(crate) fn took_mail(&mut self, from: WorkerId, message: &Message) {
        let bytes = message.held_bytes();
        match self.crowded.pop() {
            None => self.took_bytes(from, bytes),
            Some(client) => {
                self.crowded.clear();
                self.withheld.push(Withheld {
                    client,
                    from,
                    bytes,
                });
            }
        }
    }

    /// Credits what was withheld and is so no longer.
    #[cold]
    pub(crate) fn credit_withheld(&mut self) {
        let mut withheld = std::mem::take(&mut self.withheld);
        withheld.retain(|mail| {
            let stays = !self.hooks.has_room(&mail.client);
            if !stays {
                self.took_bytes(mail.from, mail.bytes);
            }
            stays
        });
        self.withheld = withheld;
    }
}

/// How many full lanes one publish is held for, by the clients they serve. There
/// are fewer lanes than that on a worker, but many clients to a lane.
const MAX_CROWDED: usize = 64;

/// Mail that is not credited yet, and the client whose lane has to have room first.
/// The link's window bounds how many there are.
#[derive(Debug)]
pub(crate) struct Withheld {
    client: Arc<str>,
    from: WorkerId,
    bytes: usize,
}
