//! The settings, checked and with defaults filled in.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::value::{written_size, written_time};

/// Where in a file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The file, as the user named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value and where it was written, for errors found later.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: At,
}

/// Everything the broker is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Name of this node, written into stored rows.
    pub node: String,
    /// Worker threads; `None`: one per core.
    pub workers: Option<usize>,
    /// Bytes of events that may wait in the spool; beyond it a rule that spools
    /// fails as if it did not.
    pub max_spool_bytes: usize,
    /// Dead letters that are kept; beyond it the oldest go.
    pub max_dead_letters: usize,
    /// The largest component that is loaded, in bytes.
    pub max_component_bytes: usize,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Limits of the protocol.
    pub mqtt: Mqtt,
    /// Stores.
    pub pools: Vec<Pool>,
    /// Wasm modules.
    pub modules: Vec<Module>,
    /// Rules, in the order of the file.
    pub rules: Vec<Rule>,
}

impl Settings {
    /// Bytes of events in the spool, unless the file says otherwise.
    pub const DEFAULT_SPOOL_BYTES: usize = 256 * 1024 * 1024;
    /// Dead letters, unless the file says otherwise.
    pub const DEFAULT_DEAD_LETTERS: usize = 10_000;
    /// The largest component, unless the file says otherwise.
    pub const DEFAULT_COMPONENT_BYTES: usize = 64 * 1024 * 1024;
}

/// One `listener "tcp" NAME` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddr,
    /// How long a new connection may take until its CONNECT is whole.
    pub connect_timeout: Duration,
    /// Connections that may be in that state at once; more wait to be accepted.
    pub max_greeting: usize,
    /// Whether a client may connect whom no rule of `client.authenticate` knows.
    pub allow_unknown_clients: bool,
    /// Whether a client may do what no rule of `client.authorize` speaks of.
    pub allow_unlisted_access: bool,
}

/// The `mqtt` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Mqtt {
    /// Largest packet taken from a client, in bytes.
    pub max_packet_bytes: usize,
    /// Publishes of one client that may wait for rules at once; MQTT 5 clients
    /// are told it as Receive Maximum.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages sent to one client and not yet acknowledged. An
    /// MQTT 5 client's own Receive Maximum lowers it.
    pub max_inflight: u16,
    /// Messages that wait for one client behind its inflight window.
    pub max_queued_messages: usize,
    /// Bytes of those messages.
    pub max_queued_bytes: usize,
    /// What happens at either bound.
    pub queue_overflow: QueueOverflow,
    /// Whether QoS 0 messages wait for a client that is away.
    pub queue_qos0: bool,
    /// Bytes that may wait in one client's output; beyond them it is sent
    /// nothing more, and QoS 0 messages to it are dropped.
    pub max_output_bytes: usize,
    /// Grace on the keep-alive interval is the standard's: one and a half times.
    /// This is the largest interval granted, in seconds; 0 grants any.
    pub max_keep_alive_s: u16,
    /// How long a session may outlive its connection, in seconds; 0 grants any time.
    pub max_session_expiry_s: u32,
    /// Topic aliases granted to a client and used towards one that grants them.
    pub max_topic_aliases: u16,
    /// How long what rules decide of a CONNECT may take, authentication included.
    pub authentication_timeout: Duration,
    /// Answers of `client.authorize` rules kept for each connection; 0 keeps none.
    pub max_kept_access: usize,
    /// What happens to a client before MQTT 5 that publishes what it may not.
    pub deny_action: DenyAction,
    /// Retained messages.
    pub max_retained_messages: usize,
    /// Bytes of those messages.
    pub max_retained_bytes: usize,
    /// Messages that wait for their time under `$delayed`, on each worker.
    pub max_delayed_messages: usize,
    /// Bytes of those messages.
    pub max_delayed_bytes: usize,
    /// How a shared subscription chooses the member that gets a message.
    pub shared_strategy: SharedStrategy,
    /// Whether a payload that is said to be UTF-8 has to be.
    pub check_payload_format: bool,
    /// Whether MQTT 3.1's bound of 23 characters on client ids is held.
    pub short_client_ids_in_mqtt31: bool,
    /// What MQTT 5 clients that ask are told as Response Information.
    pub response_information: Option<String>,
    /// Where MQTT 5 clients are sent when the broker stops.
    pub server_reference: Option<String>,
    /// Seconds between the messages under `$SYS`; 0 sends none.
    pub sys_interval_s: u16,
}

/// What happens to a client that publishes what it may not, and has no packet to
/// be told with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyAction {
    /// Its publish is acknowledged and dropped.
    Ignore,
    /// It is closed.
    Disconnect,
}

