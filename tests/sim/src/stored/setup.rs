//! What a run is made of, drawn from its seed, and what is done in it.

use std::collections::BTreeMap;
use std::rc::Rc;

use hookwire_mqtt::ProtocolVersion;

use crate::plan::{ClientSetup, Overflow, Setup};
use crate::policy::Asks;
use crate::random::Random;
use crate::world::Order;

/// See the module.
#[derive(Debug, Clone)]
pub struct StoredSetup {
    /// The core's part.
    pub core: Setup,
    /// How the store knows what comes behind what.
    pub order: Order,
    /// Clients that read; those behind them publish.
    pub readers: usize,
    /// What a business server subscribes readers to.
    pub proxies: BTreeMap<usize, Rc<str>>,
    /// How often each kind of work is done.
    weights: [u32; Kind::ALL.len()],
    /// How many calls fail, of a thousand.
    pub failing_permille: u32,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Its place, from 0; messages that it makes have this number.
    pub number: u32,
    /// What is done.
    pub kind: Kind,
    /// Decides all the rest.
    pub dice: u64,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $weight:literal,)*) => {
        /// The kinds of work.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[doc = $doc])* $kind,)* }

        impl Kind {
            const ALL: &'static [Self] = &[$(Self::$kind,)*];
            const WEIGHTS: &'static [u32] = &[$($weight,)*];
        }
    };
}

kinds! {
    /// A client that is away connects, or one that is there connects anew.
    Connect = 60,
    /// A connection is lost.
    Drop = 14,
    /// A reader subscribes.
    Subscribe = 24,
    /// A reader unsubscribes.
    Unsubscribe = 3,
    /// A publisher publishes.
    Publish = 260,
    /// A client acknowledges one packet.
    Acknowledge = 220,
    /// A client acknowledges everything.
    AcknowledgeAll = 40,
    /// A client reads some bytes, or all.
    Read = 160,
    /// The broker reads some bytes, or all.
    Write = 160,
    /// Mail travels from one worker to another.
    Mail = 120,
    /// A call arrives at the store.
    Call = 420,
    /// Time passes.
    Wait = 30,
    /// Everything comes to rest.
    Calm = 6,
    /// The broker ends without a word, and starts again.
    Crash = 3,
}

const TOPICS: &[&str] = &["s/a", "s/b", "s/a/b", "u/a"];
const FILTERS: &[&str] = &["s/a", "s/#", "s/+", "s/+/b", "#", "s/b"];

impl StoredSetup {
    /// Draws everything from the seed.
    #[must_use]
    pub fn new(seed: u64, order: Order) -> Self {
        let mut dice = Random::new(seed ^ 0x7374_6F72_6564);
        let dice = &mut dice;
        let readers = dice.between(1, 3) as usize;
        let publishers = dice.between(1, 3) as usize;
        let clients = (0..readers + publishers).map(|number| ClientSetup {
            id: format!("{}{number}", if number < readers { "r" } else { "p" }).into(),
            version: dice.pick(&[ProtocolVersion::V5, ProtocolVersion::V311]),
        });
        let clients = clients.collect();
        let mut core = Setup::new(seed);
        core.workers = dice.between(1, 3) as u16;
        core.clients = clients;
        core.rules_filter = "s/#".into();
        core.acked_filter = None;
        core.authentication_method = None;
        core.checks_passwords = false;
        core.asks = Asks::default();
        core.topics = TOPICS.iter().map(|topic| Rc::from(*topic)).collect();
        core.filters = FILTERS.iter().map(|filter| Rc::from(*filter)).collect();
        core.prompt_percent = dice.pick(&[0, 50, 95]);
        core.max_qos = dice.pick(&[1, 2, 2]);
        core.sets_wall_clock = false;
        core.bounds.max_packet_bytes = 100_000;
        core.bounds.receive_maximum = dice.pick(&[1, 3, 10, 100]);
        core.bounds.max_inflight = dice.pick(&[1, 2, 5, 20]);
        core.bounds.max_queued_messages = dice.pick(&[1, 5, 50, 10_000]);
        core.bounds.max_queued_bytes = 10_000_000;
        core.bounds.max_output_bytes = dice.pick(&[100, 2_000, 100_000]);
        core.bounds.overflow = dice.pick(&[Overflow::DropNewest, Overflow::DropOldest]);
        core.bounds.max_session_expiry_s = u32::MAX;
        core.bounds.max_keep_alive_s = 0;
        let mut weights = [0; Kind::ALL.len()];
        for (weight, usual) in weights.iter_mut().zip(Kind::WEIGHTS) {
            *weight = usual * dice.pick(&[5, 10, 10, 30]);
        }
        let failing_permille = dice.pick(&[0, 5, 50, 200]);
        let mut proxies = BTreeMap::new();
        for reader in 0..readers {
            let filter = dice.pick(FILTERS);
            if dice.percent(40) {
                proxies.insert(reader, Rc::from(filter));
            }
        }
        Self {
            core,
            order,
            readers,
            proxies,
            weights,
            failing_permille,
        }
    }

    /// The first so many steps.
    #[must_use]
    pub fn work(&self, steps: u64) -> Vec<Work> {
        let mut random = Random::new(self.core.seed ^ 0x776F_726B);
        // Fewer than 2^32 steps are made by anyone.
        let numbers = 0..u32::try_from(steps).unwrap_or(u32::MAX);
        let draw = |number| Work {
            number,
            kind: Kind::ALL[random.weighted(&self.weights)],
            dice: random.next_bits(),
        };
        numbers.map(draw).collect()
    }
}
