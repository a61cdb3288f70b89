//! What other threads hand to a worker.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use hookwire_broker::{Command, Mail, Origin, WorkerId};
use hookwire_mqtt::Connect;
use tokio::sync::OwnedSemaphorePermit;

/// A connection whose CONNECT is whole, on its way to its worker.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) socket: std::net::TcpStream,
    pub(crate) connect: Connect,
    pub(crate) origin: Origin,
    /// Bytes read behind CONNECT.
    pub(crate) rest: Vec<u8>,
    /// Its place among the connections being greeted, until its worker has it.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(crate) enum Delivery {
    Greeted(Box<Greeted>),
    Mail {
        from: WorkerId,
        mail: Vec<Mail>,
    },
    Command(Command),
    /// Read no client any more, settle, close all, and end.
    Stop {
        deadline: std::time::Instant,
    },
}

/// A way to reach one worker from any thread. What waits behind it is bounded by
/// its senders: greetings by the listener's places, mail by the shards' credits.
#[derive(Debug, Clone, Default)]
pub struct WorkerHandle {
    inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: Mutex<Vec<Delivery>>,
    waker: AtomicWaker,
}

impl WorkerHandle {
    /// Starts the worker's graceful end: what was read is settled, then clients
    /// are closed, then hooks drained; what is not done by `deadline` is left.
    pub fn stop(&self, deadline: std::time::Instant) {
        self.push(Delivery::Stop { deadline });
    }

    /// Asks the worker for something; an answer comes through the command's reply.
    /// After its end there is none.
    pub fn command(&self, command: Command) {
        self.push(Delivery::Command(command));
    }

    pub(crate) fn push(&self, delivery: Delivery) {
        self.inbox
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(delivery);
        self.inbox.waker.wake();
    }

    /// Moves everything that waits into `taken`; pending while nothing does.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, taken: &mut Vec<Delivery>) -> Poll<()> {
        self.inbox.waker.register(cx.waker());
        let mut waiting = self
            .inbox
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return Poll::Pending;
        }
        std::mem::swap(&mut *waiting, taken);
        Poll::Ready(())
    }
}
