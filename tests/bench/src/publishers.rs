//! Publishers of QoS 1 at a steady pace, whose messages are timed from the
//! moment they are due to their PUBACK, and numbered in their payload.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hookwire_mqtt::QoS;
use mio::{Events, Interest, Poll, Token};

use crate::load::{Connection, greeted};
use crate::wire::{self, Received};

/// Digits of a message's number, at the beginning of its payload.
const DIGITS: usize = 10;
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// One publisher to be.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) clientid: String,
    pub(crate) topic: String,
    /// Figures are kept by group.
    pub(crate) group: usize,
}

/// Publishers that are connected.
pub(crate) struct Publishers {
    poll: Poll,
    clients: Vec<Client>,
    interval: Duration,
    buffer: Vec<u8>,
}

/// What came of a saturated time.
pub(crate) struct Saturated {
    /// From the moment that each message was written to its PUBACK, in milliseconds.
    pub(crate) latencies: Vec<f64>,
    pub(crate) wall: Duration,
}

struct Client {
    who: Who,
    connection: Connection,
    packet: Vec<u8>,
    packet_id_at: usize,
    payload_at: usize,
    sent: u64,
    acknowledged: u64,
    /// When the messages under way were due, in order: a broker acknowledges in
    /// the order of the publishes [MQTT-4.6.0-2].
    under_way: VecDeque<Instant>,
    due: Instant,
}

