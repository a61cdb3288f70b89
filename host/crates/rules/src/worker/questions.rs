//! Questions on their way through the rules, one step after the other.

use std::rc::Rc;

use hookwire_broker::{Answered, Question};

use super::{StepEnd, Worker};
use crate::lane::answer;
use crate::lane::item::Item;
use crate::plan::set::Set;
use crate::worker::subject::{Asked, Subject, asker, client_hash};

impl Worker {
    /// Puts a question to the rules of a set, one step after the other.
    pub(crate) fn ask(&self, asked: Asked, set: Rc<Set>) {
        self.outstanding.set(self.outstanding.get() + 1);
        let client = client_hash(asker(&asked.question).clientid.as_ref());
        let now = match &asked.question {
            Question::Fetch(request) => {
                let after_writes = request.after_writes;
                let mut readers = self.readers.borrow_mut();
                readers.hold(client, after_writes, asked, set)
            }
            // What an earlier session left behind is to be in the store.
            Question::CreateSession(_) => self.readers.borrow_mut().hold(client, true, asked, set),
            _ => Some((asked, set)),
        };
        if let Some((asked, set)) = now {
            self.put_asked(asked, set);
        }
    }

    pub(super) fn put_asked(&self, asked: Asked, set: Rc<Set>) {
        if !self.put(Box::new(asked), set, 0) {
            self.wake_core();
        }
    }

    /// `false`: there is no step to put it to, and it is answered.
    fn put(&self, asked: Box<Asked>, set: Rc<Set>, from: usize) -> bool {
        let subject = Subject::Asked(asked);
        let client = client_hash(subject.clientid());
        let step = set.next_step(from, &subject);
        let lane =
            step.and_then(|step| Some((step, Rc::clone(Self::lane_of(&set, step, client)?))));
        match (lane, subject) {
            (Some((step, lane)), subject) => {
                lane.push(Item {
                    client,
                    came: self.next_came(),
                    subject,
                    set,
                    step,
                    chain: None,
                    rest: None,
                    replay: None,
                });
                true
            }
            (None, Subject::Asked(asked)) => {
                let ticket = asked.ticket;
                let answer = answer::at_the_end(*asked);
                self.answers.borrow_mut().push(Answered { ticket, answer });
                false
            }
            (None, _) => false,
        }
    }

    pub(super) fn question_step_ended(&self, item: Item, end: StepEnd) {
        let Item {
            subject, set, step, ..
        } = item;
        let Subject::Asked(asked) = subject else {
            return;
        };
        match end {
            StepEnd::GoesOn | StepEnd::Ended(_) | StepEnd::Lost(_) => {
                self.put(asked, set, step + 1);
            }
            StepEnd::Changed(done) => {
                let ids = answer::matching(&set.plan.rules, set.hook, &asked.question);
                let left = self.set_behind(&set, ids, done);
                self.put(asked, left, 0);
            }
            StepEnd::Answered(answer) => {
                let ticket = asked.ticket;
                self.answers.borrow_mut().push(Answered { ticket, answer });
            }
        }
    }
}
