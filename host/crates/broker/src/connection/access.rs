//! `client.authorize`: whether a client may publish where it does. While rules
//! are asked, the packet is not taken; answers are kept for as long as they hold.

use std::sync::Arc;

use hookwire_mqtt::{Publish, QoS, ReasonCode};

use super::access_cache::Wish;
use super::filters::FilterInquiry;
use super::{AccessCache, ConnectionKey};
use crate::faults::Fault;
use crate::hooks::{Access, Authorization, Hooks, Operation, Question, Refusal, RuleSet, Verdict};
use crate::limits::DenyAction;
use crate::shard::Shard;
use crate::time::Now;
use crate::topic_cache::TopicEntry;

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leave {
    Granted,
    Refused(Refusal),
    /// It may not, and is to be gone.
    Disconnect(Refusal),
}

/// What rules are asked about the packet that a client sent last.
#[derive(Debug)]
pub(crate) enum Inquiry {
    Publish(PublishInquiry),
    Filters(FilterInquiry),
}

/// Whether one PUBLISH may be.
#[derive(Debug)]
pub(crate) struct PublishInquiry {
    question: AccessQuestion,
    /// None while the question is open.
    leave: Option<Leave>,
}

/// A question that was asked, and what is known if the answer is kept.
#[derive(Debug)]
pub(super) struct AccessQuestion {
    pub(super) number: u64,
    /// Of the rules that were asked.
    generation: u64,
    wish: Wish,
}

/// Where an access is found out.
pub(super) enum Found {
    Known(Leave),
    Asked(AccessQuestion),
}

impl Inquiry {
    /// Whether the packet still has to wait.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Publish(inquiry) => inquiry.leave.is_none(),
            Self::Filters(inquiry) => inquiry.is_open(),
        }
    }
}

impl<H: Hooks> Shard<H> {
    /// Whether a PUBLISH may be, as a verdict if it may not. None: that is being
    /// asked, and the packet has to wait.
    #[inline(never)]
    pub(super) fn access_of(
        &mut self,
        now: Now,
        key: ConnectionKey,
        publish: &Publish<'_>,
        entry: &TopicEntry,
    ) -> Option<Option<Verdict>> {
        let wish = Wish {
            operation: Operation::Publish,
            topic: Arc::clone(&entry.topic),
            qos: publish.qos,
            retain: publish.retain,
        };
        let leave = match self.taken_leave(key, &wish) {
            Some(leave) => leave,
            None if entry.access_rules == RuleSet::NONE => self.default_leave(key),
            None => match self.find_access(now, key, entry.access_rules, wish) {
                Found::Known(leave) => leave,
                Found::Asked(question) => {
                    let leave = None;
                    let inquiry = Inquiry::Publish(PublishInquiry { question, leave });
                    if let Some(connection) = self.live(key) {
                        connection.inquiry = Some(Box::new(inquiry));
                    }
                    return None;
                }
            },
        };
        Some(self.verdict_of(key, leave))
    }

    /// The answer that this very packet waited for, if there is one.
    fn taken_leave(&mut self, key: ConnectionKey, wish: &Wish) -> Option<Leave> {
        let inquiry = self.live(key)?.inquiry.take()?;
        match *inquiry {
            Inquiry::Publish(inquiry) if inquiry.question.wish == *wish => inquiry.leave,
            _ => None,
        }
    }

    fn verdict_of(&mut self, key: ConnectionKey, leave: Leave) -> Option<Verdict> {
        let refusal = match leave {
            Leave::Granted => return None,
            Leave::Refused(_) if self.planted.is(Fault::AccessIgnored) => return None,
            Leave::Refused(refusal) => refusal,
            Leave::Disconnect(refusal) => {
                self.counters.publishes_denied += 1;
                return Some(Verdict::Disconnect(refusal));
            }
        };
        self.counters.publishes_denied += 1;
        let can_be_told = self
            .connection(key)
            .is_some_and(|connection| connection.version.is_v5());
        Some(match self.limits.deny_action {
            DenyAction::Disconnect if !can_be_told => Verdict::Disconnect(refusal),
            _ => Verdict::Deny(refusal),
        })
    }

