//! What hooks are told, and what the test answers for them.

use hookwire_broker::{
    Answer, Answered, AuthenticationOutcome, BrokerCall, Decided, Hook, Ticket, Verdict,
};
use hookwire_mqtt::TopicFilter;

use super::World;

impl World {
    /// Answers the n-th waiting submission.
    pub(crate) fn decide(&mut self, index: usize, verdict: Verdict) {
        let (worker, ticket, _) = self.script.borrow_mut().submitted.remove(index).unwrap();
        self.answers[usize::from(worker)]
            .borrow_mut()
            .decided
            .push(Decided { ticket, verdict });
        self.shards[usize::from(worker)].take_verdicts(self.now);
        self.settle();
    }

    /// Answers the oldest step of authentication.
    pub(crate) fn authenticate(&mut self, outcome: AuthenticationOutcome) {
        let oldest = self.script.borrow_mut().authentications.pop_front();
        let (worker, ticket, _) = oldest.unwrap();
        self.answers[usize::from(worker)]
            .borrow_mut()
            .answered
            .push(Answered {
                ticket,
                answer: Answer::Authenticate(outcome),
            });
        self.shards[usize::from(worker)].take_verdicts(self.now);
        self.settle();
    }

    /// Rules listen to this hook, to topics and filters that match.
    pub(crate) fn listen(&self, hook: Hook, filter: &str) {
        let filter = TopicFilter::new(filter).unwrap();
        self.script.borrow_mut().rules.insert(hook, filter);
    }

    /// Answers the n-th question that waits; it is handed back to be given once more.
    pub(crate) fn answer(&mut self, index: usize, answer: Answer) -> (usize, Ticket) {
        let question = self.script.borrow_mut().questions.remove(index);
        let (worker, ticket, _) = question.unwrap();
        self.answer_ticket(usize::from(worker), ticket, answer);
        (usize::from(worker), ticket)
    }

    pub(crate) fn answer_ticket(&mut self, worker: usize, ticket: Ticket, answer: Answer) {
        let answered = Answered { ticket, answer };
        self.answers[worker].borrow_mut().answered.push(answered);
        self.shards[worker].take_verdicts(self.now);
        self.settle();
    }

    /// A rule on a worker wants something of the broker.
    pub(crate) fn call(&mut self, worker: usize, call: BrokerCall) {
        self.answers[worker].borrow_mut().calls.push(call);
        self.shards[worker].take_verdicts(self.now);
        self.settle();
    }

    /// What hooks were told since the last call, in words.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.script.borrow_mut().log)
    }

    /// Lets the worker notice that hooks have room again.
    pub(crate) fn wake(&mut self) {
        for shard in &mut self.shards {
            shard.take_verdicts(self.now);
        }
        self.settle();
    }
}
