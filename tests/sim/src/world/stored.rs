//! Rules that keep everything in a store: calls are under way until the
//! scheduler has them arrive, fail, or time out; those of one client in their
//! order, those of different clients in any.

use std::collections::HashSet;
use std::sync::Arc;

use hookwire_broker::{
    Answer, Answered, ClientInfo, Decided, Event, Message, MessageId, Question, Refusal, Stores,
    SubscriptionInfo, Ticket, Verdict, WorkerId,
};
use hookwire_mqtt::{QoS, ReasonCode};

use super::World;
use super::calls::{Call, What, shown};
use super::store::{STORE, Store};
use crate::plan::Setup;
use crate::random::Random;
use crate::stored::{Planted, StoredSetup};

/// A store, and the calls that are under way to it.
#[derive(Debug)]
pub(super) struct Storing {
    store: Store,
    calls: Vec<Call>,
    /// No id is below this many milliseconds.
    ids_from_ms: u64,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is not, and may be another time.
    Fails,
    /// It is not, and never will be.
    FailsForGood,
    /// It is done, and nobody hears of it in time.
    TimesOut,
}

/// A message came to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// See [`Stamp::message`].
    pub message: u32,
    /// Whether it was committed.
    pub is_stored: bool,
    /// Whether its publisher is told that it was not.
    pub is_refused: bool,
    /// Whether it is a dead letter now: a publisher that cannot be told that it is not
    /// stored is acknowledged.
    pub is_given_up: bool,
}

impl Storing {
    fn new(setup: &StoredSetup, fault: Option<Planted>) -> Self {
        let proxies = setup.proxies.iter().map(|(client, filter)| {
            let proxy = SubscriptionInfo {
                filter: Arc::from(&**filter),
                qos: QoS::AtLeastOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: 2,
                identifier: None,
                is_new: true,
            };
            (Arc::from(&*setup.core.clients[*client].id), proxy)
        });
        Self {
            store: Store::new(setup.order, proxies.collect(), fault),
            calls: Vec::new(),
            ids_from_ms: 0,
        }
    }

    pub(super) fn publish(&mut self, worker: WorkerId, ticket: Ticket, message: Arc<Message>) {
        let clientid = Arc::clone(&message.sender);
        let what = What::Publish {
            ticket,
            message,
            is_abandoned: false,
        };
        self.call(worker, &clientid, what);
    }

    pub(super) fn position(
        &mut self,
        worker: WorkerId,
        client: &Arc<ClientInfo>,
        message: Arc<Message>,
    ) {
        let what = What::Position(Arc::clone(client), message);
        self.call(worker, &client.clientid, what);
    }

    pub(super) fn event(&mut self, worker: WorkerId, event: Event) {
        let clientid = match &event {
            Event::Client(event) => Arc::clone(&event.client.clientid),
            Event::Subscription(event) => Arc::clone(&event.client.clientid),
            Event::Node(_) | Event::Dropped(_) => return,
        };
        self.call(worker, &clientid, What::Event(event));
    }

    /// Takes a question, or gives it back.
    pub(super) fn question(
        &mut self,
        worker: WorkerId,
        ticket: Ticket,
        question: Question,
    ) -> Option<Question> {
        let (clientid, what) = match question {
            Question::Exchange(exchange) => (
                Arc::clone(&exchange.client.clientid),
                What::Exchange(ticket, exchange),
            ),
            Question::Fetch(request) => (
                Arc::clone(&request.client.clientid),
                What::Fetch(ticket, request),
            ),
            Question::CreateSession(client) => {
                (Arc::clone(&client.clientid), What::Session(ticket, client))
            }
            other => return Some(other),
        };
        self.call(worker, &clientid, what);
        None
    }

    fn call(&mut self, worker: WorkerId, clientid: &Arc<str>, what: What) {
        let clientid = Arc::clone(clientid);
        self.calls.push(Call {
            worker,
            clientid,
            what,
        });
    }

