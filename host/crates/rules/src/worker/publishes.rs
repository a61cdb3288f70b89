//! Publishes on their way through the rules.

use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{Decided, Hook, Refusal, Verdict};
use hookwire_mqtt::{ReasonCode, TopicName};

use super::{StepEnd, Worker};
use crate::lane::item::Item;
use crate::plan::RuleId;
use crate::plan::set::Set;
use crate::worker::subject::{ClientHash, Publish, Subject, client_hash};

impl Worker {
    /// Answers the publishes of a ticket key that no rule has seen, unrun.
    pub(crate) fn abandon(&self, key: u64) {
        let mut removed = Vec::new();
        let is_meant = |publish: &Publish| publish.ticket.key == key && !publish.is_seen;
        let mut has_room_again = false;
        let lanes = self.lanes();
        for lane in &lanes {
            has_room_again |= lane.remove(is_meant, &mut removed);
        }
        let mut unseen = Vec::new();
        let mut chains = self.chains.borrow_mut();
        let mut ends_chains = false;
        for (publish, chain) in removed {
            if let Some(chain) = chain {
                chains.end(chain);
                ends_chains = true;
            }
            unseen.push(publish);
        }
        let waiting = unseen.len();
        chains.remove(is_meant, &mut unseen);
        drop(chains);
        if ends_chains || unseen.len() > waiting {
            // Their places in the lanes are void.
            for lane in &lanes {
                lane.notify();
            }
        }
        if has_room_again || !unseen.is_empty() {
            self.wake_core();
        }
        for publish in unseen {
            let verdict = Verdict::Failed {
                refusal: Refusal {
                    reason: ReasonCode::UnspecifiedError,
                    text: "an earlier message was not stored".to_owned(),
                },
                retryable: true,
                is_refused: false,
            };
            self.finish(publish, Some(verdict));
        }
    }

    /// Runs the steps of a set over a publish.
    pub(crate) fn submit_publish(&self, publish: Publish, set: Rc<Set>) {
        let client = client_hash(&publish.message.sender);
        self.outstanding.set(self.outstanding.get() + 1);
        if !self.enter(publish, set, client, None) {
            self.wake_core();
        }
    }

    /// Puts a publish into the lanes it has to visit: behind everything, or where
    /// it belongs among what its client did, if it came before. `false`: into
    /// none, and it is decided.
    fn enter(
        &self,
        publish: Publish,
        set: Rc<Set>,
        client: ClientHash,
        came_before: Option<u64>,
    ) -> bool {
        let subject = Subject::Publish(publish);
        let first = set.next_step(0, &subject);
        let Subject::Publish(publish) = subject else {
            return false;
        };
        let lane = first.and_then(|first| Some((first, Self::lane_of(&set, first, client)?)));
        let Some((first, lane)) = lane else {
            self.finish(publish, None);
            return false;
        };
        let lane = Rc::clone(lane);
        let came = came_before.unwrap_or_else(|| self.next_came());
        if first + 1 == set.steps.len() {
            let item = Item {
                client,
                came,
                subject: Subject::Publish(publish),
                set,
                step: first,
                chain: None,
                rest: None,
                replay: None,
            };
            match came_before {
                None => lane.push(item),
                Some(_) => lane.push_in_place(item),
            }
            return true;
        }
        let mut chains = self.chains.borrow_mut();
        let begun = chains.begin(publish, Rc::clone(&set), first, came);
        drop(chains);
        for number in first..set.steps.len() {
            if let Some(lane) = Self::lane_of(&set, number, client) {
                match came_before {
                    None => lane.reserve(client, begun.at(number)),
                    Some(_) => lane.reserve_in_place(client, begun.at(number)),
                }
            }
        }
        lane.notify();
        true
    }

    pub(super) fn publish_step_ended(&self, item: Item, end: StepEnd) {
        let Item {
            client,
            came,
            mut subject,
            set,
            step,
            chain,
            ..
        } = item;
        if let Subject::Publish(publish) = &mut subject {
            publish.is_seen = true;
        }
        let next = match &end {
            StepEnd::GoesOn => set.next_step(step + 1, &subject),
            _ => None,
        };
        let Subject::Publish(publish) = subject else {
            return;
        };
        // Steps that are passed over hold others up in their lanes until they
        // are looked at, so those lanes are told as well.
        if let Some(entry) = chain {
            let passed = next.map_or(set.steps.len(), |next| next + 1);
            for step in step + 1..passed {
                if let Some(lane) = Self::lane_of(&set, step, client) {
                    lane.notify();
                }
            }
            if let Some(next) = next {
                return self.chains.borrow_mut().go_on(entry, publish, next);
            }
            self.chains.borrow_mut().end(entry);
        }
        match end {
            StepEnd::Ended(verdict) => self.finish(publish, Some(verdict)),
            StepEnd::GoesOn | StepEnd::Answered(_) | StepEnd::Lost(_) => {
                self.finish(publish, None);
            }
            StepEnd::Changed(done) => match TopicName::new(&publish.message.topic) {
                Ok(topic) => {
                    let ids = set.plan.rules.matching(Hook::MessagePublish, topic);
                    let left = self.set_behind(&set, ids, done);
                    self.enter(publish, left, client, Some(came));
                }
                Err(_) => self.finish(publish, None),
            },
        }
    }

    /// The rules of `ids` behind rule `done`, of the same plan as `set`.
    pub(super) fn set_behind(&self, set: &Set, mut ids: Vec<RuleId>, done: RuleId) -> Rc<Set> {
        ids.retain(|id| *id > done);
        let mut current = self.current.borrow_mut();
        if Arc::ptr_eq(&set.plan, &current.plan) {
            current.sets.set_of(set.hook, &ids)
        } else {
            Rc::new(Set::of(&set.plan, &set.lanes, set.hook, &ids, false))
        }
    }

    fn finish(&self, publish: Publish, ended: Option<Verdict>) {
        let passed = || {
            if publish.replaced {
                Verdict::Replace(publish.message)
            } else {
                Verdict::Proceed
            }
        };
        self.decided.borrow_mut().push(Decided {
            ticket: publish.ticket,
            stored: publish.stored,
            verdict: ended.unwrap_or_else(passed),
        });
    }
}
