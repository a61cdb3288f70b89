//! What the model knows of each message.

use std::rc::Rc;

use hookwire_mqtt::QoS;

use super::state::{At, ClientNo, MessageNo, Span};
use super::topics::{FilterNo, TopicNo};
use crate::history::{ConnectionNo, Outcome};
use crate::packet::Extras;

/// Numbers from here on are of messages without a stamp: empty ones.
pub(crate) const FIRST_EMPTY: MessageNo = 1 << 31;

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) number: MessageNo,
    /// None for a client whose id nobody knows yet.
    pub(crate) publisher: Option<ClientNo>,
    pub(crate) origin: Origin,
    /// As subscribers get it.
    pub(crate) topic: TopicNo,
    pub(crate) payload: Rc<[u8]>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) extras: Option<Rc<Extras>>,
    /// Bytes that it keeps in a queue, and that a packet of it has at most.
    pub(crate) held_bytes: usize,
    pub(crate) packet_bytes: usize,
    /// Whether rules decide about it.
    pub(crate) is_hooked: bool,
    pub(crate) verdicts: u32,
    pub(crate) acknowledgements: u32,
    pub(crate) outcome: Option<Outcome>,
    /// Whether some verdict let it pass.
    pub(crate) passed: bool,
    /// When it was first sent; for a will: when its connection was opened.
    pub(crate) sent: At,
    /// How often it was sent.
    pub(crate) sends: u32,
    /// In how many sessions of its publisher, and in which the last time.
    pub(crate) lives: u32,
    pub(crate) generation: u32,
    /// When it was sent the last time, and where.
    pub(crate) last_sent: u64,
    pub(crate) connection: ConnectionNo,
    /// A time by which the server had it.
    pub(crate) taken_by_ms: Option<u64>,
    /// A time by which the rules, and what was before it, were done with it.
    pub(crate) released_by_ms: Option<u64>,
    /// It was matched with subscriptions after this, and before that.
    pub(crate) matched_from: u64,
    pub(crate) matched_by: Option<u64>,
    /// Whether the server said, or has shown, that it took the message over.
    pub(crate) is_accepted: bool,
    /// Deliveries so far that were not of retained messages.
    pub(crate) copies: Vec<Copy>,
}

/// How a message came to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By PUBLISH.
    Publish,
    /// By PUBLISH to `$delayed/SECONDS/...`.
    Delayed {
        /// The delay.
        seconds: u32,
    },
    /// By CONNECT.
    Will(WillState),
}

/// How far a will is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WillState {
    /// Its connection is there.
    Armed {
        /// Its own delay, in seconds.
        delay_s: u32,
    },
    /// Its connection was lost: it is published within this time.
    Called {
        /// Delay included.
        due: Span,
        /// Whether it surely is.
        is_certain: bool,
        /// Whether it has a delay, so that the session may be resumed before.
        is_delayed: bool,
    },
    /// It must not be published any more.
    Cancelled,
}

/// One delivery: who got it, and by which kind of subscription it may have been.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    pub(crate) client: ClientNo,
    /// Generation of the session.
    pub(crate) generation: u32,
    /// When it was received.
    pub(crate) at: u64,
    pub(crate) qos: QoS,
    /// Whether it may be that of the session's own subscriptions.
    pub(crate) is_own: bool,
    /// Shared subscriptions that it may be of.
    pub(crate) shared: Vec<FilterNo>,
    /// Subscriptions that may have been sent it as a retained message.
    pub(crate) retained: Vec<u64>,
}

impl Message {
    /// Whether subscribers may get it, as far as the rules are concerned.
    pub(crate) fn may_pass(&self) -> bool {
        !self.is_hooked || self.passed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.number >= FIRST_EMPTY
    }

    /// Within which time it is published, when that is not at once.
    pub(crate) fn due(&self, slack_ms: u64) -> Option<Span> {
        match self.origin {
            Origin::Publish | Origin::Will(WillState::Armed { .. } | WillState::Cancelled) => None,
            Origin::Will(WillState::Called { due, .. }) => Some(due),
            Origin::Delayed { seconds } => {
                let delay_ms = u64::from(seconds) * 1_000;
                let released_by_ms = self.released_by_ms.unwrap_or(u64::MAX);
                Some(Span {
                    least_ms: self.sent.ms + delay_ms,
                    most_ms: released_by_ms.saturating_add(delay_ms + slack_ms),
                })
            }
        }
    }

