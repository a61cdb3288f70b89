//! A client on a blocking socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookwire_mqtt::QoS;

use crate::wire::{self, Received, next_packet};

/// Longer than a broker is silent that has something to say.
const SILENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// One whose session ends with its connection.
    pub(crate) fn connect(
        address: SocketAddr,
        id: &str,
        subscription: Option<(&str, QoS)>,
    ) -> Result<Self> {
        let mut client = Self::greeted(address, &wire::connect(id))?;
        if let Some((topic, qos)) = subscription {
            client.subscribe(topic, qos)?;
        }
        Ok(client)
    }

    /// One whose session lasts.
    pub(crate) fn connect_again(address: SocketAddr, id: &str) -> Result<Self> {
        Self::greeted(address, &wire::connect_again(id))
    }

    fn greeted(address: SocketAddr, connect: &[u8]) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut client = Self {
            stream,
            unread: Vec::new(),
        };
        client.stream.write_all(connect)?;
        client.wait_for(Received::Other)?;
        Ok(client)
    }

    pub(crate) fn subscribe(&mut self, topic: &str, qos: QoS) -> Result<()> {
        self.stream.write_all(&wire::subscribe(topic, qos))?;
        self.wait_for(Received::Other)?;
        Ok(())
    }

    /// Reads until a packet of this kind came, and answers its bytes. A message
    /// is acknowledged.
    pub(crate) fn wait_for(&mut self, wanted: Received) -> Result<Vec<u8>> {
        loop {
            while let Some((packet, length)) = next_packet(&self.unread) {
                let bytes: Vec<u8> = self.unread.drain(..length).collect();
                if packet == wanted {
                    return Ok(bytes);
                }
            }
            self.fill()?;
        }
    }

    /// Acknowledges the messages that were read, and forgets them; how many.
    pub(crate) fn acknowledge(&mut self) -> Result<usize> {
        let mut answer = Vec::new();
        let (mut read, mut messages) = (0, 0);
        while let Some((packet, length)) = next_packet(self.unread.get(read..).unwrap_or_default())
        {
            read += length;
            if let Received::Publish {
                packet_id: Some([high, low]),
            } = packet
            {
                messages += 1;
                answer.extend_from_slice(&[0x40, 2, high, low]);
            }
        }
        self.unread.drain(..read);
        self.stream.write_all(&answer)?;
        Ok(messages)
    }

    /// Reads what there is, acknowledges it, and forgets it.
    pub(crate) fn read_once(&mut self) -> Result<()> {
        self.acknowledge()?;
        match self.fill() {
            Err(error) if is_silence(&error) => Ok(()),
            read => read,
        }
    }

    /// Reads what there is, or what comes.
    pub(crate) fn fill(&mut self) -> Result<()> {
        let mut buffer = [0; 64 * 1024];
        let read = self
            .stream
            .read(&mut buffer)
            .context("nothing came in time")?;
        ensure!(read > 0, "the broker closed a connection");
        self.unread
            .extend_from_slice(buffer.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// Whether nothing came within the time to wait for it.
fn is_silence(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(is_silent)
}

/// As [`is_silence`], of the socket's own error.
pub(crate) fn is_silent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
