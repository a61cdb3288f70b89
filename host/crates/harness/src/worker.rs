//! A worker without a network: hands events to the rules and takes what they
//! decide, as the broker's loop does.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hookwire_broker::{Answered, BrokerCall, Decided, Hooks, IdGenerator, Ticket};
use hookwire_rules::{House, Plan, WorkerRules, WorkerRulesError};

use crate::fixture::{Event, KnownClient};
use crate::question::{Given, Origin, give};
use crate::seen::{Asked, Seen};

/// Turns in which only guests run, before the thread waits for stores.
const BUSY_TURNS: usize = 64;
/// How long it waits then, at most, before it looks again: nobody wakes it for
/// an event whose end nobody waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

pub(crate) struct Worker<'a> {
    rules: WorkerRules,
    ids: IdGenerator,
    clients: &'a [KnownClient],
    /// Number of the last event, which is the key of its ticket.
    given: u64,
    decided: Vec<Decided>,
    answers: Vec<Answered>,
    calls: Vec<BrokerCall>,
    /// What was asked of the broker since it was last taken.
    pub(crate) asked: Vec<Asked>,
    /// Verdicts and answers by the numbers of their events.
    settled: HashMap<u64, Seen>,
    awaited: usize,
}

/// Not everything came to an end in time.
pub(crate) struct Unsettled {
    pub(crate) missing: usize,
}

impl<'a> Worker<'a> {
    /// To be called inside a `LocalSet`.
    pub(crate) fn new(
        plan: &Arc<Plan>,
        house: &Arc<House>,
        clients: &'a [KnownClient],
    ) -> Result<Self, WorkerRulesError> {
        Ok(Self {
            rules: WorkerRules::new(plan, 0, Arc::clone(house))?,
            ids: IdGenerator::new(0, 0, 0),
            clients,
            given: 0,
            decided: Vec::new(),
            answers: Vec::new(),
            calls: Vec::new(),
            asked: Vec::new(),
            settled: HashMap::new(),
            awaited: 0,
        })
    }

    /// Hands an event over, and answers its number and how it was taken.
    pub(crate) fn give(&mut self, event: &Event, at_ms: u64) -> (u64, Given) {
        self.given += 1;
        let ticket = Ticket {
            key: self.given,
            sequence: 0,
        };
        let mut origin = Origin {
            at_ms,
            ids: &mut self.ids,
        };
        let given = give(&mut self.rules, event, ticket, &mut origin);
        self.awaited += usize::from(given == Given::Awaited);
        (self.given, given)
    }

    /// Waits until everything that was handed over has run.
    pub(crate) async fn settle(
        &mut self,
        patience: Duration,
    ) -> Result<HashMap<u64, Seen>, Unsettled> {
        let deadline = Instant::now() + patience;
        let mut turns = 0_usize;
        while !self.take_what_came() {
            if Instant::now() >= deadline {
                let missing = self.rules.outstanding().max(1);
                return Err(Unsettled { missing });
            }
            turns += 1;
            if turns < BUSY_TURNS {
                tokio::task::yield_now().await;
                continue;
            }
            let mut is_first = true;
            let woken = poll_fn(|context| {
                self.rules.set_waker(context.waker().clone());
                if std::mem::take(&mut is_first) {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            });
            // Either way there is something to look at.
            drop(tokio::time::timeout(LOOK_AGAIN, woken).await);
        }
        self.awaited = 0;
        Ok(std::mem::take(&mut self.settled))
    }

    /// Whether all has come.
    fn take_what_came(&mut self) -> bool {
        self.rules.take_decided(&mut self.decided);
        self.rules.take_answers(&mut self.answers);
        self.rules.take_calls(&mut self.calls);
        for decided in self.decided.drain(..) {
            let seen = Seen::of_verdict(&decided.verdict);
            self.settled.insert(decided.ticket.key, seen);
        }
        for answered in self.answers.drain(..) {
            let seen = Seen::of_answer(&answered.answer);
            self.settled.insert(answered.ticket.key, seen);
        }
        for call in self.calls.drain(..) {
            self.asked.push(Asked::of(&call));
            carry_out(call, self.clients);
        }
        self.settled.len() >= self.awaited && self.rules.outstanding() == 0
    }
}

/// Nothing is carried out but what a guest waits for.
fn carry_out(call: BrokerCall, clients: &[KnownClient]) {
    let known = |clientid: &str| {
        let mut clients = clients.iter().map(|client| &client.0);
        clients.find(|client| &*client.client.clientid == clientid)
    };
    match call {
        BrokerCall::Lookup { clientid, reply } => reply.send(known(&clientid).cloned()),
        BrokerCall::Disconnect {
            clientid,
            reply: Some(reply),
            ..
        } => reply.send(known(&clientid).is_some_and(|client| client.is_connected)),
        _ => {}
    }
}
