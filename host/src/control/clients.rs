//! Clients, as commands see them.

use std::sync::Arc;
use std::time::Duration;

use hookwire_admin::{ClientEntry, PositionEntry, ReadingEntry, SourceEntry, SubscriptionEntry};
use hookwire_broker::{
    BrokerCall, ClientState, Command, PositionState, ReadSide, Refusal, Reply, SourceState,
    worker_of,
};
use hookwire_mqtt::{ProtocolVersion, ReasonCode};
use tokio::sync::oneshot;

use super::Control;

/// How long a worker may take to answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Clients in one answer at most.
const MAX_CLIENTS: usize = 10_000;

impl Control {
    /// The clients of all workers, in order.
    pub(super) async fn clients(&self, after: Option<String>, limit: usize) -> Vec<ClientEntry> {
        let limit = limit.min(MAX_CLIENTS);
        let after: Option<Arc<str>> = after.map(Into::into);
        let mut all = Vec::new();
        for worker in &self.workers {
            let (reply, answer) = oneshot::channel();
            worker.command(Command::Clients {
                after: after.clone(),
                limit,
                reply: Reply::new(move |clients| drop(reply.send(clients))),
            });
            all.extend(answered(answer).await.unwrap_or_default());
        }
        all.sort_by(|left, right| left.client.clientid.cmp(&right.client.clientid));
        all.truncate(limit);
        all.iter().map(entry).collect()
    }

    pub(super) async fn client(&self, clientid: String) -> Option<ClientEntry> {
        let (reply, answer) = oneshot::channel();
        self.command(
            &clientid,
            Command::Client {
                clientid: clientid.as_str().into(),
                reply: Reply::new(move |shown| drop(reply.send(shown))),
            },
        );
        let (state, reading) = answered(answer).await.flatten()?;
        Some(ClientEntry {
            reading: Some(reading_entry(&reading)),
            ..entry(&state)
        })
    }

    /// Whether there was a connection.
    pub(super) async fn kick(&self, clientid: String) -> bool {
        let (reply, answer) = oneshot::channel();
        let disconnect = BrokerCall::Disconnect {
            clientid: clientid.as_str().into(),
            refusal: Refusal {
                reason: ReasonCode::AdministrativeAction,
                text: "closed by an administrator".to_owned(),
            },
            reply: Some(Reply::new(move |was_there: bool| {
                if reply.send(was_there).is_err() {
                    tracing::debug!("who asked is gone");
                }
            })),
        };
        self.command(&clientid, Command::Call(disconnect));
        answered(answer).await.unwrap_or(false)
    }

    /// Asks the worker on which the client lives.
    fn command(&self, clientid: &str, command: Command) {
        if let Some(worker) = self.workers.get(worker_of(clientid, self.workers.len())) {
            worker.command(command);
        }
    }
}

/// None: the worker did not answer in time.
pub(super) async fn answered<T>(answer: oneshot::Receiver<T>) -> Option<T> {
    tokio::time::timeout(LIMIT, answer).await.ok()?.ok()
}

fn entry(state: &ClientState) -> ClientEntry {
    let connection = state.client.connection.as_deref();
    let subscriptions = state.subscriptions.iter();
    ClientEntry {
        clientid: state.client.clientid.to_string(),
        username: state.client.username.as_deref().map(str::to_owned),
        connected: state.is_connected,
        connected_at_ms: state.connected_at_ms,
        peer: connection.and_then(|connection| connection.peer.map(|peer| peer.to_string())),
        listener: connection.map(|connection| connection.listener.name.clone()),
        protocol: connection.map(|connection| version(connection.version).to_owned()),
        keep_alive_s: connection.map(|connection| connection.keep_alive_s),
        clean_start: connection.map(|connection| connection.clean_start),
        session_expiry_s: connection.map(|connection| connection.session_expiry_s),
        subscriptions: subscriptions
            .map(|subscription| SubscriptionEntry {
                filter: subscription.filter.to_string(),
                qos: subscription.qos.as_u8(),
            })
            .collect(),
        inflight: state.inflight,
        queued: state.queued,
        queued_bytes: state.queued_bytes,
        reading: None,
    }
}

fn reading_entry(reading: &ReadSide) -> ReadingEntry {
    ReadingEntry {
        barrier: reading.barrier_since_ms.is_some(),
        barrier_since_ms: reading.barrier_since_ms,
        barriers: reading.barriers,
        parked: reading.parked,
        page_left: reading.page_left,
        retained: reading.retained,
        begins_anew: reading.begins_anew,
        sources: reading.sources.iter().map(source_entry).collect(),
        positions: reading.positions.iter().map(position_entry).collect(),
        more_positions: reading.more_positions,
    }
}

fn source_entry(source: &SourceState) -> SourceEntry {
    let state = match (source.is_asked, source.is_open) {
        (true, _) => "asked",
        (false, true) => "waits",
        (false, false) => "done",
    };
    SourceEntry {
        filter: source.filter.to_string(),
        rule: source.rule.to_string(),
        state: state.to_owned(),
        cursor: source.cursor.as_deref().map(str::to_owned),
        floor: source.floor.as_deref().map(str::to_owned),
    }
}

fn position_entry(position: &PositionState) -> PositionEntry {
    PositionEntry {
        topic: position.topic.to_string(),
        sender: position.sender.to_string(),
        reached: position.reached.map(|id| id.to_string()),
        outstanding: position.outstanding,
        behind: position.behind,
        waits_for: position.waits_for.map(|id| id.to_string()),
    }
}

fn version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V31 => "3.1",
        ProtocolVersion::V311 => "3.1.1",
        ProtocolVersion::V5 => "5.0",
    }
}