impl Publishers {
    pub(crate) fn connect(
        address: SocketAddr,
        all: Vec<Who>,
        per_second: u32,
        payload_bytes: usize,
    ) -> Result<Self> {
        ensure!(
            payload_bytes >= DIGITS,
            "a payload holds {DIGITS} digits at least"
        );
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for (token, who) in all.into_iter().enumerate() {
            let payload = vec![b'x'; payload_bytes];
            let (packet, at) = wire::publish(&who.topic, QoS::AtLeastOnce, &payload);
            let mut connection = greeted(address, &who.clientid, None)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut connection.stream, Token(token), interest)?;
            clients.push(Client {
                connection,
                packet_id_at: at.context("a packet of QoS 1 has an id")?,
                payload_at: packet.len() - payload_bytes,
                packet,
                who,
                sent: 0,
                acknowledged: 0,
                under_way: VecDeque::new(),
                due: Instant::now(),
            });
        }
        Ok(Self {
            poll,
            clients,
            interval: Duration::from_secs(1) / per_second,
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Publishes while `goes_on`, and adds the time that each message took, in
    /// milliseconds, to the latencies of its group.
    pub(crate) fn publish(
        &mut self,
        latencies: &mut [Vec<f64>],
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<()> {
        let count = u32::try_from(self.clients.len().max(1)).unwrap_or(u32::MAX);
        let now = Instant::now();
        for (number, client) in (0..).zip(&mut self.clients) {
            client.due = now + self.interval * number / count;
        }
        while goes_on() {
            let now = Instant::now();
            let mut next = now + self.interval;
            for client in &mut self.clients {
                while client.due <= now {
                    client.put_down();
                    client.due += self.interval;
                }
                next = next.min(client.due);
                client.connection.write()?;
            }
            let wait = next.saturating_duration_since(Instant::now());
            self.serve(wait, latencies)?;
        }
        Ok(())
    }

    /// As [`Publishers::publish`], for so long.
    pub(crate) fn publish_for(
        &mut self,
        duration: Duration,
        latencies: &mut [Vec<f64>],
    ) -> Result<()> {
        let end = Instant::now() + duration;
        self.publish(latencies, || Instant::now() < end)
    }

    /// Keeps so many messages of each publisher under way for so long.
    pub(crate) fn saturate_for(&mut self, window: usize, duration: Duration) -> Result<Saturated> {
        let start = Instant::now();
        let mut latencies = [Vec::new()];
        while start.elapsed() < duration {
            self.fill(window, usize::MAX)?;
            self.serve(Duration::from_millis(20), &mut latencies)?;
        }
        let wall = start.elapsed();
        let [latencies] = latencies;
        Ok(Saturated { latencies, wall })
    }

    /// Publishes so many messages in all, that many of each publisher under way, and
    /// waits until each is acknowledged.
    pub(crate) fn saturate_until(&mut self, window: usize, messages: usize) -> Result<()> {
        while self.sent() < messages {
            self.fill(window, messages)?;
            self.serve(Duration::from_millis(20), &mut [])?;
        }
        self.drain(&mut [])
    }

    fn sent(&self) -> usize {
        let sent: u64 = self.clients.iter().map(|client| client.sent).sum();
        usize::try_from(sent).unwrap_or(usize::MAX)
    }

    /// Refills windows by halves, so that one write carries several messages.
    fn fill(&mut self, window: usize, messages: usize) -> Result<()> {
        let mut left = messages.saturating_sub(self.sent());
        for client in &mut self.clients {
            let under_way = client.under_way.len();
            if under_way <= window / 2 {
                let more = (window - under_way).min(left);
                left -= more;
                for _ in 0..more {
                    client.due = Instant::now();
                    client.put_down();
                }
                client.connection.write()?;
            }
        }
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn drain(&mut self, latencies: &mut [Vec<f64>]) -> Result<()> {
        let start = Instant::now();
        let waits = |clients: &[Client]| clients.iter().any(|client| !client.under_way.is_empty());
        while waits(&self.clients) {
            ensure!(
                start.elapsed() < DRAIN_DEADLINE,
                "messages stay without their PUBACK"
            );
            for client in &mut self.clients {
                client.connection.write()?;
            }
            self.serve(Duration::from_millis(20), latencies)?;
        }
        Ok(())
    }

    /// Client ids, topics, and how many messages of each were acknowledged: those
    /// numbered from 1.
    pub(crate) fn acknowledged(&self) -> impl Iterator<Item = (&Who, u64)> {
        let clients = self.clients.iter();
        clients.map(|client| (&client.who, client.acknowledged))
    }

    fn serve(&mut self, wait: Duration, latencies: &mut [Vec<f64>]) -> Result<()> {
        let mut events = Events::with_capacity(256);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &events {
            let client = self.clients.get_mut(event.token().0);
            let client = client.context("an event for nobody")?;
            let mut acknowledged = 0_u64;
            client
                .connection
                .read(&mut self.buffer, |packet, _| {
                    acknowledged += u64::from(packet == Received::PubAck);
                })
                .with_context(|| format!("client {}", client.who.clientid))?;
            let now = Instant::now();
            for _ in 0..acknowledged {
                let due = client.under_way.pop_front();
                let due = due.context("a PUBACK for nothing")?;
                client.acknowledged += 1;
                if let Some(group) = latencies.get_mut(client.who.group) {
                    group.push((now - due).as_secs_f64() * 1e3);
                }
            }
            client.connection.write()?;
        }
        Ok(())
    }
}

impl Client {
    fn put_down(&mut self) {
        self.sent += 1;
        let id = (self.sent - 1) % u64::from(u16::MAX) + 1;
        let id = u16::try_from(id).unwrap_or(1).to_be_bytes();
        if let Some(place) = self
            .packet
            .get_mut(self.packet_id_at..self.packet_id_at + 2)
        {
            place.copy_from_slice(&id);
        }
        let number = format!("{:0DIGITS$}", self.sent);
        if let Some(place) = self
            .packet
            .get_mut(self.payload_at..self.payload_at + DIGITS)
        {
            place.copy_from_slice(number.as_bytes());
        }
        self.connection.unwritten.extend_from_slice(&self.packet);
        self.under_way.push_back(self.due);
    }
}

/// The number in a payload.
pub(crate) fn number(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload.get(..DIGITS)?)
        .ok()?
        .parse()
        .ok()
}

/// The value that this share of `figures` does not exceed.
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> Result<f64> {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() as f64 * share) as usize;
    figures
        .get(place)
        .copied()
        .context("no message was acknowledged")
}
