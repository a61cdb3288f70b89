//! What is going to happen in a run, drawn from its seed before it begins.
//!
//! An operation carries its own dice: what exactly it does depends on them and
//! on the state that it finds, never on the operations before it. So any subset
//! of a run's operations makes a run, which is what shrinking needs.

mod setup;

pub use setup::{Bounds, ClientSetup, Overflow, Setup, Strategy};

use crate::random::Random;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its place in the plan, from 0; messages that it makes have this number.
    pub number: u32,
    /// What is done.
    pub kind: Kind,
    /// Which of the clients does it, where a client does and can.
    pub client: u8,
    /// Decides all the rest.
    pub dice: u64,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $weight:literal,)*) => {
        /// The kinds of operations.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[doc = $doc])* $kind,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];
            /// How often each is done, beside the others.
            pub const WEIGHTS: &'static [u32] = &[$($weight,)*];
        }
    };
}

kinds! {
    /// A client connects, or another connection of its id does.
    Connect = 40,
    /// The connection is lost.
    Drop = 12,
    /// The client says that it goes.
    Disconnect = 8,
    /// The client subscribes.
    Subscribe = 50,
    /// The client unsubscribes.
    Unsubscribe = 14,
    /// The client publishes.
    Publish = 300,
    /// The client acknowledges one delivery.
    Acknowledge = 160,
    /// The client acknowledges everything.
    AcknowledgeAll = 60,
    /// The client shows that it lives.
    Ping = 20,
    /// The client authenticates itself anew.
    Authenticate = 3,
    /// The client breaks the protocol.
    Breach = 2,
    /// The client reads nothing until it reads again.
    Stall = 8,
    /// The client reads some bytes, or all.
    Read = 120,
    /// The broker reads some bytes, or all.
    Write = 120,
    /// Mail travels from one worker to another.
    Mail = 80,
    /// The rules answer for one message.
    Answer = 100,
    /// The rules answer for all messages that wait.
    AnswerAll = 30,
    /// The lanes of a worker have no room, or have room again.
    Room = 6,
    /// Time passes.
    Wait = 40,
    /// Much time passes.
    Jump = 2,
    /// Somebody sets the wall clock.
    SetWallClock = 1,
    /// The network comes to rest.
    Rest = 30,
    /// Everything comes to rest.
    Calm = 12,
}

impl Kind {
    /// Whether it is a client that does it.
    #[must_use]
    pub fn is_of_client(self) -> bool {
        !matches!(
            self,
            Self::Mail
                | Self::Answer
                | Self::AnswerAll
                | Self::Room
                | Self::Wait
                | Self::Jump
                | Self::SetWallClock
                | Self::Rest
                | Self::Calm
        )
    }
}

/// Draws operations for a setup, one after the other and for ever.
pub fn operations(setup: &Setup) -> impl Iterator<Item = Operation> + '_ {
    let mut random = Random::new(setup.seed ^ 0x6F70_6572_6174_696F);
    (0..).map(move |number| Operation {
        number,
        kind: Kind::ALL[random.weighted(&setup.weights)],
        // At most as many clients as a byte counts.
        client: random.below(setup.clients.len()) as u8,
        dice: random.next_bits(),
    })
}
