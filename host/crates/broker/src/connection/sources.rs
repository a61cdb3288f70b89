//! What is read for a session: the rules of its subscriptions, and in which order.
//!
//! Subscriptions that read the same from one store are read in the order in which
//! they were made. A later one begins where the store is when it is made; were it
//! read first, positions would jump over what an earlier one has still to read.

use hookwire_mqtt::TopicFilter;

use crate::hooks::{Hook, Hooks, Wants};
use crate::session::{Begins, Granted, Known, SessionKey, Source};
use crate::shard::Shard;
use crate::time::Now;

impl<H: Hooks> Shard<H> {
    /// A subscription was made: what is stored for it comes first.
    pub(super) fn fetch_for(
        &mut self,
        now: Now,
        key: SessionKey,
        filter: &TopicFilter,
        granted: Granted,
        begins: Begins,
    ) {
        if !self.hooks.wants(Hook::SessionFetch) {
            return;
        }
        self.refresh_sources(key);
        let rules = self.hooks.fetch_rules(Wants::Queued, filter);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.sources.set(filter, &rules);
        if begins == Begins::Restored {
            session.sources.note_restored(filter);
        }
        let sources = session.sources.of(filter);
        let sources = sources.map(|known| known.source(granted, begins)).collect();
        self.fetch_sources(now, key, sources);
    }

    /// Has older subscriptions read once more, and this source behind them: it begins
    /// where it was made, and what was stored before that may not have been sent.
    pub(super) fn fetch_behind(
        &mut self,
        now: Now,
        key: SessionKey,
        older: &[Known],
        source: Source,
    ) {
        let Some(session) = self.session(key) else {
            return;
        };
        let mut sources = session.sources_of(older);
        sources.push(Source {
            begins: Begins::Not,
            cursor: None,
            ..source
        });
        self.fetch_sources(now, key, sources);
    }

    /// Has sources read from their first page on.
    fn fetch_sources(&mut self, now: Now, key: SessionKey, sources: Vec<Source>) {
        let Some(session) = self.session_mut(key) else {
            return;
        };
        let mut raised = 0;
        for source in sources {
            raised += u64::from(session.fetch(now.wall_ms, source));
        }
        self.counters.fetch_barriers += raised;
    }

    /// A subscription is gone: nothing is fetched for it, and nothing waits for that.
    pub(super) fn forget_fetching(&mut self, now: Now, key: SessionKey, filter: &TopicFilter) {
        // What the client has acknowledged comes before the end of its subscription.
        self.tell_moves(key);
        let Some(session) = self.session_mut(key) else {
            return;
        };
        session.sources.remove(filter);
        session.lookups.remove(filter);
        let Some(fetching) = &mut session.fetching else {
            return;
        };
        fetching.remove(filter);
        self.write_acknowledgements(key);
        self.send_waiting(now, key);
    }

    /// Has everything that is stored for a session come again, from its positions
    /// on: its client is back, or could not keep up.
    pub(super) fn fetch_all(&mut self, now: Now, key: SessionKey) {
        self.refresh_sources(key);
        let Some(session) = self.session(key) else {
            return;
        };
        let sources = session.sources_of(&session.sources.list);
        self.fetch_sources(now, key, sources);
        if let Some(session) = self.session_mut(key)
            && !session.lookups.is_empty()
        {
            let is_raised = session.raise(now.wall_ms);
            self.counters.fetch_barriers += u64::from(is_raised);
        }
    }

    /// Finds a session's sources, if rules have changed.
    pub(crate) fn refresh_sources(&mut self, key: SessionKey) {
        let generation = self.hooks.generation();
        let Some(session) = self.session(key) else {
            return;
        };
        if session.sources.generation == generation {
            return;
        }
        let mut filters: Vec<TopicFilter> = Vec::new();
        if self.hooks.wants(Hook::SessionFetch) {
            let known = session.sources.list.iter().map(|known| &known.filter);
            filters.extend(known.cloned());
            filters.dedup();
            let own = session.subscriptions.keys();
            let own = own.filter(|filter| filter.shared().is_none());
            let others = own.filter(|filter| !session.sources.has(filter));
            filters.extend(others.cloned());
        }
        let rules: Vec<_> = filters
            .iter()
            .map(|filter| self.hooks.fetch_rules(Wants::Queued, filter))
            .collect();
        if let Some(session) = self.session_mut(key) {
            session.sources.generation = generation;
            if filters.is_empty() {
                session.sources.list.clear();
            }
            for (filter, rules) in filters.iter().zip(&rules) {
                session.sources.set(filter, rules);
            }
        }
    }
}
