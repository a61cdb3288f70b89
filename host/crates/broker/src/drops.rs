//! `message.dropped`: what rules are told of a message that does not reach a
//! client, or anybody. Where no rule listens it costs one look.

use std::sync::Arc;

use hookwire_mqtt::TopicName;

use crate::hooks::{DroppedEvent, Event, Hook, Hooks, RuleSet, Stores};
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
        if let Some(session) = session
            && message.stored != Stores::NONE
        {
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
        self.hooks.submit_event(Event::Dropped(DroppedEvent {
            client,
            message: transit.shared(),
            reason,
            at_ms: now.wall_ms,
        }));
    }
}