    /// Whether it may be past its time.
    pub(crate) fn may_be_expired(&self, now_ms: u64) -> bool {
        let seconds = self.expiry_s.map(u64::from);
        seconds.is_some_and(|seconds| now_ms >= self.sent.ms + seconds * 1_000)
    }
}

/// Whether each delivery can be given to a subscription of its own: a session's
/// own subscriptions take `of_session`, a shared one as many as `of_shared` says.
pub(crate) fn is_feasible(
    copies: &[Copy],
    of_session: usize,
    of_shared: impl Fn(FilterNo) -> usize,
) -> bool {
    let mut places: Vec<Place> = Vec::new();
    let mut choices: Vec<Vec<usize>> = Vec::with_capacity(copies.len());
    let mut place = |key: Key, capacity: usize| {
        places
            .iter()
            .position(|place| place.key == key)
            .unwrap_or_else(|| {
                places.push(Place {
                    key,
                    capacity,
                    taken_by: Vec::new(),
                });
                places.len() - 1
            })
    };
    for copy in copies {
        let mut own = Vec::new();
        if copy.is_own {
            own.push(place(
                Key::Session(copy.client, copy.generation),
                of_session,
            ));
        }
        for &version in &copy.retained {
            own.push(place(Key::Retained(version), 1));
        }
        for &shared in &copy.shared {
            own.push(place(Key::Shared(shared), of_shared(shared)));
        }
        choices.push(own);
    }
    (0..copies.len()).all(|copy| {
        let mut visited = vec![false; places.len()];
        assign(copy, &choices, &mut places, &mut visited)
    })
}

struct Place {
    key: Key,
    capacity: usize,
    taken_by: Vec<usize>,
}

#[derive(PartialEq, Eq)]
enum Key {
    Session(ClientNo, u32),
    Shared(FilterNo),
    Retained(u64),
}

/// An augmenting path of a bipartite matching, where places hold several.
fn assign(copy: usize, choices: &[Vec<usize>], places: &mut [Place], visited: &mut [bool]) -> bool {
    for &choice in &choices[copy] {
        if std::mem::replace(&mut visited[choice], true) {
            continue;
        }
        if places[choice].taken_by.len() < places[choice].capacity {
            places[choice].taken_by.push(copy);
            return true;
        }
        for slot in 0..places[choice].taken_by.len() {
            let other = places[choice].taken_by[slot];
            if assign(other, choices, places, visited) {
                places[choice].taken_by[slot] = copy;
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(client: ClientNo, is_own: bool, shared: &[FilterNo]) -> Copy {
        Copy {
            client,
            generation: 0,
            at: 0,
            qos: QoS::AtMostOnce,
            is_own,
            shared: shared.to_vec(),
            retained: Vec::new(),
        }
    }

    #[test]
    fn copies_are_shared_out_among_subscriptions() {
        let check = |copies: &[Copy], expected: bool| {
            assert_eq!(is_feasible(copies, 1, |_| 1), expected, "{copies:?}");
        };
        check(&[copy(0, true, &[]), copy(1, true, &[])], true);
        check(&[copy(0, true, &[]), copy(0, true, &[])], false);
        check(&[copy(0, true, &[7]), copy(0, true, &[7])], true);
        check(
            &[
                copy(0, true, &[7]),
                copy(0, true, &[7]),
                copy(1, false, &[7]),
            ],
            false,
        );
        check(
            &[
                copy(0, true, &[7]),
                copy(1, false, &[7]),
                copy(0, true, &[8]),
            ],
            true,
        );
        check(
            &[
                copy(0, false, &[7]),
                copy(1, false, &[7, 8]),
                copy(0, false, &[8]),
            ],
            false,
        );
        check(&[copy(0, true, &[7]), copy(1, true, &[7])], true);
        check(&[copy(0, false, &[7]), copy(1, false, &[7])], false);
        check(&[copy(0, false, &[7, 8]), copy(1, false, &[7])], true);
    }
}
