//! What the network, the rules and the clock do.

use crate::history::{Event, Outcome, What};
use crate::random::Random;
use crate::run::{Line, Simulation};
use crate::tally::Count;

/// Rounds in which a network comes to rest, at most. Nobody sends anything new
/// meanwhile but what a CONNACK asks for, so that it does.
const MOST_ROUNDS: usize = 10_000;

impl Simulation<'_> {
    pub(super) fn read_some(&mut self, client: usize, dice: &mut Random) -> bool {
        let Some(no) = self.connection_no(client) else {
            return false;
        };
        if let Some(connection) = &mut self.clients[client].connection {
            // Mostly a client that does not read goes on not reading.
            if connection.is_stalled && dice.percent(80) {
                return false;
            }
            connection.is_stalled = false;
        }
        let moved = self.drain(no, amount(dice));
        self.tally.add_many(Count::ReadSome, u64::from(moved));
        moved
    }

    pub(super) fn write_some(&mut self, client: usize, dice: &mut Random) -> bool {
        let Some(no) = self.connection_no(client) else {
            return false;
        };
        if !self.world.socket(no).has_unsent() {
            return false;
        }
        self.tally.add(Count::SendSome);
        self.world.feed(no, amount(dice));
        true
    }

    pub(super) fn carry_mail(&mut self, dice: &mut Random) -> bool {
        let workers = usize::from(self.setup.workers);
        let (from, to) = (dice.below(workers), dice.below(workers));
        let mut did = false;
        for _ in 0..=dice.below(3) {
            did |= self.world.carry(from, to);
        }
        if did {
            self.tally.add(Count::Mail);
        }
        did
    }

    pub(super) fn answer_one(&mut self, dice: &mut Random) -> bool {
        let (publishes, questions) = self.world.unanswered();
        if questions > 0 && dice.percent(50) {
            self.tally.add(Count::Answered);
            return self.world.answer_question(dice.below(questions));
        }
        self.answer(dice.below(publishes))
    }

    pub(super) fn answer_all(&mut self) -> bool {
        let mut did = false;
        for _ in 0..MOST_ROUNDS {
            if !self.answer(0) {
                if !self.world.answer_question(0) {
                    break;
                }
                self.tally.add(Count::Answered);
            }
            did = true;
        }
        did
    }

    fn answer(&mut self, index: usize) -> bool {
        let at_ms = self.world.now_ms();
        let (model, log, tally) = (&mut self.model, &mut self.log, &mut self.tally);
        self.world.answer(index, |told| {
            if let Some(message) = told.message {
                let outcome = told.outcome;
                let event = Event {
                    at_ms,
                    what: What::Verdict { message, outcome },
                };
                model.observe(&event);
                if let Some(log) = log {
                    log.push(Line::Event(event));
                }
            }
            tally.add(match told.outcome {
                Outcome::Passes if told.replaces => Count::VerdictReplaces,
                Outcome::Passes => Count::VerdictPasses,
                Outcome::Dropped => Count::VerdictDrops,
                Outcome::Denied => Count::VerdictDenies,
                Outcome::Failed => Count::VerdictFails,
                Outcome::Disconnects => Count::VerdictDisconnects,
            });
        })
    }

    pub(super) fn set_room(&mut self, dice: &mut Random) -> bool {
        let worker = dice.below(usize::from(self.setup.workers));
        let has_room = dice.percent(60);
        if !has_room {
            self.tally.add(Count::RoomGone);
        }
        self.world.set_room(worker, has_room);
        true
    }

    pub(super) fn wait(&mut self, dice: &mut Random) -> bool {
        let ms = match dice.below(4) {
            0 => dice.between(1, 50),
            1 => dice.between(50, 1_000),
            _ => dice.between(1_000, 4_000),
        };
        // Mostly the network is quicker than the clients' own time.
        if dice.percent(80) {
            self.come_to_rest();
        }
        self.tally.add(Count::TimeStep);
        self.world.pass(ms);
        true
    }

    pub(super) fn jump(&mut self, dice: &mut Random) -> bool {
        if dice.percent(80) {
            self.come_to_rest();
        }
        self.tally.add(Count::TimeJump);
        let ms = dice.pick(&[10_000, 40_000, 400_000]);
        self.world.advance(ms);
        true
    }

    pub(super) fn set_wall_clock(&mut self, dice: &mut Random) -> bool {
        if !self.setup.sets_wall_clock {
            return false;
        }
        self.tally.add(Count::WallClockSet);
        let by_ms = dice.pick(&[-3_600_000, -5_000, 5_000, 3_600_000]);
        self.world.set_wall_clock(by_ms);
        true
    }

    /// Everything that is under way arrives, but at clients that do not read;
    /// the rules take their time.
    pub(crate) fn come_to_rest(&mut self) -> bool {
        self.settle(false);
        let undrained = self.world.busy();
        self.tally.add(Count::Rest);
        self.emit(What::Rest {
            is_calm: false,
            undrained,
        });
        true
    }

    /// Everything arrives, every client reads, and the rules answer.
    pub(crate) fn come_to_calm(&mut self) -> bool {
        for client in &mut self.clients {
            if let Some(connection) = &mut client.connection {
                connection.is_stalled = false;
            }
        }
        for worker in 0..usize::from(self.setup.workers) {
            self.world.set_room(worker, true);
        }
        self.settle(true);
        let undrained = self.world.busy();
        self.tally.add(Count::Rest);
        let is_calm = self.world.is_calm() && undrained.is_empty();
        self.emit(What::Rest { is_calm, undrained });
        true
    }

    fn settle(&mut self, rules_answer: bool) {
        for _ in 0..MOST_ROUNDS {
            let mut moved = self.move_sockets();
            moved |= self.world.carry_all();
            if rules_answer {
                moved |= self.answer_all();
            }
            if !moved {
                return;
            }
        }
    }

    fn move_sockets(&mut self) -> bool {
        let mut moved = false;
        for no in self.world.busy() {
            if self.world.socket(no).has_unsent() {
                self.world.feed(no, usize::MAX);
                moved = true;
            }
            if !self.is_stalled(no) {
                moved |= self.drain(no, usize::MAX);
            }
        }
        moved
    }
}

/// How many bytes move: some, or all.
pub(crate) fn amount(dice: &mut Random) -> usize {
    match dice.below(3) {
        0 => dice.between(1, 8) as usize,
        1 => dice.between(8, 100) as usize,
        _ => usize::MAX,
    }
}
