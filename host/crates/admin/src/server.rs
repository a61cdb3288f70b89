//! The broker's side of the socket.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::protocol::{RecordingEnd, Refusal, Request, Tap};

/// Conversations at once.
const MAX_CONVERSATIONS: usize = 32;
/// Longest request, in bytes.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;
/// How long a request may take to come.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Events on their way to whoever records them.
#[derive(Debug)]
pub struct Recording {
    /// Events, as lines of JSON.
    pub lines: mpsc::Receiver<String>,
    /// Events that were left out because the reader is slow.
    pub missed: Arc<AtomicU64>,
}

/// Who carries out requests.
pub trait Administration: Send + Sync + 'static {
    /// Carries out a request that has one answer.
    fn answer(&self, request: Request) -> impl Future<Output = Result<Value, Refusal>> + Send;

    /// Begins to record. It ends when the recording is dropped.
    fn record(&self, tap: Tap) -> impl Future<Output = Result<Recording, Refusal>> + Send;
}

/// Serves the socket for as long as it is polled.
pub async fn serve<A: Administration>(listener: UnixListener, administration: Arc<A>) {
    let places = Arc::new(Semaphore::new(MAX_CONVERSATIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let administration = Arc::clone(&administration);
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &*administration).await {
                        tracing::debug!(%error, "an administrator's connection broke");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an administrator's connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, administration: &impl Administration) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(MAX_REQUEST_BYTES));
    match timeout(REQUEST_LIMIT, read.read_line(&mut line)).await {
        Ok(read) => read?,
        Err(_) => return Ok(()),
    };
    let request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            let refusal = Refusal::new(format!("the request cannot be read: {error}"));
            return tell(&mut write, &json!({ "error": refusal })).await;
        }
    };
    let answered = match request {
        Request::Record(tap) => {
            let count = tap.count;
            match administration.record(tap).await {
                Ok(recording) => return pass_on(recording, count, &mut read, &mut write).await,
                Err(refusal) => Err(refusal),
            }
        }
        request => administration.answer(request).await,
    };
    let answer = match answered {
        Ok(value) => json!({ "ok": value }),
        Err(refusal) => json!({ "error": refusal }),
    };
    tell(&mut write, &answer).await
}

/// Writes events until there were enough of them, or the reader wants no more,
/// which it says by closing its side; then how many were left out.
async fn pass_on(
    mut recording: Recording,
    count: usize,
    read: &mut (impl AsyncReadExt + Unpin),
    write: &mut (impl AsyncWriteExt + Unpin),
) -> io::Result<()> {
    let mut nothing = [0];
    for _ in 0..count {
        // Cancel-safe: an event that was not received stays in the channel, and
        // what a client that records has to say is not awaited.
        let line = tokio::select! {
            line = recording.lines.recv() => line,
            _ = read.read(&mut nothing) => None,
        };
        let Some(mut line) = line else { break };
        line.push('\n');
        write.write_all(line.as_bytes()).await?;
    }
    let missed = recording.missed.load(Ordering::Relaxed);
    tell(write, &json!({ "end": RecordingEnd { missed } })).await
}

async fn tell(write: &mut (impl AsyncWriteExt + Unpin), answer: &Value) -> io::Result<()> {
    let mut line = answer.to_string();
    line.push('\n');
    write.write_all(line.as_bytes()).await?;
    write.shutdown().await
}
