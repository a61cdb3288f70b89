//! The other side: a command that asks a running broker.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::protocol::{RecordingEnd, Refusal, Request, Tap};
use crate::socket::{SOCKET, connect};

/// Why a broker could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no broker on that data directory.
    #[error(
        "no broker answers at {path}: {source}; is one running with this data directory? \
         (--data DIR names another)"
    )]
    NoBroker {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The conversation broke.
    #[error("the broker stopped answering: {0}")]
    Broken(#[from] std::io::Error),
    /// The answer makes no sense here.
    #[error("the broker's answer cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    /// The broker said no.
    #[error(transparent)]
    Refused(Refusal),
}

/// What comes back, line by line.
type Answer = Lines<BufReader<OwnedReadHalf>>;

/// Asks the broker that holds a data directory.
#[derive(Debug)]
pub struct Client {
    directory: PathBuf,
}

impl Client {
    /// Of the broker on this data directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When there is no broker, or it says no.
    pub async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        let (mut lines, _write) = self.send(request).await?;
        let line = lines.next_line().await?.unwrap_or_default();
        read(&line)
    }

    /// Begins to record; events come by [`Events::next`].
    ///
    /// # Errors
    /// As for [`Client::ask`]; a refusal comes with the first event.
    pub async fn record(&self, tap: Tap) -> Result<Events, ClientError> {
        let (lines, write) = self.send(&Request::Record(tap)).await?;
        Ok(Events {
            lines,
            write,
            missed: 0,
        })
    }

    async fn send(&self, request: &Request) -> Result<(Answer, OwnedWriteHalf), ClientError> {
        let no_broker = |source| ClientError::NoBroker {
            path: self.directory.join(SOCKET),
            source,
        };
        let stream = connect(&self.directory).await.map_err(no_broker)?;
        let (read, mut write) = stream.into_split();
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        write.write_all(line.as_bytes()).await?;
        Ok((BufReader::new(read).lines(), write))
    }
}

/// Events as they come.
#[derive(Debug)]
pub struct Events {
    lines: Answer,
    write: OwnedWriteHalf,
    missed: u64,
}

impl Events {
    /// The next event, as JSON; none at the end.
    ///
    /// # Errors
    /// When the broker refuses or goes.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        let Some(line) = self.lines.next_line().await? else {
            return Ok(None);
        };
        if line.starts_with("{\"end\"") {
            let mut end: Value = serde_json::from_str(&line)?;
            let end = end.get_mut("end").map_or(Value::Null, Value::take);
            self.missed = serde_json::from_value::<RecordingEnd>(end)?.missed;
            return Ok(None);
        }
        if line.starts_with("{\"error\"") {
            read::<Value>(&line)?;
        }
        Ok(Some(line))
    }

    /// Says that no more are wanted; those on their way still come by
    /// [`Events::next`], up to its end.
    pub async fn stop(&mut self) {
        // A broker that is gone shows when the next line is read.
        drop(self.write.shutdown().await);
    }

    /// Events that are missing because they came faster than they were read. The
    /// broker says it at the end.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

fn read<T: DeserializeOwned>(line: &str) -> Result<T, ClientError> {
    let mut answer: Value = serde_json::from_str(line)?;
    if let Some(error) = answer.get_mut("error") {
        return Err(ClientError::Refused(serde_json::from_value(error.take())?));
    }
    let answer = answer.get_mut("ok").map_or(Value::Null, Value::take);
    Ok(serde_json::from_value(answer)?)
}
