//! The load: pairs of one publisher and one subscriber on a topic of their own,
//! all driven by one thread that polls.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hookwire_mqtt::QoS;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::wire::{self, Received, next_packet};

/// How the load is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Each pair keeps so many messages under way.
    Saturated { window: usize },
    /// Each pair sends so many messages a second.
    Steady { per_second: u32 },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) pairs: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) qos: QoS,
    pub(crate) pace: Pace,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What came through in the measured time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Through {
    /// Messages that reached their subscriber.
    pub(crate) messages: u64,
    pub(crate) wall: Duration,
    /// CPU time that the broker used.
    pub(crate) broker_cpu: Duration,
}

/// A connection that is polled.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
    pub(crate) unwritten: Vec<u8>,
}

struct Pair {
    publisher: Connection,
    subscriber: Connection,
    publish: Vec<u8>,
    packet_id_at: Option<usize>,
    packet_id: u16,
    sent: u64,
    acknowledged: u64,
    received: u64,
    due: Instant,
}

const GREETING_DEADLINE: Duration = Duration::from_secs(20);
const STALL_DEADLINE: Duration = Duration::from_secs(10);

/// Runs the load on the broker at `address`; `cpu` reads its CPU time.
pub(crate) fn run(
    address: SocketAddr,
    load: Load,
    cpu: impl Fn() -> Result<Duration>,
) -> Result<Through> {
    let mut driver = Driver::connect(address, load)?;
    driver.run_until(Instant::now() + load.warm_up)?;
    let (before, cpu_before, start) = (driver.received(), cpu()?, Instant::now());
    driver.run_until(start + load.duration)?;
    let wall = start.elapsed();
    let messages = driver.received() - before;
    ensure!(messages > 0, "no message came through in {wall:?}");
    Ok(Through {
        messages,
        wall,
        broker_cpu: cpu()?.saturating_sub(cpu_before),
    })
}

struct Driver {
    poll: Poll,
    pairs: Vec<Pair>,
    load: Load,
    buffer: Vec<u8>,
}

impl Driver {
    fn connect(address: SocketAddr, load: Load) -> Result<Self> {
        let poll = Poll::new()?;
        let mut pairs = Vec::new();
        for number in 0..load.pairs {
            let topic = format!("bench/{number}");
            let payload = vec![b'x'; load.payload_bytes];
            let (publish, packet_id_at) = wire::publish(&topic, load.qos, &payload);
            let subscriber = greeted(address, &format!("s{number}"), Some((&topic, load.qos)))?;
            let publisher = greeted(address, &format!("p{number}"), None)?;
            pairs.push(Pair {
                publisher,
                subscriber,
                publish,
                packet_id_at,
                packet_id: 0,
                sent: 0,
                acknowledged: 0,
                received: 0,
                due: Instant::now(),
            });
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        for (number, pair) in pairs.iter_mut().enumerate() {
            poll.registry()
                .register(&mut pair.publisher.stream, Token(number * 2), interest)?;
            poll.registry().register(
                &mut pair.subscriber.stream,
                Token(number * 2 + 1),
                interest,
            )?;
        }
        Ok(Self {
            poll,
            pairs,
            load,
            buffer: vec![0; 256 * 1024],
        })
    }

    fn received(&self) -> u64 {
        self.pairs.iter().map(|pair| pair.received).sum()
    }

    fn run_until(&mut self, end: Instant) -> Result<()> {
        let mut events = Events::with_capacity(512);
        let mut last_progress = (Instant::now(), self.received());
        self.start_pace();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            let received = self.received();
            if received != last_progress.1 {
                last_progress = (now, received);
            }
            ensure!(
                now - last_progress.0 < STALL_DEADLINE,
                "nothing comes through any more"
            );
            let wait = self.publish_what_is_due(now)?.min(end - now);
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                self.serve(event.token().0)?;
            }
        }
    }

    /// Spreads the pairs of a steady load evenly over their interval.
    fn start_pace(&mut self) {
        let Pace::Steady { per_second } = self.load.pace else {
            return;
        };
        let interval = Duration::from_secs(1) / per_second;
        let pairs = u32::try_from(self.pairs.len()).unwrap_or(1);
        let now = Instant::now();
        for (number, pair) in (0_u32..).zip(&mut self.pairs) {
            pair.due = now + interval * number / pairs;
        }
    }

    /// Publishes what the pace asks for, and says how long nothing more is due.
    fn publish_what_is_due(&mut self, now: Instant) -> Result<Duration> {
        match self.load.pace {
            Pace::Saturated { window } => {
                for pair in &mut self.pairs {
                    pair.fill(window as u64, self.load.qos)?;
                }
                Ok(Duration::from_millis(100))
            }
            Pace::Steady { per_second } => {
                let interval = Duration::from_secs(1) / per_second;
                let mut next = now + interval;
                for pair in &mut self.pairs {
                    while pair.due <= now {
                        pair.publish_one();
                        pair.due += interval;
                    }
                    next = next.min(pair.due);
                    pair.publisher.write()?;
                }
                Ok(next.saturating_duration_since(Instant::now()))
            }
        }
    }

    fn serve(&mut self, token: usize) -> Result<()> {
        let Some(pair) = self.pairs.get_mut(token / 2) else {
            bail!("an event for nobody");
        };
        if token.is_multiple_of(2) {
            let mut acknowledged = 0;
            pair.publisher.read(&mut self.buffer, |packet, _| {
                acknowledged += u64::from(packet == Received::PubAck);
            })?;
            pair.acknowledged += acknowledged;
            pair.publisher.write()
        } else {
            let mut received = 0;
            pair.subscriber.read(&mut self.buffer, |packet, answer| {
                if let Received::Publish { packet_id } = packet {
                    received += 1;
                    if let Some([high, low]) = packet_id {
                        answer.extend_from_slice(&[0x40, 2, high, low]);
                    }
                }
            })?;
            pair.received += received;
            pair.subscriber.write()
        }
    }
}