/// What happens to a message for a client whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueOverflow {
    /// It is dropped.
    DropNewest,
    /// The oldest in the queue are dropped for it.
    DropOldest,
    /// It is dropped, and the client, if it is there, is closed.
    Disconnect,
}

/// How a shared subscription chooses the member that gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedStrategy {
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// Always the same, until it goes.
    Sticky,
    /// The same for each publisher.
    HashClient,
    /// The same for each topic.
    HashTopic,
    /// The one with the fewest messages unacknowledged or waiting.
    LeastInflight,
}

/// One `pool KIND NAME` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// The name that rules are granted.
    pub name: Located<String>,
    /// Which driver, and its own settings.
    pub kind: PoolKind,
}

/// The driver of a pool.
#[derive(Debug, Clone, PartialEq)]
pub enum PoolKind {
    /// `pool "sqlite" NAME`
    Sqlite(SqlitePool),
}

impl PoolKind {
    /// The interface its rules use: `sql`.
    #[must_use]
    pub fn interface(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sql",
        }
    }
}

/// Settings of a SQLite pool.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlitePool {
    /// The database file; a relative path is below the data directory.
    pub file: PathBuf,
    /// Rows that may wait for the writer; a call beyond it fails as saturated.
    pub max_waiting_rows: usize,
    /// Rows of one transaction at most.
    pub max_transaction_rows: usize,
    /// Connections for queries.
    pub readers: usize,
    /// Bytes of one query's answer at most.
    pub max_result_bytes: usize,
    /// How long one statement may keep the writer.
    pub max_statement: Duration,
    /// What is removed from it, and when.
    pub retention: Retention,
}

/// The `retention` block of a pool: what its store is kept from growing beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How old a message may become; `None`: as old as it likes.
    pub max_age: Option<Duration>,
    /// Bytes that may be in use until the oldest messages go; `None`: any number.
    pub max_bytes: Option<u64>,
    /// Rows that are removed in one go, before whoever waits for the writer has it.
    pub slice_rows: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_age: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            max_bytes: Some(8 << 30),
            slice_rows: 256,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max_age {
            Some(max_age) => write!(f, "messages for {}", written_time(max_age))?,
            None => f.write_str("messages for ever")?,
        }
        match self.max_bytes {
            Some(max_bytes) => write!(f, ", up to {}", written_size(max_bytes)),
            None => f.write_str(", of any size"),
        }
    }
}

/// One `module NAME` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    /// The name rules call it by. Without a path, the stock module of that name.
    pub name: Located<String>,
    /// A component file.
    pub path: Option<PathBuf>,
    /// Whether it is loaded when the broker starts; `hookwire ctl modules load`
    /// loads it later.
    pub loaded: bool,
    /// What it is granted beside the pools of its rules: `clock`, ...
    pub grants: Vec<Located<String>>,
    /// Hosts that it may send HTTP requests to, `NAME` or `NAME:PORT`.
    pub http_hosts: Vec<Located<String>>,
    /// Instances on each worker for events and publishes.
    pub lanes: usize,
    /// Events handed over in one call at most.
    pub max_batch: usize,
    /// Events that may wait for one lane before its clients are not read.
    pub max_queued_events: usize,
    /// How long one call may take, store calls included.
    pub deadline: Duration,
    /// Linear memory of one instance, in bytes.
    pub max_memory_bytes: usize,
    /// Keys and values that it may keep, in bytes.
    pub max_key_value_bytes: usize,
}

/// What a failed call of a rule means for the message or client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The message is refused.
    Deny,
    /// Counted and logged; the message goes on.
    Continue,
    /// Tried again for as long as `retry_for` says; then as `Deny`, or as
    /// `Continue` where nothing can be denied.
    Retry,
    /// Written down on disk, to be run later; the message goes on.
    Spool,
}

/// A JSON-like value of a rule option.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// true or false.
    Boolean(bool),
    /// A list.
    List(Vec<OptionValue>),
}

/// One `rule NAME` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, unique in the file.
    pub name: Located<String>,
    /// A hook: `message.publish`.
    pub hook: Located<String>,
    /// Name of a module block.
    pub module: Located<String>,
    /// An action that the module exports.
    pub action: Located<String>,
    /// Topic filter; `#` without one.
    pub topic: Located<String>,
    /// The one pool it is granted.
    pub pool: Option<Located<String>>,
    /// `None`: deny where something can be denied, continue elsewhere.
    pub on_error: Option<OnError>,
    /// How long a call is tried again that failed and may succeed later.
    /// `None`: the module's deadline; five minutes for [`OnError::Retry`].
    pub retry_for: Option<Duration>,
    /// Options, as the action declares them.
    pub options: Vec<(Located<String>, OptionValue)>,
}

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct Problem {
    /// Where.
    pub at: At,
    /// What is wrong, and what to write instead.
    pub message: String,
}
