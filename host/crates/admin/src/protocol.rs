//! What may be asked, and what is answered.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The modules of the configuration, loaded or not: [`ModuleEntry`]s.
    Modules,
    /// Loads a module with its rules, answered with [`Changes`].
    Load {
        /// A module of the configuration, or a stock module.
        name: String,
        /// A configuration file with the blocks that the running one lacks.
        file: Option<PathBuf>,
    },
    /// Unloads a module with its rules: [`Changes`].
    Unload {
        /// Its name.
        name: String,
    },
    /// Reads a module's file again: [`Changes`].
    ReloadModule {
        /// Its name.
        name: String,
    },
    /// Goes back to the component that a module had before: [`Changes`].
    Rollback {
        /// Its name.
        name: String,
    },
    /// Reads the configuration and all modules again: [`Changes`].
    Reload,
    /// Figures, in the text format of Prometheus.
    Metrics,
    /// Clients with a session, ordered by client id: [`ClientEntry`]s.
    Clients {
        /// Above this client id.
        after: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// One client: a [`ClientEntry`], or null.
    Client {
        /// Its id.
        clientid: String,
    },
    /// Ends a client's connection: whether there was one.
    Kick {
        /// Its id.
        clientid: String,
    },
    /// Dead letters, oldest first: [`LetterEntry`]s.
    DeadLetters {
        /// Above this number.
        after: i64,
        /// How many at most.
        limit: usize,
    },
    /// Runs the rules of dead letters again: [`Replayed`].
    ReplayDeadLetters {
        /// These; none: all.
        ids: Option<Vec<i64>>,
    },
    /// Deletes dead letters: [`Purged`].
    PurgeDeadLetters {
        /// These; none: all.
        ids: Option<Vec<i64>>,
    },
    /// What is spooled, by rule: [`SpoolEntry`]s.
    Spool,
    /// Deletes what is spooled for a rule: [`Purged`].
    PurgeSpool {
        /// Its name.
        rule: String,
    },
    /// Events as they happen, a line each.
    Record(Tap),
}

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tap {
    /// Of this hook.
    pub hook: String,
    /// Those that a rule with this topic filter would see; none: all but messages
    /// whose topics begin with `$`.
    #[serde(default)]
    pub topic: Option<String>,
    /// So many; then the answer ends.
    pub count: usize,
    /// Whether with payloads.
    #[serde(default)]
    pub payloads: bool,
}

/// The last line of a recording, behind its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingEnd {
    /// Events that were left out because they came faster than they were read.
    pub missed: u64,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// In one sentence.
    pub message: String,
    /// Everything that is wrong, a line each.
    #[serde(default)]
    pub problems: Vec<String>,
}

impl Refusal {
    /// A refusal without further problems.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            problems: Vec::new(),
        }
    }
}