impl Pair {
    fn fill(&mut self, window: u64, qos: QoS) -> Result<()> {
        let under_way = match qos {
            QoS::AtMostOnce => self.sent - self.received,
            _ => (self.sent - self.acknowledged).max(self.sent.saturating_sub(self.received)),
        };
        // Refilled by halves, so that one write carries several messages.
        if under_way <= window / 2 {
            for _ in under_way..window {
                self.publish_one();
            }
            self.publisher.write()?;
        }
        Ok(())
    }

    fn publish_one(&mut self) {
        if let Some(at) = self.packet_id_at {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            if let Some(place) = self.publish.get_mut(at..at + 2) {
                place.copy_from_slice(&self.packet_id.to_be_bytes());
            }
        }
        self.publisher.unwritten.extend_from_slice(&self.publish);
        self.sent += 1;
    }
}

impl Connection {
    /// Hands over each packet that has come; the answer is written with the rest.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        mut each: impl FnMut(Received, &mut Vec<u8>),
    ) -> Result<()> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => bail!("the broker closed a connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let filled = buffer.get(..read).unwrap_or_default();
            if self.unread.is_empty() {
                let used = take(filled, &mut self.unwritten, &mut each);
                self.unread
                    .extend_from_slice(filled.get(used..).unwrap_or_default());
            } else {
                self.unread.extend_from_slice(filled);
                let used = take(&self.unread, &mut self.unwritten, &mut each);
                self.unread.drain(..used);
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn write(&mut self) -> Result<()> {
        while !self.unwritten.is_empty() {
            match self.stream.write(&self.unwritten) {
                Ok(written) => drop(self.unwritten.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn take(
    bytes: &[u8],
    answer: &mut Vec<u8>,
    each: &mut impl FnMut(Received, &mut Vec<u8>),
) -> usize {
    let mut used = 0;
    while let Some((packet, length)) = next_packet(bytes.get(used..).unwrap_or_default()) {
        each(packet, answer);
        used += length;
    }
    used
}

/// Connects, and subscribes if asked to; returns when the broker said yes.
pub(crate) fn greeted(
    address: SocketAddr,
    id: &str,
    subscription: Option<(&str, QoS)>,
) -> Result<Connection> {
    let mut stream = std::net::TcpStream::connect(address).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GREETING_DEADLINE))?;
    let mut exchange = |packet: &[u8], answer_bytes: usize| -> Result<()> {
        stream.write_all(packet)?;
        let mut answer = vec![0; answer_bytes];
        stream
            .read_exact(&mut answer)
            .context("no answer to a greeting")?;
        ensure!(
            answer.last().is_some_and(|code| *code < 0x80),
            "refused: {answer:?}"
        );
        Ok(())
    };
    exchange(&wire::connect(id), 4)?;
    if let Some((topic, qos)) = subscription {
        exchange(&wire::subscribe(topic, qos), 5)?;
    }
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream);
    Ok(Connection {
        stream,
        unread: Vec::new(),
        unwritten: Vec::new(),
    })
}
