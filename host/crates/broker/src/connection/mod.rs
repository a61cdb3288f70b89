//! One network connection of a client, as the core sees it: protocol state,
//! publishes that wait for their verdicts, and bytes that wait to be written.

mod connect;
mod inbound;
mod outbound;
mod pipeline;
mod subscribe;

use std::sync::Arc;

use hookwire_mqtt::{ProtocolVersion, ReasonCode, Will};

use crate::hooks::ClientInfo;
use crate::output::Output;
use crate::session::SessionKey;

pub(crate) use outbound::close_packet;
pub(crate) use pipeline::{Pending, Pipeline};

/// Names a connection of a shard; never reused while the shard lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ConnectionKey {
    /// A small number that no other connection of the shard has at this time.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client sent DISCONNECT.
    Normal,
    /// The client sent DISCONNECT and asked for its will to be published.
    NormalWithWill,
    /// The socket ended without DISCONNECT.
    SocketClosed,
    /// Nothing came within one and a half times the keep-alive [MQTT-3.1.2-22].
    KeepAlive,
    /// The client id connected again [MQTT-3.1.4-3].
    TakenOver,
    /// The client broke the protocol.
    ProtocolError,
    /// A rule refused the client.
    Refused,
    /// A message could not be stored, and the client cannot be told otherwise.
    NotStored,
    /// The broker stops.
    ServerStops,
}

impl CloseReason {
    /// The word that `client.disconnected` rules and logs see.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal | Self::NormalWithWill => "normal",
            Self::SocketClosed => "socket-closed",
            Self::KeepAlive => "keep-alive",
            Self::TakenOver => "taken-over",
            Self::ProtocolError => "protocol-error",
            Self::Refused => "refused",
            Self::NotStored => "not-stored",
            Self::ServerStops => "server-stops",
        }
    }

    /// Whether the client's will is dropped [MQTT-3.14.4-3].
    pub(crate) fn drops_will(self) -> bool {
        self == Self::Normal
    }
}

/// How far a connection is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Served.
    Live,
    /// No longer served: its session is gone, its output is still to be written.
    Closing,
    /// The socket is gone; only verdicts on its last publishes are awaited.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) generation: u32,
    pub(crate) stage: Stage,
    pub(crate) version: ProtocolVersion,
    pub(crate) client: Arc<ClientInfo>,
    pub(crate) session: Option<SessionKey>,
    /// 0: none.
    pub(crate) keep_alive_ms: u64,
    pub(crate) last_seen_ms: u64,
    /// Largest packet the client takes.
    pub(crate) maximum_packet_bytes: usize,
    pub(crate) wants_problem_information: bool,
    /// Whether CONNECT asked for a session that outlives the connection.
    pub(crate) asked_for_expiry: bool,
    pub(crate) will: Option<Will>,
    pub(crate) pipeline: Pipeline,
    /// Whether a QoS 1 publish failed and the client was closed to send it again.
    pub(crate) is_fail_stopped: bool,
    pub(crate) output: Output,
    /// Whether it is in the list of connections with something to write.
    pub(crate) dirty: bool,
    /// Whether it is not read for now.
    pub(crate) paused: bool,
    /// Whether it has a place in the list of paused connections.
    pub(crate) is_listed_paused: bool,
    /// The full link that its last publish fed.
    pub(crate) blocked_on: Option<crate::link::WorkerId>,
}

impl Connection {
    pub(crate) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Appends a packet that explains itself: without the text where the client
    /// wants none, or where it would make the packet larger than the client
    /// takes [MQTT-3.2.2-19] [MQTT-3.4.2-2] [MQTT-3.14.2-3].
    pub(crate) fn append_explained(
        &mut self,
        text: String,
        mut encode: impl FnMut(Option<String>, ProtocolVersion, &mut Vec<u8>),
    ) {
        let text = self.wants_problem_information.then_some(text);
        let out = self.output.tail();
        let before = out.len();
        encode(text, self.version, out);
        if out.len() - before > self.maximum_packet_bytes {
            out.truncate(before);
            encode(None, self.version, out);
        }
    }
}

/// What the client is told at the end, if its version has a packet for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Farewell {
    pub(crate) reason: ReasonCode,
    pub(crate) text: String,
}

impl Farewell {
    pub(crate) fn new(reason: ReasonCode, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
        }
    }
}
