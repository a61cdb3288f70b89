//! Shared subscriptions, MQTT 5 section 4.8.2: a group of sessions, on any
//! worker, of which one gets each message.

use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hookwire_mqtt::TopicFilter;
use rustc_hash::FxHasher;

use crate::link::WorkerId;
use crate::session::SessionKey;

/// How the member is chosen that gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedStrategy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// Always the same, until it goes.
    Sticky,
    /// The same for each publisher.
    HashClient,
    /// The same for each topic.
    HashTopic,
    /// The one with the fewest messages unacknowledged or waiting.
    LeastInflight,
}

/// One shared subscription: one entry of the route table, whatever its size.
#[derive(Debug)]
pub(crate) struct Group {
    /// `$share/NAME/FILTER`, as its members have it among their subscriptions.
    pub(crate) subscription: TopicFilter,
    strategy: SharedStrategy,
    members: RwLock<Arc<[Member]>>,
    /// Counts choices.
    turn: AtomicUsize,
    /// [`Member::number`] of the last one chosen, plus one.
    last: AtomicU64,
}

/// A session in a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) worker: WorkerId,
    pub(crate) session: SessionKey,
    pub(crate) load: Arc<Load>,
}

/// What the workers see of a member on another worker.
#[derive(Debug, Default)]
pub(crate) struct Load {
    is_online: AtomicBool,
    waiting: AtomicUsize,
}

/// One choice, on its way to the member's worker.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(crate) group: Arc<Group>,
    pub(crate) session: SessionKey,
    /// How often a member was chosen that then was gone.
    pub(crate) hops: u8,
}

impl PartialEq for Dispatch {
    fn eq(&self, other: &Self) -> bool {
        self.group.subscription == other.group.subscription && self.session == other.session
    }
}

impl Load {
    pub(crate) fn set_online(&self, is_online: bool) {
        self.is_online.store(is_online, Ordering::Release);
    }

    pub(crate) fn is_online(&self) -> bool {
        self.is_online.load(Ordering::Acquire)
    }

    pub(crate) fn set_waiting(&self, messages: usize) {
        self.waiting.store(messages, Ordering::Relaxed);
    }
}

impl Member {
    fn is(&self, worker: WorkerId, session: SessionKey) -> bool {
        self.worker == worker && self.session == session
    }

    /// A number that no other member has at this time.
    fn number(&self) -> u64 {
        u64::from(self.worker) << 48
            ^ u64::from(self.session.generation) << 16
            ^ u64::from(self.session.index)
    }
}

impl Group {
    pub(crate) fn new(subscription: TopicFilter, strategy: SharedStrategy) -> Self {
        Self {
            subscription,
            strategy,
            members: RwLock::new(Arc::new([])),
            turn: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        }
    }

    /// Adds a member that is not there yet.
    pub(crate) fn join(&self, member: Member) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        *members = members.iter().cloned().chain([member]).collect();
    }

    /// Removes a member; true if none is left.
    pub(crate) fn leave(&self, worker: WorkerId, session: SessionKey) -> bool {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let left = members.iter().filter(|member| !member.is(worker, session));
        *members = left.cloned().collect();
        members.is_empty()
    }

    /// Whether a member other than this one is online.
    pub(crate) fn has_other_online(&self, worker: WorkerId, session: SessionKey) -> bool {
        self.members()
            .iter()
            .any(|member| member.load.is_online() && !member.is(worker, session))
    }

    /// The member that gets this message: one that is online, where there is
    /// one; else, if `may_wait`, any, whose session keeps it.
    pub(crate) fn choose(&self, message: Chosen<'_>) -> Option<Member> {
        let members = self.members();
        let online = members
            .iter()
            .filter(|member| member.load.is_online())
            .count();
        if online == 0 && !message.may_wait {
            return None;
        }
        let eligible = || {
            let all = members.iter();
            all.filter(|member| online == 0 || member.load.is_online())
        };
        let count = if online == 0 { members.len() } else { online };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let place = |number: u64| (number % count.max(1) as u64) as usize;
        let chosen = match self.strategy {
            SharedStrategy::RoundRobin => eligible().nth(turn % count.max(1)),
            SharedStrategy::Random => eligible().nth(place(scatter(turn as u64))),
            SharedStrategy::HashClient => eligible().nth(place(hash(message.sender))),
            SharedStrategy::HashTopic => eligible().nth(place(hash(message.topic))),
            SharedStrategy::Sticky => {
                let last = self.last.load(Ordering::Relaxed);
                let same = eligible().find(|member| member.number().wrapping_add(1) == last);
                same.or_else(|| eligible().nth(place(scatter(turn as u64))))
            }
            SharedStrategy::LeastInflight => {
                let from = turn % count.max(1);
                let in_turn = eligible().skip(from).chain(eligible().take(from));
                in_turn.min_by_key(|member| member.load.waiting.load(Ordering::Relaxed))
            }
        }?;
        self.last
            .store(chosen.number().wrapping_add(1), Ordering::Relaxed);
        // Its worker will say the right number; until then this one counts.
        chosen.load.waiting.fetch_add(1, Ordering::Relaxed);
        Some(chosen.clone())
    }

    fn members(&self) -> Arc<[Member]> {
        Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a choice depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) sender: &'a str,
    pub(crate) topic: &'a str,
    /// Whether the session of a client that is away may keep it.
    pub(crate) may_wait: bool,
}