    /// What is known of a wish: by what was answered before, or it is asked.
    pub(super) fn find_access(
        &mut self,
        now: Now,
        key: ConnectionKey,
        rules: RuleSet,
        wish: Wish,
    ) -> Found {
        let generation = self.hooks.generation();
        let Some(connection) = self.live(key) else {
            return Found::Known(Leave::Granted);
        };
        if let Some(cache) = &mut connection.access
            && let Some(kept) = cache.get(&wish, generation, now.mono_ms)
        {
            let leave = kept.clone().map_or(Leave::Granted, Leave::Refused);
            self.counters.access_kept += 1;
            return Found::Known(leave);
        }
        let access = Access {
            client: Arc::clone(&connection.client),
            operation: wish.operation,
            topic: Arc::clone(&wish.topic),
            qos: wish.qos,
            retain: wish.retain,
        };
        let number = self.ask(key, rules, Question::Authorize(access));
        Found::Asked(AccessQuestion {
            number,
            generation,
            wish,
        })
    }

    /// An answer of `client.authorize`, if a packet waits for it.
    pub(super) fn access_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        authorization: Authorization,
    ) {
        let Some(inquiry) = self
            .live(key)
            .and_then(|connection| connection.inquiry.as_deref())
        else {
            return;
        };
        match inquiry {
            Inquiry::Publish(inquiry) if inquiry.question.number == number => {}
            Inquiry::Publish(_) => return,
            Inquiry::Filters(_) => {
                return self.filter_access_answered(now, key, number, authorization);
            }
        }
        let Some(mut inquiry) = self
            .live(key)
            .and_then(|connection| connection.inquiry.take())
        else {
            return;
        };
        if let Inquiry::Publish(inquiry) = &mut *inquiry {
            let leave = self.keep_access(now, key, &inquiry.question, authorization);
            inquiry.leave = Some(leave);
        }
        if let Some(connection) = self.live(key) {
            connection.inquiry = Some(inquiry);
        }
        self.resume_if_free(key);
    }

    /// What an answer means for this client; kept for as long as it says.
    pub(super) fn keep_access(
        &mut self,
        now: Now,
        key: ConnectionKey,
        question: &AccessQuestion,
        authorization: Authorization,
    ) -> Leave {
        let keep_ms = match &authorization {
            Authorization::Allow { keep_ms } | Authorization::Deny { keep_ms, .. } => *keep_ms,
            // Rules that say nothing now may say something in a moment.
            Authorization::Deferred | Authorization::Disconnect(_) => Some(0),
        };
        let leave = self.leave_of(key, authorization);
        let until_ms = keep_ms.map_or(u64::MAX, |ms| now.mono_ms.saturating_add(ms));
        let max = self.limits.max_kept_access;
        let generation = self.hooks.generation();
        if max == 0 || until_ms <= now.mono_ms || question.generation != generation {
            return leave;
        }
        let kept = match &leave {
            Leave::Granted => None,
            Leave::Refused(refusal) => Some(refusal.clone()),
            Leave::Disconnect(_) => return leave,
        };
        if let Some(connection) = self.live(key) {
            let cache = connection
                .access
                .get_or_insert_with(|| Box::new(AccessCache::new(generation)));
            if cache.generation() != generation {
                **cache = AccessCache::new(generation);
            }
            cache.keep(question.wish.clone(), kept, until_ms, max);
        }
        leave
    }

    /// What an answer means for this client.
    pub(super) fn leave_of(&self, key: ConnectionKey, authorization: Authorization) -> Leave {
        match authorization {
            Authorization::Allow { .. } => Leave::Granted,
            Authorization::Deny { refusal, .. } => Leave::Refused(refusal),
            Authorization::Disconnect(refusal) => Leave::Disconnect(refusal),
            Authorization::Deferred => self.default_leave(key),
        }
    }

    /// What the client's listener says to what no rule speaks of.
    pub(super) fn default_leave(&self, key: ConnectionKey) -> Leave {
        let denies = self
            .connection(key)
            .is_some_and(|connection| connection.denies_unlisted);
        if !denies {
            return Leave::Granted;
        }
        Leave::Refused(Refusal {
            reason: ReasonCode::NotAuthorized,
            text: "no rule allows it".to_owned(),
        })
    }

    /// A wish to subscribe.
    pub(super) fn subscription_wish(filter: &str, qos: QoS) -> Wish {
        Wish {
            operation: Operation::Subscribe,
            topic: Arc::from(filter),
            qos,
            retain: false,
        }
    }
}
