//! A new connection until its CONNECT is whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookwire_mqtt::{
    ConnAck, ConnAckProperties, Connect, DecodeError, ProtocolVersion, ReasonCode, decode_connect,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::linger::linger;

/// How greetings failed, counted by kind, over all listeners.
#[derive(Debug, Clone, Default)]
pub struct GreetingCounters {
    kinds: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl GreetingCounters {
    /// The counts so far.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn count(&self, kind: &'static str) {
        *self
            .kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(kind)
            .or_default() += 1;
    }
}

/// A CONNECT, and what was read behind it.
pub(crate) struct Greeting {
    pub(crate) connect: Connect,
    pub(crate) rest: Vec<u8>,
}

enum Failure {
    /// The client went away, or never said anything.
    Gone(&'static str),
    Broken(DecodeError),
}

/// Reads until CONNECT is whole. A connection that fails is answered as far as
/// its version has an answer, counted, and closed; then there is no greeting.
pub(crate) async fn greet(
    mut stream: TcpStream,
    connect_timeout: Duration,
    max_packet_bytes: usize,
    counters: &GreetingCounters,
) -> Option<(TcpStream, Greeting)> {
    let read = tokio::time::timeout(connect_timeout, read_connect(&mut stream, max_packet_bytes));
    match read.await {
        Ok(Ok(greeting)) => return Some((stream, greeting)),
        Ok(Err(Failure::Gone(kind))) => counters.count(kind),
        Ok(Err(Failure::Broken(error))) => {
            counters.count(error.kind());
            let mut answer = Vec::new();
            refuse(&error, &mut answer);
            if stream.write_all(&answer).await.is_ok() {
                linger(stream).await;
            }
        }
        Err(_) => counters.count("no CONNECT in time"),
    }
    None
}

async fn read_connect(
    stream: &mut TcpStream,
    max_packet_bytes: usize,
) -> Result<Greeting, Failure> {
    let mut bytes = Vec::with_capacity(512);
    loop {
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return Err(Failure::Gone("closed before CONNECT")),
            Ok(_) => {}
            Err(_) => return Err(Failure::Gone("failed before CONNECT")),
        }
        match decode_connect(&bytes, max_packet_bytes) {
            Ok(Some((connect, used))) => {
                let rest = bytes.split_off(used);
                return Ok(Greeting { connect, rest });
            }
            Ok(None) => {}
            Err(error) => return Err(Failure::Broken(error)),
        }
    }
}

/// The CONNACK that says why, in the version that the client speaks. Nothing is
/// said to something that does not speak MQTT [MQTT-3.1.4-1].
fn refuse(error: &DecodeError, answer: &mut Vec<u8>) {
    let Some(version) = error.answer_in else {
        return;
    };
    if version != ProtocolVersion::V5 && error.reason() != ReasonCode::UnsupportedProtocolVersion {
        return;
    }
    let ack = ConnAck {
        session_present: false,
        reason: error.reason(),
        properties: ConnAckProperties {
            reason_string: Some(error.to_string()),
            ..ConnAckProperties::default()
        },
    };
    ack.encode(version, answer);
}