fn hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    // The upper bits are the better ones.
    hasher.finish() >> 20
}

/// Numbers in a row, scattered: the finalizer of SplitMix64.
fn scatter(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn member(index: u32) -> Member {
        let load = Load::default();
        load.set_online(true);
        Member {
            worker: (index % 2) as WorkerId,
            session: SessionKey {
                index,
                generation: 1,
            },
            load: Arc::new(load),
        }
    }

    fn group_of(strategy: SharedStrategy, members: u32) -> Group {
        let group = Group::new(TopicFilter::new("$share/g/t").unwrap(), strategy);
        for index in 0..members {
            group.join(member(index));
        }
        group
    }

    fn choose(group: &Group, sender: &str, topic: &str) -> Option<u32> {
        let message = Chosen {
            sender,
            topic,
            may_wait: true,
        };
        group.choose(message).map(|member| member.session.index)
    }

    fn spread(strategy: SharedStrategy, sender: fn(usize) -> String) -> BTreeMap<u32, usize> {
        let group = group_of(strategy, 4);
        let mut counts = BTreeMap::new();
        for number in 0..4_000 {
            let chosen = choose(&group, &sender(number), &format!("t/{number}")).unwrap();
            *counts.entry(chosen).or_default() += 1;
        }
        counts
    }

    #[test]
    fn every_strategy_that_spreads_spreads_evenly() {
        let even = |counts: &BTreeMap<u32, usize>, least: usize| {
            assert_eq!(counts.len(), 4, "{counts:?}");
            assert!(counts.values().all(|count| *count >= least), "{counts:?}");
        };
        even(&spread(SharedStrategy::RoundRobin, |_| "c".into()), 1_000);
        even(
            &spread(SharedStrategy::LeastInflight, |_| "c".into()),
            1_000,
        );
        even(&spread(SharedStrategy::Random, |_| "c".into()), 800);
        even(&spread(SharedStrategy::HashTopic, |_| "c".into()), 700);
        even(
            &spread(SharedStrategy::HashClient, |n| format!("c{n}")),
            700,
        );
    }

    #[test]
    fn what_is_to_stay_with_one_member_stays() {
        for strategy in [SharedStrategy::Sticky, SharedStrategy::HashClient] {
            assert_eq!(spread(strategy, |_| "c".into()).len(), 1, "{strategy:?}");
        }
        let group = group_of(SharedStrategy::Sticky, 4);
        let first = choose(&group, "c", "t").unwrap();
        assert!(!group.leave(
            (first % 2) as WorkerId,
            SessionKey {
                index: first,
                generation: 1
            }
        ));
        let second = choose(&group, "c", "t").unwrap();
        assert_ne!(first, second);
        assert_eq!(choose(&group, "d", "u"), Some(second));
    }

    #[test]
    fn the_least_loaded_is_chosen_and_those_away_only_when_all_are() {
        let group = group_of(SharedStrategy::LeastInflight, 3);
        let members = group.members();
        for (member, waiting) in members.iter().zip([5, 0, 5]) {
            member.load.set_waiting(waiting);
        }
        assert_eq!(choose(&group, "c", "t"), Some(1));
        members[1].load.set_online(false);
        assert_ne!(choose(&group, "c", "t"), Some(1));
        for member in members.iter() {
            member.load.set_online(false);
        }
        assert!(choose(&group, "c", "t").is_some(), "a session keeps it");
        let at_most_once = Chosen {
            sender: "c",
            topic: "t",
            may_wait: false,
        };
        assert!(group.choose(at_most_once).is_none());
    }

    #[test]
    fn the_last_member_to_leave_is_told() {
        let group = group_of(SharedStrategy::RoundRobin, 2);
        let key = |index| SessionKey {
            index,
            generation: 1,
        };
        assert!(!group.leave(0, key(0)));
        assert!(group.leave(1, key(1)));
        assert_eq!(choose(&group, "c", "t"), None);
    }
}
