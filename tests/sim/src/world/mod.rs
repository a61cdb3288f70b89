//! The shards, and everything around them that is not the broker: sockets that
//! take and give some bytes at a time, mail that travels when it is told to,
//! rules that answer when they are told to, and the clock.
//!
//! All knowledge of the core's interface is in this folder. Nothing here knows
//! what the bytes mean.

mod calls;
mod hooks;
mod rules;
mod setup;
mod socket;
mod store;
mod stored;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use hookwire_broker::{
    ConnectionKey, Counters, Flow, Holdings, Mail, Now, Origin, RetainedMessages, RouteTable,
    Shard, WorkerId, worker_of,
};
use hookwire_mqtt::{Connect, decode, decode_connect};

pub use hookwire_broker::Fault;

use crate::history::ConnectionNo;
use hooks::{Answers, Desk, ScriptedHooks};
pub use rules::Told;
pub use socket::Socket;
pub use store::Order;
use stored::Storing;
pub use stored::{Arrived, Fate};

/// A broker without a network.
#[derive(Debug)]
pub struct World {
    shards: Vec<Shard<ScriptedHooks>>,
    desk: Rc<RefCell<Desk>>,
    answers: Vec<Rc<RefCell<Answers>>>,
    routes: Arc<RouteTable>,
    retained: Arc<RetainedMessages>,
    sockets: Vec<Socket>,
    /// By worker, then by the index of the connection's key.
    by_key: Vec<Vec<ConnectionNo>>,
    /// Sockets for which the broker may have something to write, or that it closes.
    dirty: BTreeSet<ConnectionNo>,
    /// Sockets that are not over, or whose client does not know it.
    active: BTreeSet<ConnectionNo>,
    /// Sockets whose bytes wait until the broker can take them.
    waiting: BTreeSet<ConnectionNo>,
    /// Mail under way, by sender, then by receiver.
    links: Vec<Vec<VecDeque<Vec<Mail>>>>,
    max_packet_bytes: usize,
    tick_ms: u64,
    ticked_ms: u64,
    now: Now,
    assigned: u32,
}

/// How long a closing connection waits for a client that does not read.
const LINGER_MS: u64 = 1_000;