/// What a change has changed, for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// A line for each change; none: there was none.
    pub changed: Vec<String>,
    /// What takes a restart to change.
    pub needs_restart: Vec<String>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleEntry {
    /// Its name.
    pub name: String,
    /// Whether it serves.
    pub loaded: bool,
    /// What it calls itself, and its version.
    pub describes: Option<String>,
    /// How often it or its rules have changed since the broker started; of one
    /// that is unloaded, the last.
    pub generation: u64,
    /// Hash of its component, the first digits.
    pub hash: Option<String>,
    /// Its file; none: part of the binary.
    pub path: Option<String>,
    /// Rules that name it.
    pub rules: usize,
    /// Whether there is a component to go back to.
    pub can_roll_back: bool,
    /// Batches handed over.
    pub calls: u64,
    /// Events in them.
    pub events: u64,
    /// Batches that brought an instance down.
    pub traps: u64,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientEntry {
    /// Its id.
    pub clientid: String,
    /// Its user name.
    pub username: Option<String>,
    /// Whether it is there now.
    pub connected: bool,
    /// When it connected last, milliseconds since the Unix epoch.
    pub connected_at_ms: u64,
    /// Its address.
    pub peer: Option<String>,
    /// The listener that took it.
    pub listener: Option<String>,
    /// Version of MQTT: `3.1`, `3.1.1` or `5.0`.
    pub protocol: Option<String>,
    /// Keep Alive, in seconds.
    pub keep_alive_s: Option<u16>,
    /// Clean Start.
    pub clean_start: Option<bool>,
    /// Session Expiry Interval, in seconds.
    pub session_expiry_s: Option<u32>,
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionEntry>,
    /// Messages sent to it and not acknowledged to the end.
    pub inflight: usize,
    /// Messages that wait for it.
    pub queued: usize,
    /// Bytes of those, about.
    pub queued_bytes: usize,
    /// What it reads from stores; where one client was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<ReadingEntry>,
}

/// What a client's session reads from stores, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingEntry {
    /// Whether what is live waits for what is stored.
    pub barrier: bool,
    /// Since when, milliseconds since the Unix epoch.
    pub barrier_since_ms: Option<u64>,
    /// Times that it had to, since the session is in memory.
    pub barriers: u64,
    /// Messages that did, since then.
    pub parked: u64,
    /// Messages that were read and are not sent yet.
    pub page_left: usize,
    /// Subscriptions whose retained messages stores are asked for.
    pub retained: usize,
    /// Whether what is stored is read once more when this is over.
    pub begins_anew: bool,
    /// What is read, by subscription and rule.
    pub sources: Vec<SourceEntry>,
    /// Where the client is, by topic and publisher; only some where there are many.
    pub positions: Vec<PositionEntry>,
    /// Positions that are left out.
    pub more_positions: usize,
}

/// One rule that reads for one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// The subscription's filter.
    pub filter: String,
    /// The rule.
    pub rule: String,
    /// `done`, `waits` for its turn, or `asked` for its next page.
    pub state: String,
    /// Where the next page begins, as the rule says it.
    pub cursor: Option<String>,
    /// Where the subscription began, as the rule says it.
    pub floor: Option<String>,
}

/// Where a client is in what one publisher stored on one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionEntry {
    /// The topic.
    pub topic: String,
    /// Client id of the publisher.
    pub sender: String,
    /// Id of the message up to which everything is acknowledged, and rules were
    /// told so.
    pub reached: Option<String>,
    /// Messages sent and not acknowledged.
    pub outstanding: usize,
    /// Messages that are acknowledged, and behind one that is not.
    pub behind: usize,
    /// Id of the first message that is not acknowledged.
    pub waits_for: Option<String>,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionEntry {
    /// Its filter.
    pub filter: String,
    /// Maximum QoS.
    pub qos: u8,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterEntry {
    /// Its number.
    pub id: i64,
    /// The rule that failed.
    pub rule: String,
    /// Its module.
    pub module: String,
    /// The generation of the module.
    pub generation: u64,
    /// The client whose event it is.
    pub clientid: String,
    /// The hook; empty where the event cannot be read.
    pub hook: String,
    /// The message's topic.
    pub topic: Option<String>,
    /// Why the event cannot be read, and so not be run again.
    pub unreadable: Option<String>,
    /// Code of the fault.
    pub code: String,
    /// What the fault says.
    pub message: String,
    /// When it was written down, milliseconds since the Unix epoch.
    pub written_ms: u64,
}

/// How a replay of dead letters went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replayed {
    /// Those that went through, and are gone.
    pub done: Vec<i64>,
    /// Those that failed again, and why.
    pub failed: Vec<(i64, String)>,
}

/// What is spooled for one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolEntry {
    /// The rule.
    pub rule: String,
    /// Whether there is a rule of that name.
    pub has_rule: bool,
    /// Events.
    pub events: u64,
    /// Clients whose events they are.
    pub clients: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the oldest was written down, milliseconds since the Unix epoch.
    pub oldest_ms: u64,
}

/// How many dead letters, or spooled events, were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// So many.
    pub deleted: u64,
    /// Numbers that were asked for, and that no letter has.
    #[serde(default)]
    pub unknown: Vec<i64>,
}
