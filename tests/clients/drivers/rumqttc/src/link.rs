//! What the client of either version has: the task that runs its event loop,
//! and the acknowledgements that this task hears.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};

/// Less than the tests wait for an answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Acknowledgements that nobody asked for yet; more than one command publishes.
const HEARD: usize = 4096;

/// What the event loop hears and a command waits for.
#[derive(Debug)]
pub(crate) enum Heard {
    /// CONNACK, as the answer to `connect`.
    Connack(Value),
    /// SUBACK or UNSUBACK with its reason codes.
    Reasons(Vec<u8>),
    /// A message of ours is acknowledged to the end, or sent with QoS 0.
    Published(u8),
    /// The event loop has ended.
    Ended(String),
}

/// A client's event loop as a task.
#[derive(Debug)]
pub(crate) struct Link {
    heard: mpsc::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Link {
    /// Spawns the event loop that `run` makes.
    pub(crate) fn spawn<F: Future<Output = ()> + 'static>(
        run: impl FnOnce(mpsc::Sender<Heard>) -> F,
    ) -> Self {
        let (hears, heard) = mpsc::channel(HEARD);
        Self {
            heard,
            task: spawn_local(run(hears)),
        }
    }

    async fn next(&mut self) -> Result<Heard> {
        match tokio::time::timeout(DEADLINE, self.heard.recv()).await {
            Ok(Some(Heard::Ended(why))) => bail!("the connection ended: {why}"),
            Ok(Some(heard)) => Ok(heard),
            Ok(None) => bail!("the connection is no more"),
            Err(_) => bail!("no answer in time"),
        }
    }

    /// Waits for CONNACK.
    pub(crate) async fn connack(&mut self) -> Result<Value> {
        match self.next().await? {
            Heard::Connack(answer) => Ok(answer),
            other => bail!("CONNACK was expected: {other:?}"),
        }
    }

    /// Waits for SUBACK or UNSUBACK.
    pub(crate) async fn reasons(&mut self) -> Result<Vec<u8>> {
        match self.next().await? {
            Heard::Reasons(reasons) => Ok(reasons),
            other => bail!("reason codes were expected: {other:?}"),
        }
    }

    /// Waits until so many messages are acknowledged.
    pub(crate) async fn published(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut reasons = Vec::with_capacity(count);
        while reasons.len() < count {
            match self.next().await? {
                Heard::Published(reason) => reasons.push(reason),
                other => bail!("an acknowledgement was expected: {other:?}"),
            }
        }
        Ok(reasons)
    }

    /// Waits until the event loop has ended, after DISCONNECT.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        match tokio::time::timeout(DEADLINE, &mut self.task).await {
            Ok(ended) => Ok(ended?),
            Err(_) => bail!("no end in time"),
        }
    }

    /// Ends the event loop, and with it the connection, whatever it does.
    pub(crate) async fn cut(&mut self) {
        self.task.abort();
        if !self.task.is_finished() {
            // Aborted is how it is to end.
            drop((&mut self.task).await);
        }
    }
}

/// Tells that the broker ended a connection.
pub(crate) fn hear_closed(client: &str, reason: Option<u8>, reason_string: Option<&str>) {
    let mut properties = json!({});
    if let Some(reason_string) = reason_string {
        properties["reason_string"] = json!(reason_string);
    }
    println!(
        "{}",
        json!({"client": client, "event": "closed", "reason": reason, "properties": properties})
    );
}
