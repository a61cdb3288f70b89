//! Classes of lanes: what may not wait for each other has lanes of its own.

use hookwire_broker::Hook;

/// A class of lanes. A module has those in which it has rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// What happens to clients, sessions and messages: what rules write down.
    Write,
    /// What a client waits for that is looked up for it.
    Read,
    /// Who may come, and who may do what.
    Auth,
}

impl Class {
    pub(crate) const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Auth];

    pub(crate) fn of(hook: Hook) -> Self {
        match hook {
            Hook::ClientConnect | Hook::ClientAuthenticate | Hook::ClientAuthorize => Self::Auth,
            Hook::SessionCreated
            | Hook::ClientSubscribe
            | Hook::SessionFetch
            | Hook::SessionRetained
            | Hook::ClientUnsubscribe
            | Hook::MessageDeliver => Self::Read,
            Hook::NodeStarted
            | Hook::SessionExchange
            | Hook::SessionResumed
            | Hook::ClientConnack
            | Hook::ClientConnected
            | Hook::SessionSubscribed
            | Hook::SessionUnsubscribed
            | Hook::MessagePublish
            | Hook::MessageAcked
            | Hook::MessagePosition
            | Hook::MessageDropped
            | Hook::SessionDiscarded
            | Hook::SessionTakenover
            | Hook::ClientDisconnected
            | Hook::SessionTerminated => Self::Write,
        }
    }

    /// Its place in arrays by class.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Write => 0,
            Self::Read => 1,
            Self::Auth => 2,
        }
    }
}
