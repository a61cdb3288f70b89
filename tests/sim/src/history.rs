//! What happened, as the outside of the broker sees it: connections opened and
//! closed, packets sent and received, the answers of the rules, and time.

use std::fmt;

use crate::packet::{Connect, Packet};

/// Number of a connection, from 0, in the order opened.
pub type ConnectionNo = usize;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Virtual time, in milliseconds; never goes back.
    pub at_ms: u64,
    /// What it was.
    pub what: What,
}

/// The kinds of things that happen.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A client opened a connection and sent CONNECT.
    Opened {
        /// Counts from 0.
        connection: ConnectionNo,
        /// Its first packet.
        connect: Connect,
    },
    /// A client gave a packet to its socket. Whether the broker ever reads it is
    /// another matter.
    Sent {
        /// Where.
        connection: ConnectionNo,
        /// What.
        packet: Packet,
    },
    /// A client took a packet from its socket. The broker may have written it
    /// long ago.
    Received {
        /// Where.
        connection: ConnectionNo,
        /// What.
        packet: Packet,
        /// Bytes of it.
        bytes: usize,
    },
    /// The connection is gone; what was under way in it is lost.
    Closed {
        /// Which.
        connection: ConnectionNo,
        /// Who closed it.
        by: Side,
    },
    /// The rules answered for this message.
    Verdict {
        /// Number of the message, see [`crate::stamp::Stamp`].
        message: u32,
        /// What they said.
        outcome: Outcome,
    },
    /// The network came to rest: whatever was sent was read, and whatever was
    /// written was received, but on connections that are `undrained`.
    Rest {
        /// Nothing else is under way either: every rule answered, all mail
        /// between workers arrived, and `undrained` is empty.
        is_calm: bool,
        /// Connections whose client does not read.
        undrained: Vec<ConnectionNo>,
    },
}

/// Who closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client, or the network on its side.
    Client,
    /// The broker.
    Server,
}

/// What rules said about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on, or another in its place.
    Passes,
    /// It is dropped, but acknowledged as if it were not.
    Dropped,
    /// It is refused.
    Denied,
    /// It could not be stored.
    Failed,
    /// Its publisher is closed.
    Disconnects,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} ms  ", self.at_ms)?;
        match &self.what {
            What::Opened {
                connection,
                connect,
            } => write!(f, "#{connection} > {connect}"),
            What::Sent { connection, packet } => write!(f, "#{connection} > {packet}"),
            What::Received {
                connection, packet, ..
            } => write!(f, "#{connection} < {packet}"),
            What::Closed { connection, by } => write!(f, "#{connection} closed by {by:?}"),
            What::Verdict { message, outcome } => {
                write!(f, "rules answer for message {message}: {outcome:?}")
            }
            What::Rest { is_calm, .. } if *is_calm => f.write_str("all is calm"),
            What::Rest { undrained, .. } => write!(f, "the network rests, but {undrained:?}"),
        }
    }
}
