//! What hooks are told, and what the test answers for them.

use hookwire_broker::{
    Answer, Answered, AuthenticationOutcome, BrokerCall, Decided, Hook, Question, Refusal, Stores,
    Ticket, Verdict,
};
use hookwire_mqtt::TopicFilter;

use super::World;
use super::store::STORE;

impl World {
    /// Answers the n-th waiting submission.
    pub(crate) fn decide(&mut self, index: usize, verdict: Verdict) {
        let (worker, ticket, _) = self.script.borrow_mut().submitted.remove(index).unwrap();
        self.answers[usize::from(worker)]
            .borrow_mut()
            .decided
            .push(Decided {
                ticket,
                verdict,
                stored: Stores::NONE,
            });
        self.shards[usize::from(worker)].take_verdicts(self.now);
        self.settle();
    }

    /// Stores the oldest waiting submission, and answers so.
    pub(crate) fn store(&mut self) {
        self.store_at(0);
    }

    /// Stores the n-th waiting submission, and answers so: it is routed when
    /// those of its publisher before it are.
    pub(crate) fn store_at(&mut self, index: usize) {
        let (worker, ticket) = {
            let mut script = self.script.borrow_mut();
            let (worker, ticket, message) = script.submitted.remove(index).unwrap();
            script.store.rows.push(message);
            (worker, ticket)
        };
        let decided = Decided {
            ticket,
            verdict: Verdict::Proceed,
            stored: STORE,
        };
        let answers = &self.answers[usize::from(worker)];
        answers.borrow_mut().decided.push(decided);
        self.shards[usize::from(worker)].take_verdicts(self.now);
        self.settle();
    }

    /// Answers the oldest question with what the store has, at most so many.
    pub(crate) fn page(&mut self, max: usize) {
        let page = {
            let script = self.script.borrow();
            let Question::Fetch(request) = &script.questions[0].2 else {
                panic!("{:?} is asked", script.questions[0].2);
            };
            script.store.page(request, max)
        };
        self.answer(0, Answer::Fetch(Ok(page)));
    }

    /// Answers questions with pages until none is left.
    pub(crate) fn pages(&mut self, max: usize) -> usize {
        let mut pages = 0;
        while !self.script.borrow().questions.is_empty() {
            self.page(max);
            pages += 1;
            assert!(pages < 1_000, "it goes on for ever");
        }
        pages
    }

    /// The store cannot be asked.
    pub(crate) fn no_page(&mut self) {
        let refusal = Refusal {
            reason: hookwire_mqtt::ReasonCode::UnspecifiedError,
            text: "the store is away".to_owned(),
        };
        self.answer(0, Answer::Fetch(Err(refusal)));
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
