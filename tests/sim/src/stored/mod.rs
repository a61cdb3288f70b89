//! The core with rules that keep everything in a store, a broker that ends in the
//! middle of things, and a check of the promise: what is acknowledged is stored,
//! and what is stored reaches its reader, in order, and once, unless the paragraph
//! allows twice.
//!
//! Publishers number what they publish on each topic, and send again what was not
//! acknowledged; readers have sessions that last. The store is a few maps that
//! outlive the broker (`crate::world`); calls to it arrive out of order, fail, time
//! out when they are done, or are lost when the broker ends.

mod act;
mod check;
mod hunt;
mod known;
mod planted;
mod promise;
mod setup;

pub use hunt::{Figures, Findings, StoredFailure, campaign, hunt};
pub use planted::Planted;
pub use promise::{Breach, Promise};
pub use setup::{StoredSetup, Work};

use crate::client::Client;
use crate::history::{ConnectionNo, Event, Side, What};
use crate::packet::Packet;
use crate::random::Random;
use crate::run::Line;
use crate::wire;
use crate::world::World;
use check::Check;

/// What came of a run.
#[derive(Debug)]
pub struct StoredOutcome {
    /// The promises broken; empty when all were kept.
    pub breaches: Vec<Breach>,
    /// What was done.
    pub figures: Figures,
    /// Everything that happened, if it was asked for.
    pub log: Vec<Line>,
}

/// Carries these steps of a setup out, then brings everything to its end.
#[must_use]
pub fn run_stored(
    setup: &StoredSetup,
    work: &[Work],
    fault: Option<Planted>,
    keeps_log: bool,
) -> StoredOutcome {
    let mut run = Run::new(setup, fault, keeps_log);
    for work in work {
        run.step(*work);
        if run.check.is_broken() {
            break;
        }
    }
    run.finish();
    StoredOutcome {
        breaches: run.check.breaches,
        figures: run.figures,
        log: run.log.unwrap_or_default(),
    }
}

/// A run under way.
#[derive(Debug)]
struct Run<'s> {
    setup: &'s StoredSetup,
    fault: Option<Planted>,
    world: World,
    clients: Vec<Client>,
    /// By connection: the client that opened it.
    owners: Vec<usize>,
    check: Check,
    figures: Figures,
    log: Option<Vec<Line>>,
}

impl<'s> Run<'s> {
    fn new(setup: &'s StoredSetup, fault: Option<Planted>, keeps_log: bool) -> Self {
        let clients = setup.core.clients.iter().map(Client::new).collect();
        Self {
            setup,
            fault,
            world: World::with_store(setup, fault),
            clients,
            owners: Vec::new(),
            check: Check::new(setup.core.clients.len(), setup.proxies.clone()),
            figures: Figures::default(),
            log: keeps_log.then(Vec::new),
        }
    }

    fn note(&mut self, what: What) {
        if let Some(log) = &mut self.log {
            let at_ms = self.world.now_ms();
            log.push(Line::Event(Event { at_ms, what }));
        }
    }

    fn say(&mut self, text: String) {
        if let Some(log) = &mut self.log {
            log.push(Line::Text(text));
        }
    }

    fn connection_no(&self, client: usize) -> Option<ConnectionNo> {
        let connection = self.clients[client].connection.as_ref();
        connection.map(|connection| connection.no)
    }

    /// The client sends a packet: it is in the socket, and not yet read.
    fn send(&mut self, client: usize, packet: Packet) {
        let Some(no) = self.connection_no(client) else {
            return;
        };
        let version = self.clients[client].version;
        wire::encode(&packet, version, self.world.socket(no).wire());
        self.check.sent(client, &packet);
        self.note(What::Sent {
            connection: no,
            packet,
        });
    }

    /// What the client sent arrives, and it reads what there is, by chance.
    fn flush_by_chance(&mut self, client: usize, dice: &mut Random) {
        if dice.percent(self.setup.core.prompt_percent)
            && let Some(no) = self.connection_no(client)
        {
            self.world.feed(no, usize::MAX);
            self.drain(no, usize::MAX);
        }
    }

    /// The client reads so many bytes; true if it got any, or the end.
    fn drain(&mut self, no: ConnectionNo, bytes: usize) -> bool {
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
                self.check.received(client, &packet);
            }
            self.note(What::Received {
                connection: no,
                packet,
                bytes,
            });
        }
        if let Some(error) = error {
            return self.check.undecodable(client, &error);
        }
        for answer in answers {
            self.send(client, answer);
        }
        if self.world.socket(no).is_untold() {
            self.world.socket(no).tell();
            if self.connection_no(client) == Some(no) {
                self.clients[client].lost();
                self.check.disconnected(client);
            }
            self.note(What::Closed {
                connection: no,
                by: Side::Server,
            });
        }
    }
}
