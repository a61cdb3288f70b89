//! Lanes that served a lane's clients before it.
//!
//! Where the number of lanes changes, clients change lanes. What the lanes before
//! still hold of a client comes first; clients of whom they hold nothing do not wait.

use std::rc::Weak;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use crate::lane::queue::Lane;
use crate::worker::subject::ClientHash;

/// How old what is known of them may be. They are given nothing new, so it names
/// too many clients at worst.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The lanes before one, and the clients of whom they hold something.
#[derive(Default)]
pub(crate) struct Before {
    lanes: Vec<Weak<Lane>>,
    clients: FxHashSet<ClientHash>,
    looked_at: Option<Instant>,
}

impl Before {
    pub(crate) fn of(lanes: Vec<Weak<Lane>>) -> Self {
        Self {
            lanes,
            ..Self::default()
        }
    }

    /// Whether all of them are done.
    pub(super) fn is_over(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Looks what they hold, if there are any.
    pub(super) fn look(&mut self) {
        if self.is_over() {
            return;
        }
        let now = Instant::now();
        let is_known = |at| now.saturating_duration_since(at) < LOOK_AGAIN;
        if self.looked_at.is_some_and(is_known) {
            return;
        }
        self.looked_at = Some(now);
        self.clients.clear();
        let clients = &mut self.clients;
        self.lanes.retain(|lane| {
            let Some(lane) = lane.upgrade() else {
                return false;
            };
            lane.each_client(|client| {
                clients.insert(client);
            });
            !lane.is_done()
        });
    }

    pub(super) fn has(&self, client: ClientHash) -> bool {
        self.clients.contains(&client)
    }
}