    /// Publishes of this ticket key of a worker are not to be stored any more.
    pub(super) fn abandon(&mut self, worker: WorkerId, key: u64) {
        let of_worker = |call: &&mut Call| call.worker == worker;
        for call in self.calls.iter_mut().filter(of_worker) {
            if let What::Publish {
                ticket,
                is_abandoned,
                ..
            } = &mut call.what
                && ticket.key == key
            {
                *is_abandoned = true;
            }
        }
    }

    /// Whether calls of a client are under way that are not of its next connection.
    pub(super) fn has_calls_of(&self, clientid: &str) -> bool {
        let mut of = self.calls.iter().filter(|call| *call.clientid == *clientid);
        of.any(|call| !call.what.reads())
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn publishes(&self) -> usize {
        let is_publish = |call: &&Call| matches!(call.what, What::Publish { .. });
        self.calls.iter().filter(is_publish).count()
    }

    /// Places of the calls that may arrive next.
    fn ready(&self) -> Vec<usize> {
        let mut writing: HashSet<&str> = HashSet::new();
        let mut reading: HashSet<&str> = HashSet::new();
        let mut ready = Vec::new();
        for (place, call) in self.calls.iter().enumerate() {
            let clientid = &*call.clientid;
            let is_next = if call.what.reads() {
                let waits = call.what.reads_after_writes() && writing.contains(clientid);
                reading.insert(clientid) && !waits
            } else {
                writing.insert(clientid)
            };
            if is_next {
                ready.push(place);
            }
        }
        ready
    }

    /// Nothing below this id will be committed any more.
    fn horizon(&self, wall_ms: u64) -> MessageId {
        let publishes = self.calls.iter().filter_map(|call| match &call.what {
            What::Publish { message, .. } => Some(message.id),
            _ => None,
        });
        let from_ms = wall_ms.max(self.ids_from_ms);
        let next = MessageId::from_halves((from_ms & ((1 << 43) - 1)) << 16, 0);
        publishes.min().map_or(next, |oldest| oldest.min(next))
    }

    /// Writes what a call has to say, whether or not anybody hears of it.
    /// The number of a message that is committed.
    fn write(&mut self, what: &What) -> Option<u32> {
        match what {
            What::Publish {
                message,
                is_abandoned: false,
                ..
            } => {
                self.store.insert(message);
                return what.stamp();
            }
            What::Event(event) => self.store.event(event),
            What::Position(client, message) => self.store.position(client, message),
            What::Exchange(_, exchange) => self.store.exchange(exchange),
            What::Publish { .. } | What::Fetch(..) | What::Session(..) => {}
        }
        None
    }
}

impl World {
    /// Shards without clients, whose rules keep what is published to `filter`, and
    /// sessions, in an empty store.
    #[must_use]
    pub fn with_store(setup: &StoredSetup, fault: Option<Planted>) -> Self {
        let world = Self::new(&setup.core, fault.and_then(Planted::core));
        world.desk.borrow_mut().storing = Some(Storing::new(setup, fault));
        world
    }

    /// Calls to the store that may arrive next, and publishes under way.
    #[must_use]
    pub fn calls(&self) -> (usize, usize) {
        let desk = self.desk.borrow();
        let storing = desk.storing.as_ref();
        storing.map_or((0, 0), |storing| {
            (storing.ready().len(), storing.publishes())
        })
    }

