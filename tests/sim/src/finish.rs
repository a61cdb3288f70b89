//! The end of every run: whoever has a session comes back and takes what waits
//! for it, then everybody goes, every session ends, and nothing may be left.

use std::rc::Rc;

use hookwire_mqtt::{ProtocolVersion, QoS, ReasonCode};

use crate::packet::{Connect, Packet, Publish};
use crate::plan::ClientSetup;
use crate::run::Simulation;

/// Rounds in which clients take and acknowledge what waits for them, at most:
/// a window of one makes one round a message.
const MOST_ROUNDS: usize = 20_000;
/// Longer than any delay of a run, and any keep-alive.
const DELAYS_MS: u64 = 60_000;

impl Simulation<'_> {
    pub(crate) fn finish(&mut self) {
        self.come_to_calm();
        let steps: [fn(&mut Self); 6] = [
            Self::come_back,
            Self::take_everything,
            Self::wait_for_delays,
            Self::say_goodbye,
            Self::clear_retained,
            Self::leave,
        ];
        for step in steps {
            if self.is_over() {
                return;
            }
            step(self);
        }
        if !self.is_over() {
            for leak in self.world.leaks() {
                self.model.leak(leak);
            }
        }
    }

    /// Every client that may have a session resumes it.
    fn come_back(&mut self) {
        for client in 0..self.clients.len() {
            let state = &self.clients[client];
            if state.connection.is_some() || state.id.is_empty() {
                continue;
            }
            let mut connect = Connect::new(state.version, &state.id);
            connect.clean_start = false;
            connect.session_expiry_s = u32::MAX;
            self.open(client, connect);
        }
        self.come_to_calm();
    }

    /// Clients read and acknowledge until nothing more comes.
    fn take_everything(&mut self) {
        for _ in 0..MOST_ROUNDS {
            self.come_to_calm();
            if self.is_over() {
                return;
            }
            let mut did = false;
            for client in 0..self.clients.len() {
                did |= self.acknowledge_all(client);
            }
            if !did {
                return;
            }
        }
    }

    /// Wills and delayed messages come out, while clients show that they live.
    fn wait_for_delays(&mut self) {
        let mut left = DELAYS_MS;
        while left > 0 && !self.is_over() {
            for client in 0..self.clients.len() {
                if self.clients[client].usable().is_some() {
                    self.send(client, Packet::PingReq);
                    self.flush(client);
                }
            }
            self.world.pass(500);
            left -= 500;
            if left.is_multiple_of(5_000) {
                self.take_everything();
            }
        }
    }

    /// A client of its own clears what is retained.
    fn clear_retained(&mut self) {
        let sweeper = self.clients.len();
        self.clients.push(crate::client::Client::new(&ClientSetup {
            id: "sweeper".into(),
            version: ProtocolVersion::V5,
        }));
        self.open(sweeper, Connect::new(ProtocolVersion::V5, "sweeper"));
        self.come_to_calm();
        let topics: Vec<Rc<str>> = self.setup.topics.clone();
        for topic in topics {
            for topic in [Rc::clone(&topic), format!("{topic}/replaced").into()] {
                let id = self.clients[sweeper].free_id();
                let publish = Publish {
                    retain: true,
                    ..Publish::new(&topic, QoS::AtLeastOnce, id, &[])
                };
                self.clients[sweeper].publishes(publish.clone());
                self.send(sweeper, Packet::Publish(publish));
                self.come_to_calm();
            }
        }
        self.take_everything();
    }

    /// Everybody goes, and no session stays.
    fn leave(&mut self) {
        self.say_goodbye();
        for client in 0..self.clients.len() {
            let state = &self.clients[client];
            if !state.id.is_empty() {
                let connect = Connect::new(state.version, &state.id);
                self.open(client, connect);
            }
        }
        self.come_to_calm();
        self.say_goodbye();
        for _ in 0..4 {
            self.world.pass(1_000);
            self.world.advance(1_000_000);
            self.come_to_calm();
        }
    }

    fn say_goodbye(&mut self) {
        for client in 0..self.clients.len() {
            if self.clients[client].usable().is_some() {
                self.send(
                    client,
                    Packet::Disconnect {
                        reason: ReasonCode::Success,
                        session_expiry_s: None,
                    },
                );
            }
        }
        self.come_to_calm();
    }
}
