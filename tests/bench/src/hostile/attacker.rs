//! Who attacks: a client that publishes to the guest, or somebody who tells the
//! broker to load it; each for as long as others are measured beside it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookwire_mqtt::QoS;

use crate::broker::Ctl;
use crate::client::is_silent;
use crate::wire::{self, Received, next_packet};

/// What an attacker saw.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    Acknowledged {
        messages: u64,
        connections: u64,
    },
    /// Attempts to load the guest; what the broker said to the last it refused.
    Loading {
        refused: u64,
        loaded: u64,
        last: String,
    },
}

/// How the attacker publishes.
#[derive(Clone, Copy)]
pub(super) struct AttackPace {
    /// Messages under way at most.
    pub(super) window: usize,
    /// From one message to the next, at least.
    pub(super) interval: Duration,
    /// Messages that are sent at once; the one in the middle does harm.
    pub(super) burst: u16,
}

/// Pause of the attacker before it connects again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);

/// Publishes to the guest, and connects again where the broker ends that.
pub(super) fn attack(address: SocketAddr, pace: AttackPace, stop: &AtomicBool) -> Result<Seen> {
    let (mut messages, mut connections) = (0, 0);
    while !stop.load(Ordering::Acquire) {
        connections += 1;
        messages += attack_once(address, pace, stop)?;
        thread::sleep(RECONNECT_PAUSE);
    }
    Ok(Seen::Acknowledged {
        messages,
        connections,
    })
}

/// Publishes until the connection ends, and answers how much was acknowledged.
fn attack_once(address: SocketAddr, pace: AttackPace, stop: &AtomicBool) -> Result<u64> {
    let [(mut boom, at), (mut calm, _)] =
        [b"boom", b"calm"].map(|payload| wire::publish("attack", QoS::AtLeastOnce, payload));
    let at = at.context("a packet of QoS 1 has an id")?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(pace.interval))?;
    stream.write_all(&wire::connect("attacker"))?;
    let (mut messages, mut under_way, mut id) = (0, 0, 0_u16);
    let mut unread = Vec::new();
    let mut buffer = [0; 4096];
    let mut due = Instant::now();
    while !stop.load(Ordering::Acquire) {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(messages),
            Ok(read) => unread.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if is_silent(&error) => {}
            Err(_) => return Ok(messages),
        }
        while let Some((received, length)) = next_packet(&unread) {
            unread.drain(..length);
            if received == Received::PubAck {
                messages += 1;
                under_way -= 1;
            }
        }
        if under_way < pace.window && due <= Instant::now() {
            due = Instant::now() + pace.interval * u32::from(pace.burst);
            let mut packets = Vec::new();
            for place in 0..pace.burst {
                id = id.checked_add(1).unwrap_or(1);
                let does_harm = place == pace.burst / 2;
                let packet = if does_harm { &mut boom } else { &mut calm };
                if let Some(place) = packet.get_mut(at..at + 2) {
                    place.copy_from_slice(&id.to_be_bytes());
                }
                packets.extend_from_slice(packet);
                under_way += 1;
            }
            if stream.write_all(&packets).is_err() {
                return Ok(messages);
            }
        }
    }
    Ok(messages)
}

/// Time from one attempt to load the guest to the next, at least: the attempts
/// are processes, which cost something themselves.
const LOAD_EVERY: Duration = Duration::from_millis(50);

/// Tells the broker to load the guest again and again.
pub(super) fn load(ctl: &Ctl, file: &str, stop: &AtomicBool) -> Result<Seen> {
    let (mut refused, mut loaded, mut last) = (0, 0, String::new());
    while !stop.load(Ordering::Acquire) {
        let due = Instant::now() + LOAD_EVERY;
        let told = ctl.tell(&["modules", "load", "hostile", "--config", file])?;
        if told.succeeded {
            loaded += 1;
        } else {
            refused += 1;
            last = told.text;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(Seen::Loading {
        refused,
        loaded,
        last,
    })
}
