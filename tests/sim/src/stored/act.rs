//! What each kind of work does, and the end of a run.

use std::rc::Rc;

use hookwire_mqtt::{QoS, ReasonCode, RetainHandling};

use super::Run;
use super::setup::{Kind, Work};
use crate::act::amount;
use crate::history::{Side, What};
use crate::packet::{Connect, Entry, Packet, Publish};
use crate::random::Random;
use crate::stamp::{Decision, Stamp};
use crate::wire;
use crate::world::Fate;

/// Rounds, each long enough for what is tried again, after which nothing comes.
const QUIET_ROUNDS: u32 = 3;
/// Rounds in which everything comes to rest, at most.
const MOST_ROUNDS: usize = 10_000;

impl Run<'_> {
    pub(super) fn step(&mut self, work: Work) {
        self.world.advance(self.setup.core.operation_ms);
        let dice = &mut Random::new(work.dice);
        let readers = self.setup.readers;
        let client = dice.below(self.clients.len());
        let reader = dice.below(readers);
        let publisher = readers + dice.below(self.clients.len() - readers);
        match work.kind {
            Kind::Connect => self.connect(client, dice),
            Kind::Drop => self.drop_connection(client, dice),
            Kind::Subscribe => self.subscribe(reader, dice),
            Kind::Unsubscribe => self.unsubscribe(reader, dice),
            Kind::Publish => self.publish(publisher, work.number, dice),
            Kind::Acknowledge => self.acknowledge(client, dice),
            Kind::AcknowledgeAll => {
                self.acknowledge_all(client);
                self.flush_by_chance(client, dice);
            }
            Kind::Read => {
                if let Some(no) = self.connection_no(client) {
                    self.drain(no, amount(dice));
                }
            }
            Kind::Write => {
                if let Some(no) = self.connection_no(client) {
                    self.world.feed(no, amount(dice));
                }
            }
            Kind::Mail => {
                let workers = usize::from(self.setup.core.workers);
                self.world.carry(dice.below(workers), dice.below(workers));
            }
            Kind::Call => self.call(dice),
            Kind::Wait => self.world.pass(dice.pick(&[50, 400, 1_100])),
            Kind::Calm => self.come_to_calm(dice),
            Kind::Crash => self.crash(dice),
        }
    }

    fn connect(&mut self, client: usize, dice: &mut Random) {
        let is_there = self.clients[client].connection.is_some();
        if is_there && !dice.percent(10) {
            return;
        }
        if let Some(no) = self.connection_no(client) {
            // It changed networks: the broker hears of it by the next CONNECT.
            self.clients[client].connection = None;
            self.check.disconnected(client);
            self.world.feed(no, usize::MAX);
            self.world.socket(no).abandon();
        }
        let starts_clean = client < self.setup.readers && dice.percent(2);
        self.open(client, starts_clean);
        self.flush_by_chance(client, dice);
    }

    /// Opens a connection of a session that lasts.
    fn open(&mut self, client: usize, starts_clean: bool) {
        let version = self.clients[client].version;
        let id = Rc::clone(&self.clients[client].id);
        let mut connect = Connect::new(version, &id);
        // Before MQTT 5 a clean session does not last.
        connect.clean_start = starts_clean && version.is_v5();
        connect.session_expiry_s = u32::MAX;
        let no = self.world.open();
        wire::encode_connect(&connect, self.world.socket(no).wire());
        self.owners.push(client);
        self.note(What::Opened {
            connection: no,
            connect: connect.clone(),
        });
        self.check.connecting(client, connect.clean_start);
        self.clients[client].opened(no, connect);
    }

    fn drop_connection(&mut self, client: usize, dice: &mut Random) {
        let Some(no) = self.connection_no(client) else {
            return;
        };
        if dice.percent(50) {
            self.world.feed(no, usize::MAX);
        }
        if dice.percent(50) {
            self.drain(no, usize::MAX);
        }
        if self.connection_no(client) != Some(no) {
            return;
        }
        self.world.close(no);
        self.clients[client].lost();
        self.check.disconnected(client);
        self.note(What::Closed {
            connection: no,
            by: Side::Client,
        });
    }

    fn subscribe(&mut self, reader: usize, dice: &mut Random) {
        if self.clients[reader].usable().is_none() {
            return;
        }
        let filter = dice.pick(&self.setup.core.filters);
        let qos = dice.pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce]);
        let entry = Entry {
            retain_handling: RetainHandling::DoNotSend,
            ..Entry::new(&filter, qos)
        };
        let id = self.clients[reader].free_id();
        self.clients[reader].asks(id);
        let subscribe = Packet::Subscribe {
            id,
            identifier: None,
            entries: vec![entry],
        };
        self.send(reader, subscribe);
        self.flush_by_chance(reader, dice);
    }

    fn unsubscribe(&mut self, reader: usize, dice: &mut Random) {
        if self.clients[reader].usable().is_none() {
            return;
        }
        let filters = vec![dice.pick(&self.setup.core.filters)];
        let id = self.clients[reader].free_id();
        self.clients[reader].asks(id);
        self.send(reader, Packet::Unsubscribe { id, filters });
        self.flush_by_chance(reader, dice);
    }

    fn publish(&mut self, publisher: usize, number: u32, dice: &mut Random) {
        if self.clients[publisher].usable().is_none() || self.clients[publisher].quota() == 0 {
            return;
        }
        let topic = dice.pick(&self.setup.core.topics);
        let most = QoS::try_from(self.setup.core.max_qos).unwrap_or(QoS::ExactlyOnce);
        let qos = dice.pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce]).min(most);
        let stamp = Stamp {
            message: number,
            // A handful of clients.
            publisher: publisher as u16,
            sequence: self.clients[publisher].next_sequence(&topic),
            decision: Decision::Proceed,
            is_replacement: false,
        };
        let id = self.clients[publisher].free_id();
        let publish = Publish::new(
            &topic,
            qos,
            id,
            &stamp.payload(dice.between(12, 40) as usize),
        );
        self.figures.published += 1;
        self.clients[publisher].publishes(publish.clone());
        self.send(publisher, Packet::Publish(publish));
        self.flush_by_chance(publisher, dice);
    }

    fn acknowledge(&mut self, client: usize, dice: &mut Random) {
        let is_orderly = dice.percent(70);
        let place = dice.below(1_000);
        let known = &mut self.clients[client];
        let ack = match is_orderly {
            true => known.next_ack(place % 4),
            false => known.any_ack(|due| place % due.max(1)),
        };
        if let Some(ack) = ack {
            self.send(client, Packet::Ack(ack));
            self.flush_by_chance(client, dice);
        }
    }

    fn acknowledge_all(&mut self, client: usize) -> bool {
        let mut did = false;
        while let Some(ack) = self.clients[client].next_ack(0) {
            self.send(client, Packet::Ack(ack));
            did = true;
        }
        did
    }

    fn call(&mut self, dice: &mut Random) {
        let (ready, _) = self.world.calls();
        if ready == 0 {
            return;
        }
        let fails = dice.below(1_000) < self.setup.failing_permille as usize;
        let fate = if fails {
            dice.pick(&[Fate::Fails, Fate::FailsForGood, Fate::TimesOut])
        } else {
            Fate::Done
        };
        self.call_arrives(dice.below(ready), fate, dice);
    }

    fn call_arrives(&mut self, index: usize, fate: Fate, dice: &mut Random) -> bool {
        let (check, figures) = (&mut self.check, &mut self.figures);
        let did = self.world.call_arrives(index, fate, dice, |arrived| {
            figures.stored += u64::from(arrived.is_stored);
            check.arrived(arrived);
        });
        let Some(text) = did else {
            return false;
        };
        match fate {
            Fate::Done => {}
            Fate::TimesOut => self.figures.timed_out += 1,
            _ => self.figures.failed += 1,
        }
        self.say(text);
        true
    }

    fn crash(&mut self, dice: &mut Random) {
        let (_, publishes) = self.world.calls();
        self.figures.crashes += 1;
        self.figures.in_flight += publishes as u64;
        self.say("the broker ends, and starts again".to_owned());
        let setup = self.setup;
        for committed in self.world.crash(&setup.core, self.fault, dice) {
            self.figures.stored += 1;
            self.check.stored(committed);
        }
        self.check.crashed();
        for client in 0..self.clients.len() {
            if let Some(no) = self.connection_no(client) {
                self.look(no);
            }
        }
    }

    /// Everything that is under way arrives, and is done.
    fn come_to_calm(&mut self, dice: &mut Random) {
        for _ in 0..MOST_ROUNDS {
            let mut moved = false;
            for no in self.world.busy() {
                if self.world.socket(no).has_unsent() {
                    self.world.feed(no, usize::MAX);
                    moved = true;
                }
                moved |= self.drain(no, usize::MAX);
            }
            moved |= self.world.carry_all();
            moved |= self.call_arrives(0, Fate::Done, dice);
            if !moved {
                break;
            }
        }
        self.check.calm();
        self.say("all is calm".to_owned());
    }

    /// Everybody comes back, takes what waits for it and acknowledges it, until
    /// nothing more comes; then the promise has to be kept.
    pub(super) fn finish(&mut self) {
        let dice = &mut Random::new(self.setup.core.seed);
        let mut quiet_rounds = 0;
        for _ in 0..MOST_ROUNDS {
            if self.check.is_broken() {
                return;
            }
            for client in 0..self.clients.len() {
                if self.clients[client].connection.is_none() {
                    self.open(client, false);
                }
            }
            // Pages that could not be had are asked for again.
            self.world.pass(1_100);
            self.come_to_calm(dice);
            let mut did = false;
            for client in 0..self.clients.len() {
                did |= self.acknowledge_all(client);
            }
            let mut all = self.clients.iter();
            let is_quiet = !did && all.all(|client| client.connection.is_some());
            quiet_rounds = if is_quiet { quiet_rounds + 1 } else { 0 };
            if quiet_rounds == QUIET_ROUNDS {
                break;
            }
        }
        self.check.finish();
        self.figures.add_check(&self.check);
        for client in 0..self.clients.len() {
            let reason = ReasonCode::Success;
            self.send(
                client,
                Packet::Disconnect {
                    reason,
                    session_expiry_s: None,
                },
            );
        }
    }
}