    /// One of the calls that may arrive next does. `told` hears of it, where it is
    /// a message, before anybody else does.
    pub fn call_arrives(
        &mut self,
        index: usize,
        fate: Fate,
        dice: &mut Random,
        told: impl FnOnce(Arrived),
    ) -> Option<String> {
        let mut desk = self.desk.borrow_mut();
        let storing = desk.storing.as_mut()?;
        let place = storing.ready().get(index).copied()?;
        let is_answered = !matches!(
            storing.calls[place].what,
            What::Event(_) | What::Position(..)
        );
        if fate != Fate::Done && !is_answered {
            // It is made again until it is done.
            return None;
        }
        let horizon = storing.horizon(self.now.wall_ms);
        let call = storing.calls.remove(place);
        let stamp = call.what.stamp();
        let is_written = matches!(fate, Fate::Done | Fate::TimesOut);
        let committed = is_written.then(|| storing.write(&call.what)).flatten();
        if let Some(message) = stamp {
            told(Arrived {
                message,
                is_stored: committed.is_some(),
                is_refused: fate != Fate::Done,
                is_given_up: fate == Fate::FailsForGood,
            });
        }
        let is_done = fate == Fate::Done;
        let mut text = format!("{fate:?}: {} {}", call.clientid, call.what);
        let worker = usize::from(call.worker);
        let mut answers = self.answers[worker].borrow_mut();
        match call.what {
            What::Publish {
                ticket,
                is_abandoned,
                ..
            } => answers.decided.push(Decided {
                ticket,
                verdict: match fate {
                    Fate::Done if is_abandoned => Verdict::Drop,
                    Fate::Done => Verdict::Proceed,
                    fate => failed(fate),
                },
                stored: if is_done && !is_abandoned {
                    STORE
                } else {
                    Stores::NONE
                },
            }),
            What::Event(_) | What::Position(..) => {}
            What::Exchange(ticket, _) => answers.answered.push(Answered {
                ticket,
                answer: Answer::Exchange(if is_done { Ok(()) } else { Err(refusal()) }),
            }),
            What::Fetch(ticket, request) => answers.answered.push(Answered {
                ticket,
                answer: Answer::Fetch(if is_done {
                    let page = storing.store.page(&request, horizon, dice);
                    text.push_str(&shown(&page));
                    Ok(page)
                } else {
                    Err(refusal())
                }),
            }),
            // A session that cannot be had refuses its client, which is no matter
            // of what this simulation is about.
            What::Session(ticket, client) => answers.answered.push(Answered {
                ticket,
                answer: Answer::CreateSession(Ok(storing.store.session(&client))),
            }),
        }
        drop(answers);
        drop(desk);
        self.shards[worker].take_verdicts(self.now);
        self.pump(worker);
        self.try_waiting();
        Some(text)
    }

    /// The broker ends without a word, and starts again on the same store. Of the
    /// calls that are under way the first of each client may have been done;
    /// answers the messages that were committed so.
    pub fn crash(&mut self, setup: &Setup, fault: Option<Planted>, dice: &mut Random) -> Vec<u32> {
        let mut storing = self.desk.borrow_mut().storing.take();
        let mut committed = Vec::new();
        if let Some(storing) = &mut storing {
            let mut ended: HashSet<Arc<str>> = HashSet::new();
            for call in std::mem::take(&mut storing.calls) {
                if call.what.reads() || ended.contains(&call.clientid) {
                    continue;
                }
                if dice.percent(50) {
                    committed.extend(storing.write(&call.what));
                } else {
                    ended.insert(call.clientid);
                }
            }
            storing.ids_from_ms = self.now.wall_ms.max(storing.ids_from_ms) + 1;
        }
        let from_ms = storing.as_ref().map_or(0, |storing| storing.ids_from_ms);
        let fresh = Self::starting(setup, fault.and_then(Planted::core), self.now, from_ms);
        let mut sockets = std::mem::replace(self, fresh).sockets;
        for (no, socket) in sockets.iter_mut().enumerate() {
            if !socket.is_over() {
                socket.end();
            }
            self.active.insert(no);
        }
        self.sockets = sockets;
        self.desk.borrow_mut().storing = storing;
        committed
    }
}

fn failed(fate: Fate) -> Verdict {
    Verdict::Failed {
        refusal: refusal(),
        retryable: fate != Fate::FailsForGood,
        is_refused: fate == Fate::FailsForGood,
    }
}

fn refusal() -> Refusal {
    Refusal {
        reason: ReasonCode::UnspecifiedError,
        text: "the store of the simulation cannot".to_owned(),
    }
}
