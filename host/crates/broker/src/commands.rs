//! What administrators ask of one worker.

use std::sync::Arc;

use crate::hooks::{ClientState, Command, Hooks, ReadSide};
use crate::shard::Shard;
use crate::time::Now;

/// Clients in one answer, whatever was asked for.
const MAX_CLIENTS: usize = 10_000;

impl<H: Hooks> Shard<H> {
    /// Does what an administrator asks.
    pub fn command(&mut self, now: Now, command: Command) {
        match command {
            Command::Clients {
                after,
                limit,
                reply,
            } => reply.send(self.clients_after(after.as_deref(), limit)),
            Command::Client { clientid, reply } => reply.send(self.client_shown(&clientid)),
            Command::Call(call) => self.call(now, call),
            Command::Report { reply } => reply.send((self.holdings(), self.counters().clone())),
        }
        self.close_listed(now);
    }

    /// A client and what it reads from stores.
    fn client_shown(&mut self, clientid: &str) -> Option<(ClientState, ReadSide)> {
        let session = *self.clients.get(clientid)?;
        self.refresh_sources(session);
        Some((self.client_state(session)?, self.read_side(session)?))
    }

    /// The first clients by id, of those above `after`.
    fn clients_after(&self, after: Option<&str>, limit: usize) -> Vec<ClientState> {
        let limit = limit.min(MAX_CLIENTS);
        let is_above = |id: &&Arc<str>| after.is_none_or(|after| ***id > *after);
        let mut ids: Vec<&Arc<str>> = self.clients.keys().filter(is_above).collect();
        if ids.len() > limit {
            if limit > 0 {
                ids.select_nth_unstable(limit - 1);
            }
            ids.truncate(limit);
        }
        ids.sort_unstable();
        let states = ids.into_iter().filter_map(|id| self.clients.get(id));
        states
            .filter_map(|session| self.client_state(*session))
            .collect()
    }
}
