//! The bounds of the protocol, and what happens at them.

/// Bounds for every client of a shard.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest packet taken from a client, in bytes; MQTT 5 clients are told.
    pub max_packet_bytes: u32,
    /// Publishes of one client that may wait for rules at once; MQTT 5 clients
    /// are told it as Receive Maximum, and held to it.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages to one client that may be unacknowledged.
    pub max_inflight: u16,
    /// Messages that may wait for one client behind that window.
    pub max_queued_messages: usize,
    /// Bytes of those messages.
    pub max_queued_bytes: usize,
    /// What happens when either bound is reached.
    pub queue_overflow: QueueOverflow,
    /// Whether QoS 0 messages wait for a client that is away.
    pub queue_qos0: bool,
    /// Unwritten bytes of one client beyond which it is sent nothing more, and
    /// is not read.
    pub max_output_bytes: usize,
    /// Largest keep-alive granted, in seconds; 0 grants any.
    pub max_keep_alive_s: u16,
    /// Longest time that a session outlives its connection, in seconds;
    /// `u32::MAX` grants any.
    pub max_session_expiry_s: u32,
    /// Topic aliases granted to a client, and used towards one that grants them.
    pub max_topic_aliases: u16,
    /// How long what rules decide of a CONNECT may take, authentication included,
    /// in milliseconds.
    pub authentication_ms: u64,
    /// Answers of `client.authorize` rules kept for each connection; 0 keeps none.
    pub max_kept_access: usize,
    /// What happens to a client before MQTT 5 that publishes what it may not.
    pub deny_action: DenyAction,
    /// Messages that may wait for their time under `$delayed`, on one worker.
    pub max_delayed_messages: usize,
    /// Bytes of those messages.
    pub max_delayed_bytes: usize,
    /// Whether a payload that is said to be UTF-8 has to be.
    pub check_payload_format: bool,
    /// Whether MQTT 3.1's bound of 23 characters on client ids is held.
    pub short_client_ids_in_mqtt31: bool,
    /// What MQTT 5 clients that ask are told as Response Information.
    pub response_information: Option<String>,
    /// Where MQTT 5 clients are sent when the broker stops.
    pub server_reference: Option<String>,
}

/// What happens to a client that publishes what it may not, and that has no
/// packet to be told with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DenyAction {
    /// Its publish is acknowledged and dropped.
    #[default]
    Ignore,
    /// It is closed.
    Disconnect,
}

/// What happens to a message for a client whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueOverflow {
    /// It is dropped.
    #[default]
    DropNewest,
    /// The oldest in the queue are dropped for it.
    DropOldest,
    /// It is dropped, and the client, if it is there, is closed.
    Disconnect,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet_bytes: 1024 * 1024,
            receive_maximum: 128,
            max_inflight: 128,
            max_queued_messages: 1000,
            max_queued_bytes: 16 * 1024 * 1024,
            queue_overflow: QueueOverflow::DropNewest,
            queue_qos0: false,
            max_output_bytes: 1024 * 1024,
            max_keep_alive_s: 0,
            max_session_expiry_s: u32::MAX,
            max_topic_aliases: 64,
            authentication_ms: 10_000,
            max_kept_access: 256,
            deny_action: DenyAction::Ignore,
            max_delayed_messages: 100_000,
            max_delayed_bytes: 64 * 1024 * 1024,
            check_payload_format: false,
            short_client_ids_in_mqtt31: false,
            response_information: None,
            server_reference: None,
        }
    }
}
