//! Connections whose CONNECT is whole and that may not connect yet.
//!
//! They have no place among those being greeted any more, so that whatever they
//! wait for, a listener goes on for everybody else. A wait has a deadline, and
//! there is a bound to how many wait.

use std::io::{self, ErrorKind, Write as _};

use hookwire_broker::{ConnectionKey, Hooks, Now};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::inbox::Greeted;
use crate::linger::linger;
use crate::worker::Worker;

/// Connections of one worker that wait at once; more are refused.
const MAX_WAITING: usize = 1024;

/// Those that wait, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    greeted: Greeted,
    /// When it is told to try again later.
    until_ms: u64,
}

impl<H: Hooks> Worker<H> {
    /// A connection arrived from its listener; it is let in by [`Worker::admit`].
    pub(crate) fn greeted(&mut self, now: Now, mut greeted: Greeted) {
        drop(greeted.place.take());
        self.lobby.waiting.push(Waiting {
            greeted,
            until_ms: now.mono_ms.saturating_add(self.shard.arrival_ms()),
        });
    }

    /// Takes the connections that may connect now, oldest first.
    pub(crate) fn admit(&mut self) -> Vec<ConnectionKey> {
        let mut admitted = Vec::new();
        if self.lobby.waiting.is_empty() {
            return admitted;
        }
        for waiting in std::mem::take(&mut self.lobby.waiting) {
            let client_id = &waiting.greeted.connect.client_id;
            if self.stop.is_none() && self.shard.may_connect(client_id) {
                admitted.extend(self.take_greeted(waiting.greeted));
            } else if self.lobby.waiting.len() < MAX_WAITING {
                self.lobby.waiting.push(waiting);
            } else {
                self.turn_away(waiting.greeted);
            }
        }
        admitted
    }

    /// Refuses those that waited long enough, and forgets those that left.
    pub(crate) fn end_late_waits(&mut self, now: Now) {
        if self.lobby.waiting.is_empty() {
            return;
        }
        for waiting in std::mem::take(&mut self.lobby.waiting) {
            if has_left(&waiting.greeted) {
                continue;
            }
            if now.mono_ms >= waiting.until_ms {
                self.turn_away(waiting.greeted);
            } else {
                self.lobby.waiting.push(waiting);
            }
        }
    }

    fn turn_away(&mut self, greeted: Greeted) {
        let answer = self.shard.refuse_unheard(&greeted.connect);
        // Nothing was written before, so that the socket takes it whole.
        let mut socket = greeted.socket;
        let written = socket.write_all(&answer);
        match written.and_then(|()| TcpStream::from_std(socket)) {
            Ok(stream) => drop(spawn_local(linger(stream))),
            Err(error) => tracing::debug!(%error, "a client that was refused is gone"),
        }
    }
}

/// Whether the client closed its side and left nothing to be done. One that
/// sent something behind CONNECT may still want that done.
fn has_left(greeted: &Greeted) -> bool {
    if !greeted.rest.is_empty() {
        return false;
    }
    match greeted.socket.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => !is_passing(&error),
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