impl World {
    /// Virtual time, in milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now.mono_ms
    }

    /// Opens a connection; counts from 0.
    pub fn open(&mut self) -> ConnectionNo {
        self.sockets.push(Socket::default());
        let no = self.sockets.len() - 1;
        self.active.insert(no);
        no
    }

    /// Connections where something waits to be sent, read, or noticed.
    #[must_use]
    pub fn busy(&mut self) -> Vec<ConnectionNo> {
        let sockets = &self.sockets;
        self.active
            .retain(|&no| !sockets[no].is_over() || sockets[no].is_untold());
        let waits = |no: &ConnectionNo| {
            let socket = &sockets[*no];
            socket.has_unsent()
                || socket.is_untold()
                || self.dirty.contains(no)
                || self.waiting.contains(no)
        };
        self.active.iter().copied().filter(waits).collect()
    }

    /// The client's end of a connection.
    pub fn socket(&mut self, no: ConnectionNo) -> &mut Socket {
        &mut self.sockets[no]
    }

    /// The broker reads so many bytes more.
    pub fn feed(&mut self, no: ConnectionNo, bytes: usize) {
        self.sockets[no].feed(bytes);
        self.read(no);
    }

    /// The client reads so many bytes more; true if it got any, or the end.
    pub fn drain(&mut self, no: ConnectionNo, bytes: usize) -> bool {
        let Some((worker, key)) = self.sockets[no].place() else {
            return false;
        };
        let shard = &mut self.shards[worker];
        let mut moved = false;
        if let Some(output) = shard.output(key) {
            moved = self.sockets[no].take(output, bytes);
        }
        if moved {
            shard.written(self.now, key);
        }
        let is_written = shard.output(key).is_none_or(|output| output.is_empty());
        if shard.is_closing(key) && is_written {
            self.end(no);
            moved = true;
        } else if is_written {
            self.dirty.remove(&no);
        }
        self.pump(worker);
        moved
    }

    /// The broker is done with the connection.
    fn end(&mut self, no: ConnectionNo) {
        if let Some((worker, key)) = self.sockets[no].place() {
            self.shards[worker].socket_closed(self.now, key);
        }
        self.sockets[no].end();
        self.dirty.remove(&no);
        self.waiting.remove(&no);
    }

    /// The client, or the network, ends the connection.
    pub fn close(&mut self, no: ConnectionNo) {
        let worker = self.sockets[no].place().map(|(worker, _)| worker);
        self.end(no);
        self.sockets[no].tell();
        if let Some(worker) = worker {
            self.pump(worker);
        }
    }

    /// Hands over what the broker has read, packet by packet.
    fn read(&mut self, no: ConnectionNo) {
        if !self.sockets[no].is_read() {
            return;
        }
        let Some((worker, key)) = self.greeted(no) else {
            return;
        };
        let socket = &mut self.sockets[no];
        let shard = &mut self.shards[worker];
        loop {
            let bytes = socket.unread();
            let flow = match decode(bytes, socket.version, self.max_packet_bytes) {
                Ok(None) => break,
                Ok(Some((packet, used))) => match shard.packet(self.now, key, packet) {
                    Flow::Later => {
                        self.waiting.insert(no);
                        break;
                    }
                    flow => {
                        socket.took(used);
                        flow
                    }
                },
                Err(error) => {
                    shard.malformed(self.now, key, &error);
                    Flow::Close
                }
            };
            if flow == Flow::Close {
                socket.stop_reading();
                break;
            }
        }
        self.pump(worker);
    }

    /// The place of a connection, once its CONNECT was read and may be served.
    fn greeted(&mut self, no: ConnectionNo) -> Option<(usize, ConnectionKey)> {
        if let Some(place) = self.sockets[no].place() {
            return Some(place);
        }
        let (mut connect, used) = match decode_connect(self.sockets[no].unread(), 65_536) {
            Ok(connect) => connect?,
            Err(_) => {
                self.end(no);
                return None;
            }
        };
        let is_assigned = assign(&mut connect, self.assigned);
        let worker = worker_of(&connect.client_id, self.shards.len());
        if !self.shards[worker].may_connect(&connect.client_id) {
            self.waiting.insert(no);
            return None;
        }
        self.assigned += u32::from(is_assigned);
        let version = connect.version;
        let origin = Origin {
            id_was_assigned: is_assigned,
            ..Origin::default()
        };
        let key = self.shards[worker].connect(self.now, connect, origin);
        self.sockets[no].greet(worker, key, version, used);
        let by_key = &mut self.by_key[worker];
        if by_key.len() <= key.index() {
            by_key.resize(key.index() + 1, usize::MAX);
        }
        by_key[key.index()] = no;
        Some((worker, key))
    }

    /// Collects what a shard has to say after it was stepped.
    fn pump(&mut self, worker: usize) {
        let mut keys = Vec::new();
        while self.shards[worker].has_work() {
            let shard = &mut self.shards[worker];
            shard.take_dirty(&mut keys);
            for key in keys.drain(..) {
                self.dirty
                    .extend(known(&self.sockets, &self.by_key, worker, key));
            }
            for to in 0..self.links.len() {
                // Fewer than 65,536 workers.
                let mail = shard.take_mail(to as WorkerId);
                if !mail.is_empty() {
                    self.links[worker][to].push_back(mail);
                }
            }
            shard.take_resumed(&mut keys);
            let resumed: Vec<ConnectionNo> = keys
                .drain(..)
                .filter_map(|key| known(&self.sockets, &self.by_key, worker, key))
                .collect();
            for no in resumed {
                self.waiting.remove(&no);
                self.read(no);
            }
        }
        self.shards[worker].take_pressing();
    }

    /// Carries a batch of mail from one worker to another, if one is under way.
    pub fn carry(&mut self, from: usize, to: usize) -> bool {
        let Some(mail) = self.links[from][to].pop_front() else {
            return false;
        };
        self.shards[to].receive(self.now, from as WorkerId, mail);
        self.pump(to);
        true
    }

    /// Carries all mail between workers that is under way, and what follows from it;
    /// whether there was any.
    pub fn carry_all(&mut self) -> bool {
        let mut moved = false;
        for from in 0..self.shards.len() {
            for to in 0..self.shards.len() {
                while self.carry(from, to) {
                    moved = true;
                }
            }
        }
        moved
    }

    /// Time passes in steps that leave the shards no deadline to oversleep.
    pub fn pass(&mut self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let step = left.min(self.tick_ms);
            self.advance(step);
            left -= step;
        }
    }

    /// Time passes; shards are told at least as often as they ask for.
    pub fn advance(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
        if self.now.mono_ms - self.ticked_ms < self.tick_ms {
            return;
        }
        self.ticked_ms = self.now.mono_ms;
        for worker in 0..self.shards.len() {
            self.shards[worker].tick(self.now);
            self.pump(worker);
        }
        self.end_lingering();
    }

    /// Closing connections do not wait for ever for a client that does not read.
    fn end_lingering(&mut self) {
        for no in self.dirty.clone() {
            let Some((worker, key)) = self.sockets[no].place() else {
                continue;
            };
            if self.shards[worker].is_closing(key)
                && self.sockets[no].lingers(self.now.mono_ms) > LINGER_MS
            {
                self.end(no);
                self.pump(worker);
            }
        }
    }

    /// Somebody sets the wall clock.
    pub fn set_wall_clock(&mut self, by_ms: i64) {
        self.now.wall_ms = self.now.wall_ms.saturating_add_signed(by_ms);
    }

    /// Whether nothing is under way: no mail, no answer of the rules, no bytes
    /// that the broker has not taken.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        let no_mail = self.links.iter().flatten().all(VecDeque::is_empty);
        let desk = self.desk.borrow();
        let is_stored = desk.storing.as_ref().is_none_or(Storing::is_calm);
        drop(desk);
        no_mail
            && is_stored
            && self.unanswered() == (0, 0)
            && !self.lacks_room()
            && self.waiting.is_empty()
    }

    /// Whether there is mail under way from one worker to another.
    #[must_use]
    pub fn has_mail(&self, from: usize, to: usize) -> bool {
        !self.links[from][to].is_empty()
    }

    /// What is left in the shards, in words; empty when nothing is.
    #[must_use]
    pub fn leaks(&self) -> Vec<String> {
        let mut holdings = Holdings::default();
        for shard in &self.shards {
            holdings.add(&shard.holdings());
        }
        let mut leaks = Vec::new();
        if holdings != Holdings::default() {
            leaks.push(format!("{holdings:?}"));
        }
        let unreleased: usize = self.shards.iter().map(Shard::unreleased).sum();
        for (what, left) in [
            ("publishes not released", unreleased),
            ("routes", self.routes.len()),
            ("retained messages", self.retained.len()),
            ("bytes of retained messages", self.retained.bytes()),
        ] {
            if left > 0 {
                leaks.push(format!("{left} {what}"));
            }
        }
        leaks
    }

    /// What the shards counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        for shard in &self.shards {
            counters.add(shard.counters());
        }
        counters
    }
}

/// The socket of a key, unless the key is of an earlier connection.
fn known(
    sockets: &[Socket],
    by_key: &[Vec<ConnectionNo>],
    worker: usize,
    key: ConnectionKey,
) -> Option<ConnectionNo> {
    let no = by_key[worker].get(key.index()).copied()?;
    let socket = sockets.get(no)?;
    (socket.place() == Some((worker, key))).then_some(no)
}

/// As the listener does it: who may leave the id empty is given one.
fn assign(connect: &mut Connect, assigned: u32) -> bool {
    let may = connect.version.is_v5() || connect.clean_start;
    if connect.client_id.is_empty() && may {
        connect.client_id = format!("auto-{assigned}");
        return true;
    }
    false
}
