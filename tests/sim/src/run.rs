//! One run: a plan carried out, step by step, under the eyes of the model.

use std::fmt;

use crate::client::Client;
use crate::history::{ConnectionNo, Event, Side, What};
use crate::model::{Model, Violation};
use crate::packet::Packet;
use crate::plan::{Operation, Setup, operations};
use crate::random::Random;
use crate::tally::{Count, Tally};
use crate::wire;
use crate::world::{Fault, World};

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The first rules broken; empty when all held.
    pub violations: Vec<Violation>,
    /// Operations that found something to do.
    pub steps: u64,
    /// Operations in all.
    pub drawn: usize,
    /// What was done, and what came of it.
    pub tally: Tally,
    /// Everything that happened, if it was asked for.
    pub log: Vec<Line>,
    /// What the shards counted, by name.
    pub counters: Vec<(&'static str, u64)>,
    /// A number that two equal histories have in common.
    pub fingerprint: u64,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// What was done.
    Operation(Operation),
    /// What happened.
    Event(Event),
    /// The same, where it is no event of the history.
    Text(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(operation) => {
                let Operation {
                    number,
                    kind,
                    client,
                    ..
                } = operation;
                write!(f, "operation {number}: {kind:?} {client}")
            }
            Self::Event(event) => event.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// How to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// A fault in the shards.
    pub fault: Option<Fault>,
    /// Whether to keep everything that happens.
    pub keeps_log: bool,
}

/// Draws operations and carries them out until so many have found something to
/// do, then brings everything to its end.
#[must_use]
pub fn run(setup: &Setup, steps: u64, options: Options) -> Outcome {
    // Where no operation ever finds anything to do, this ends all the same.
    let most = usize::try_from(steps.saturating_mul(MOST_DRAWS)).unwrap_or(usize::MAX);
    carry_out(setup, operations(setup).take(most), steps, options)
}

/// Carries these operations out, then brings everything to its end.
#[must_use]
pub fn replay(setup: &Setup, operations: &[Operation], options: Options) -> Outcome {
    carry_out(setup, operations.iter().copied(), u64::MAX, options)
}

/// Operations drawn for each one that is to find something to do, at most.
const MOST_DRAWS: u64 = 20;

fn carry_out(
    setup: &Setup,
    operations: impl Iterator<Item = Operation>,
    most: u64,
    options: Options,
) -> Outcome {
    let mut simulation = Simulation::new(setup, options);
    let (mut steps, mut drawn) = (0, 0);
    for operation in operations {
        drawn += 1;
        steps += u64::from(simulation.step(operation));
        if simulation.is_over() || steps >= most {
            break;
        }
    }
    if !simulation.is_over() {
        simulation.finish();
    }
    simulation.outcome(steps, drawn)
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Simulation<'s> {
    pub(crate) setup: &'s Setup,
    pub(crate) world: World,
    pub(crate) model: Model,
    pub(crate) clients: Vec<Client>,
    /// By connection: the client that opened it.
    pub(crate) owners: Vec<usize>,
    pub(crate) log: Option<Vec<Line>>,
    pub(crate) tally: Tally,
    fingerprint: u64,
}

impl<'s> Simulation<'s> {
    fn new(setup: &'s Setup, options: Options) -> Self {
        Self {
            setup,
            world: World::new(setup, options.fault),
            model: Model::new(setup.configuration()),
            clients: setup.clients.iter().map(Client::new).collect(),
            owners: Vec::new(),
            log: options.keeps_log.then(Vec::new),
            tally: Tally::default(),
            fingerprint: 0,
        }
    }

    /// Does one operation; whether there was anything to do.
    fn step(&mut self, operation: Operation) -> bool {
        if let Some(log) = &mut self.log {
            log.push(Line::Operation(operation));
        }
        self.world.advance(self.setup.operation_ms);
        let did = self.act(operation);
        if !did {
            self.tally.add(Count::Nothing);
        }
        did
    }

    pub(crate) fn is_over(&self) -> bool {
        !self.model.violations().is_empty()
    }

    fn outcome(mut self, steps: u64, drawn: usize) -> Outcome {
        self.tally.merge(self.model.tally());
        let counters = self.world.counters();
        for (count, more) in [
            (Count::ExpiredUndelivered, counters.deliveries_expired),
            (Count::QueueOverflow, counters.dropped_queue_full),
            (Count::TooLargeForClient, counters.deliveries_too_large),
            (Count::KeepAliveTimeout, counters.keep_alive_timeouts),
        ] {
            self.tally.add_many(count, more);
        }
        Outcome {
            violations: self.model.violations().to_vec(),
            steps,
            drawn,
            tally: self.tally,
            log: self.log.unwrap_or_default(),
            counters: counters.named().collect(),
            fingerprint: self.fingerprint,
        }
    }

    /// Something happened.
    pub(crate) fn emit(&mut self, what: What) {
        let event = Event {
            at_ms: self.world.now_ms(),
            what,
        };
        self.model.observe(&event);
        self.fingerprint = self.fingerprint.rotate_left(5).wrapping_add(event.at_ms) ^ mark(&event);
        if let Some(log) = &mut self.log {
            log.push(Line::Event(event));
        }
    }

    pub(crate) fn connection_no(&self, client: usize) -> Option<ConnectionNo> {
        let connection = self.clients[client].connection.as_ref();
        connection.map(|connection| connection.no)
    }

    /// The client sends a packet: it is in the socket, and not yet read.
    pub(crate) fn send(&mut self, client: usize, packet: Packet) {
        let Some(no) = self.connection_no(client) else {
            return;
        };
        let version = self.clients[client].version;
        wire::encode(&packet, version, self.world.socket(no).wire());
        self.emit(What::Sent {
            connection: no,
            packet,
        });
    }

    /// Mostly what a client sends arrives at once, and it reads what there is.
    pub(crate) fn flush_by_chance(&mut self, client: usize, dice: &mut Random) {
        if dice.percent(self.setup.prompt_percent) {
            self.flush(client);
        }
    }

    pub(crate) fn flush(&mut self, client: usize) {
        let Some(no) = self.connection_no(client) else {
            return;
        };
        self.world.feed(no, usize::MAX);
        if !self.is_stalled(no) {
            self.drain(no, usize::MAX);
        }
    }

    pub(crate) fn is_stalled(&self, no: ConnectionNo) -> bool {
        let connection = self.clients[self.owners[no]].connection.as_ref();
        connection.is_some_and(|connection| connection.no == no && connection.is_stalled)
    }

    /// The client of a connection reads so many bytes; true if it got any, or
    /// the end.
    pub(crate) fn drain(&mut self, no: ConnectionNo, bytes: usize) -> bool {
        let moved = self.world.drain(no, bytes);
        self.look(no);
        moved
    }

    /// The client looks at what it received.
    fn look(&mut self, no: ConnectionNo) {
        let client = self.owners[no];
        let version = self.clients[client].version;
        let mut answers = Vec::new();
        let inbox = self.world.socket(no).inbox();
        let (packets, error) = wire::take_from_server(inbox, version);
        for (packet, bytes) in packets {
            if self.connection_no(client) == Some(no) {
                answers.extend(self.clients[client].received(&packet));
            }
            self.emit(What::Received {
                connection: no,
                packet,
                bytes,
            });
        }
        if let Some(error) = error {
            return self.model.undecodable(no, &error);
        }
        for answer in answers {
            self.send(client, answer);
        }
        if self.world.socket(no).is_untold() {
            self.world.socket(no).tell();
            if self.connection_no(client) == Some(no) {
                self.clients[client].lost();
            }
            self.emit(What::Closed {
                connection: no,
                by: Side::Server,
            });
        }
    }
}

/// A number for each event, the same for equal ones.
fn mark(event: &Event) -> u64 {
    match &event.what {
        What::Opened { connection, .. } => 1 << 32 | *connection as u64,
        What::Sent { connection, .. } => 2 << 32 | *connection as u64,
        What::Received {
            connection,
            packet,
            bytes,
        } => {
            let kind = match packet {
                Packet::Publish(publish) => {
                    let stamp = crate::stamp::Stamp::read(&publish.payload);
                    u64::from(publish.id) << 8 ^ stamp.map_or(0, |stamp| u64::from(stamp.message))
                }
                _ => 0,
            };
            3 << 32 | (*connection as u64) << 8 | *bytes as u64 ^ kind << 33
        }
        What::Closed { connection, .. } => 4 << 32 | *connection as u64,
        What::Verdict { message, .. } => 5 << 32 | u64::from(*message),
        What::Rest { undrained, .. } => 6 << 32 | undrained.len() as u64,
    }
}
