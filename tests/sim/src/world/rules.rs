//! What the rules are asked, and that they answer when they are told to.

use hookwire_broker::{Answered, Decided, Stores, Verdict};

use super::World;
use super::hooks::answer;
use crate::history::Outcome;

/// What the rules said, before it takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Number of the message, if it has a stamp.
    pub message: Option<u32>,
    /// What they said.
    pub outcome: Outcome,
    /// Whether another message goes on in its place.
    pub replaces: bool,
}

impl World {
    /// Publishes that wait for the rules, and questions that do.
    #[must_use]
    pub fn unanswered(&self) -> (usize, usize) {
        let desk = self.desk.borrow();
        (desk.publishes.len(), desk.questions.len())
    }

    /// The rules decide about one of the publishes that wait. What they decided
    /// is told before it takes effect.
    pub fn answer(&mut self, index: usize, told: impl FnOnce(Told)) -> bool {
        let mut desk = self.desk.borrow_mut();
        let Some((worker, ticket, message)) = desk.publishes.remove(index) else {
            return false;
        };
        let (number, outcome, verdict) = desk.decide(&message);
        drop(desk);
        told(Told {
            message: number,
            outcome,
            replaces: matches!(verdict, Verdict::Replace(_)),
        });
        let worker = usize::from(worker);
        let decided = Decided {
            ticket,
            verdict,
            stored: Stores::NONE,
        };
        self.answers[worker].borrow_mut().decided.push(decided);
        self.shards[worker].take_verdicts(self.now);
        self.pump(worker);
        true
    }

    /// The rules answer one of the questions that wait.
    pub fn answer_question(&mut self, index: usize) -> bool {
        let mut desk = self.desk.borrow_mut();
        let asks = desk.asks;
        let Some((worker, ticket, question)) = desk.questions.remove(index) else {
            return false;
        };
        drop(desk);
        let worker = usize::from(worker);
        let answer = answer(asks, &question);
        let answered = Answered { ticket, answer };
        self.answers[worker].borrow_mut().answered.push(answered);
        self.shards[worker].take_verdicts(self.now);
        self.pump(worker);
        true
    }

    /// The lanes of a worker have room, or have none.
    pub fn set_room(&mut self, worker: usize, has_room: bool) {
        self.desk.borrow_mut().full[worker] = !has_room;
        self.shards[worker].take_verdicts(self.now);
        self.pump(worker);
        self.try_waiting();
    }

    /// Clients that could not be greeted are looked at again.
    pub(super) fn try_waiting(&mut self) {
        for no in self.waiting.clone() {
            if self.sockets[no].place().is_none() {
                self.waiting.remove(&no);
                self.read(no);
            }
        }
    }

    /// Whether some worker's lanes have no room.
    #[must_use]
    pub fn lacks_room(&self) -> bool {
        self.desk.borrow().full.contains(&true)
    }
}
