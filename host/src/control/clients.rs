//! Clients, as commands see them.

use std::sync::Arc;
use std::time::Duration;

use hookwire_admin::{ClientEntry, SubscriptionEntry};
use hookwire_broker::{BrokerCall, ClientState, Command, Refusal, Reply, worker_of};
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
        let lookup = BrokerCall::Lookup {
            clientid: clientid.as_str().into(),
            reply: Reply::new(move |state| drop(reply.send(state))),
        };
        self.call(&clientid, lookup);
        answered(answer).await.flatten().as_ref().map(entry)
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
        self.call(&clientid, disconnect);
        answered(answer).await.unwrap_or(false)
    }

    fn call(&self, clientid: &str, call: BrokerCall) {
        if let Some(worker) = self.workers.get(worker_of(clientid, self.workers.len())) {
            worker.command(Command::Call(call));
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
    }
}

fn version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V31 => "3.1",
        ProtocolVersion::V311 => "3.1.1",
        ProtocolVersion::V5 => "5.0",
    }
}
