//! Questions to rules and the answers to them. Each question has a number of its
//! own, so that a late answer finds nobody rather than a later question.

use super::ConnectionKey;
use crate::hooks::{Answer, Answered, Hooks, Question, RuleSet};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// Asks rules something about a connection; the number of the question.
    pub(crate) fn ask(&mut self, key: ConnectionKey, rules: RuleSet, question: Question) -> u64 {
        let number = self.next_question();
        self.hooks.ask(rules, Self::ticket(key, number), question);
        number
    }

    /// The number of the next question. They only grow.
    pub(crate) fn next_question(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Acts on what the rules answered since the last call.
    pub(crate) fn take_answers(&mut self, now: Now) {
        let mut answers = std::mem::take(&mut self.answers);
        self.hooks.take_answers(&mut answers);
        for Answered { ticket, answer } in answers.drain(..) {
            let key = Self::ticket_key(ticket);
            self.answered(now, key, ticket.sequence, answer);
        }
        self.answers = answers;
    }

    fn answered(&mut self, now: Now, key: ConnectionKey, number: u64, answer: Answer) {
        let is_arriving = self
            .connection(key)
            .is_some_and(|connection| connection.arrival.is_some());
        if is_arriving {
            return self.arrival_answered(now, key, number, answer);
        }
        match answer {
            Answer::Authenticate(outcome) => self.authenticated_again(now, key, number, outcome),
            Answer::Authorize(authorization) => {
                self.access_answered(now, key, number, authorization);
            }
            Answer::Subscribe(outcome) => self.filter_answered(now, key, number, outcome),
            Answer::Fetch(page) => self.page_answered(now, key, number, page),
            Answer::Deliver(outcome) => self.delivery_answered(now, key, number, outcome),
            Answer::Exchange(kept) => self.exchange_answered(now, key, number, kept),
            // Only those who arrive are asked about so.
            Answer::Connect(_) | Answer::CreateSession(_) => {}
        }
    }
}
