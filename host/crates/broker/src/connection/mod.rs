//! One network connection of a client, as the core sees it: protocol state,
//! publishes that wait for their verdicts, and bytes that wait to be written.

mod access;
mod access_cache;
mod acknowledge;
mod aliases;
mod answers;
mod arrival;
mod authenticate;
mod connect;
mod deciding;
mod exchange;
mod fetching;
mod filters;
mod grant;
mod inbound;
mod kept;
mod outbound;
mod pipeline;
mod refuse;
mod retained;
mod sources;
mod subscribe;
mod waiting;
mod welcome;

use std::sync::Arc;

use hookwire_mqtt::{ProtocolVersion, ReasonCode, Will};

use crate::hooks::ClientInfo;
use crate::output::Output;
use crate::session::SessionKey;

pub(crate) use access::Inquiry;
pub(crate) use access_cache::AccessCache;
pub(crate) use acknowledge::Receipt;
pub(crate) use aliases::{AliasesIn, AliasesOut, TopicForm};
pub(crate) use arrival::Arrival;
pub(crate) use authenticate::EnhancedAuthentication;
pub use connect::Origin;
pub(crate) use grant::subscription_info;
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
    /// The client's queue is full.
    TooSlow,
    /// The broker stops.
    ServerStops,
    /// A rule or an administrator ended it.
    Kicked,
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
            Self::TooSlow => "too-slow",
            Self::ServerStops => "server-stops",
            Self::Kicked => "kicked",
        }
    }

    /// Whether the client's will is dropped [MQTT-3.14.4-3].
    pub(crate) fn drops_will(self) -> bool {
        self == Self::Normal
    }
}

/// How far a connection is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its CONNECT is there and not yet answered.
    Arriving,
    /// Served.
    Live,
    /// No longer served; its output is still to be written.
    Closing,
    /// The socket is gone, or never was; only verdicts on its publishes are awaited.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) generation: u32,
    pub(crate) stage: Stage,
    pub(crate) version: ProtocolVersion,
    pub(crate) client: Arc<ClientInfo>,
    /// Stays when the connection closes: its last publishes belong to it.
    pub(crate) session: Option<SessionKey>,
    /// What is left to do before CONNACK.
    pub(crate) arrival: Option<Box<Arrival>>,
    /// The enhanced authentication it chose.
    pub(crate) authentication: Option<Box<EnhancedAuthentication>>,
    /// What rules are asked about the packet that is to be taken next.
    pub(crate) inquiry: Option<Box<Inquiry>>,
    /// What rules said that it may do and may not; made by the first answer.
    pub(crate) access: Option<Box<AccessCache>>,
    /// Whether its listener lets it do nothing that no rule speaks of.
    pub(crate) denies_unlisted: bool,
    /// The reason code of its own DISCONNECT.
    pub(crate) left_with: ReasonCode,
    /// The deadline for which it has a place on the wheel.
    pub(crate) armed_ms: Option<u64>,
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
    /// QoS 1 and 2 publishes not acknowledged to the end.
    pub(crate) unacknowledged: u16,
    pub(crate) aliases_in: AliasesIn,
    pub(crate) aliases_out: AliasesOut,
    /// Whether a publish above QoS 0 failed and the client was closed to send it again.
    pub(crate) is_fail_stopped: bool,
    /// Whether the next connection of its client waits for its publishes.
    pub(crate) is_leaving: bool,
    pub(crate) output: Output,
    /// Whether its output, which begins with CONNACK, waits until the places of
    /// subscriptions that were made on its behalf are kept.
    pub(crate) is_withheld: bool,
    /// Whether it is in the list of connections with something to write.
    pub(crate) dirty: bool,
    /// Whether its session has messages that wait for output to be written.
    pub(crate) is_starved: bool,
    /// Whether it is not read for now.
    pub(crate) paused: bool,
    /// Whether it has a place in the list of paused connections.
    pub(crate) is_listed_paused: bool,
    /// The full link that its last publish fed.
    pub(crate) blocked_on: Option<crate::link::WorkerId>,
    /// Other clients whose full lanes were told of what its last publish dropped.
    pub(crate) crowded: Vec<Arc<str>>,
}

impl Connection {
    /// A connection without a socket, for publishes whose publisher is gone.
    pub(crate) fn detached(client: Arc<ClientInfo>) -> Self {
        Self {
            generation: 0,
            stage: Stage::Gone,
            version: ProtocolVersion::V5,
            client,
            session: None,
            arrival: None,
            authentication: None,
            inquiry: None,
            access: None,
            denies_unlisted: false,
            left_with: ReasonCode::Success,
            armed_ms: None,
            keep_alive_ms: 0,
            last_seen_ms: 0,
            maximum_packet_bytes: usize::MAX,
            wants_problem_information: false,
            asked_for_expiry: false,
            will: None,
            pipeline: Pipeline::default(),
            unacknowledged: 0,
            aliases_in: AliasesIn::default(),
            aliases_out: AliasesOut::default(),
            is_fail_stopped: false,
            is_leaving: false,
            output: Output::default(),
            is_withheld: false,
            dirty: false,
            is_starved: false,
            paused: false,
            is_listed_paused: false,
            blocked_on: None,
            crowded: Vec::new(),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Whether something comes from it and goes to it: it is served, or will be.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Arriving | Stage::Live)
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
    /// Where else the client may go.
    pub(crate) server_reference: Option<String>,
}

impl Farewell {
    pub(crate) fn new(reason: ReasonCode, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            server_reference: None,
        }
    }
}
