//! A worker: one thread, its clients' sockets, its shard, and the turns of its loop.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use hookwire_broker::{ConnectionKey, Counters, Hooks, Shard, WorkerId};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::clock::Clock;
use crate::connection::{End, Socket};
use crate::inbox::{Delivery, Greeted, WorkerHandle};
use crate::linger::linger;
use crate::lobby::Lobby;

/// What a worker is made of.
#[derive(Debug)]
pub struct WorkerSetup<H> {
    /// Its clients and their state.
    pub shard: Shard<H>,
    /// The clock that the shard was made with.
    pub clock: Clock,
    /// Its own number, an index into `peers`.
    pub worker: WorkerId,
    /// All workers of the node, this one among them.
    pub peers: Vec<WorkerHandle>,
    /// Largest packet taken from a client, in bytes.
    pub max_packet_bytes: usize,
}

/// What a worker leaves behind.
#[derive(Debug, Default)]
pub struct WorkerReport {
    /// What happened on it.
    pub counters: Counters,
    /// Submissions to hooks that were given up at the deadline.
    pub unsettled: usize,
}

/// State of a worker; borrowed for one turn at a time, never across an await.
pub(crate) struct Worker<H> {
    pub(crate) shard: Shard<H>,
    pub(crate) clock: Clock,
    pub(crate) sockets: Sockets,
    pub(crate) read_buffer: Vec<u8>,
    pub(crate) max_packet_bytes: usize,
    worker: WorkerId,
    peers: Vec<WorkerHandle>,
    flusher: Option<Waker>,
    flush_is_due: bool,
    keys: Vec<ConnectionKey>,
    pub(crate) stop: Option<Instant>,
    stopper: Option<Waker>,
    /// Connections whose CONNECT is whole and that may not connect yet.
    pub(crate) lobby: Lobby,
    /// Closing connections with a full socket, and when they are cut off.
    pub(crate) closing: Vec<(u64, ConnectionKey)>,
}

type Shared<H> = Rc<RefCell<Worker<H>>>;

const READ_BUFFER_BYTES: usize = 64 * 1024;
const TICK: Duration = Duration::from_millis(250);
const STOP_CHECK: Duration = Duration::from_millis(5);

/// Runs a worker on the current thread until it is stopped. Call it inside a
/// `LocalSet` of a current-thread runtime with I/O and time.
pub async fn serve_worker<H: Hooks + 'static>(setup: WorkerSetup<H>) -> WorkerReport {
    let inbox = setup
        .peers
        .get(usize::from(setup.worker))
        .cloned()
        .unwrap_or_default();
    let worker = Rc::new(RefCell::new(Worker {
        shard: setup.shard,
        clock: setup.clock,
        sockets: Sockets::default(),
        read_buffer: vec![0; READ_BUFFER_BYTES],
        max_packet_bytes: setup.max_packet_bytes,
        worker: setup.worker,
        peers: setup.peers,
        flusher: None,
        flush_is_due: false,
        keys: Vec::new(),
        stop: None,
        stopper: None,
        lobby: Lobby::default(),
        closing: Vec::new(),
    }));
    let tasks = [
        spawn_local(take_deliveries(Rc::clone(&worker), inbox)),
        spawn_local(take_verdicts(Rc::clone(&worker))),
        spawn_local(flush(Rc::clone(&worker))),
        spawn_local(tick(Rc::clone(&worker))),
    ];
    let unsettled = stopped(&worker).await;
    for task in tasks {
        task.abort();
    }
    let counters = worker.borrow().shard.counters().clone();
    WorkerReport {
        counters,
        unsettled,
    }
}

impl<H: Hooks> Worker<H> {
    /// Sees to it that what this turn produced leaves when the turn is over.
    pub(crate) fn schedule_flush(&mut self) {
        if self.shard.take_pressing() {
            self.flush();
        }
        if !self.flush_is_due && self.shard.has_work() {
            self.flush_is_due = true;
            if let Some(waker) = &self.flusher {
                waker.wake_by_ref();
            }
        }
    }

    fn flush(&mut self) {
        let now = self.clock.now();
        let mut keys = std::mem::take(&mut self.keys);
        while self.shard.has_work() {
            self.shard.take_resumed(&mut keys);
            for key in keys.drain(..) {
                if let Some(socket) = self.sockets.get_mut(key) {
                    socket.resume();
                }
            }
            self.shard.take_dirty(&mut keys);
            for key in keys.drain(..) {
                self.write(now, key);
            }
            for (to, peer) in (0..).zip(&self.peers) {
                let mail = self.shard.take_mail(to);
                if !mail.is_empty() {
                    peer.push(Delivery::Mail {
                        from: self.worker,
                        mail,
                    });
                }
            }
        }
        self.keys = keys;
        self.flush_is_due = false;
    }

    /// Takes what other threads handed over; names the connections to serve.
    fn take_all(&mut self, deliveries: &mut Vec<Delivery>) -> Vec<ConnectionKey> {
        let now = self.clock.now();
        for delivery in deliveries.drain(..) {
            match delivery {
                Delivery::Greeted(greeted) => self.greeted(now, *greeted),
                Delivery::Mail { from, mail } => self.shard.receive(now, from, mail),
                Delivery::Command(command) => self.shard.command(now, command),
                Delivery::Stop { deadline } => {
                    self.stop = Some(deadline);
                    if let Some(waker) = self.stopper.take() {
                        waker.wake();
                    }
                }
            }
        }
        let admitted = self.admit();
        self.schedule_flush();
        admitted
    }

    pub(crate) fn take_greeted(&mut self, greeted: Greeted) -> Option<ConnectionKey> {
        let Greeted {
            socket,
            connect,
            origin,
            rest,
            ..
        } = greeted;
        let stream = match TcpStream::from_std(socket) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                return None;
            }
        };
        let now = self.clock.now();
        // What the client said last on its old connection comes before this one.
        if let Some(old) = self.shard.connection_of(&connect.client_id) {
            self.hear_out(now, old);
        }
        let version = connect.version;
        let key = self.shard.connect(now, connect, origin);
        self.sockets.insert(Socket::new(key, stream, version, rest));
        Some(key)
    }
}

async fn take_deliveries<H: Hooks + 'static>(worker: Shared<H>, inbox: WorkerHandle) {
    let mut deliveries = Vec::new();
    loop {
        poll_fn(|cx| inbox.poll_take(cx, &mut deliveries)).await;
        let admitted = worker.borrow_mut().take_all(&mut deliveries);
        serve_all(&worker, admitted);
        // Mail that keeps coming must not keep the sockets waiting.
        tokio::task::yield_now().await;
    }
}

fn serve_all<H: Hooks + 'static>(worker: &Shared<H>, keys: Vec<ConnectionKey>) {
    for key in keys {
        spawn_local(drive(Rc::clone(worker), key));
    }
}

async fn drive<H: Hooks + 'static>(worker: Shared<H>, key: ConnectionKey) {
    let end = poll_fn(|cx| worker.borrow_mut().poll_connection(key, cx)).await;
    if let End::Closed(stream) = end {
        linger(stream).await;
    }
}

async fn take_verdicts<H: Hooks + 'static>(worker: Shared<H>) {
    let mut first = true;
    poll_fn(|cx| {
        let mut borrowed = worker.borrow_mut();
        if first {
            borrowed.shard.hooks().set_waker(cx.waker().clone());
            first = false;
        }
        let now = borrowed.clock.now();
        borrowed.shard.take_verdicts(now);
        let admitted = borrowed.admit();
        borrowed.schedule_flush();
        drop(borrowed);
        serve_all(&worker, admitted);
        Poll::<()>::Pending
    })
    .await;
}

async fn flush<H: Hooks + 'static>(worker: Shared<H>) {
    poll_fn(|cx| {
        let mut worker = worker.borrow_mut();
        if worker.flusher.is_none() {
            worker.flusher = Some(cx.waker().clone());
        }
        worker.flush();
        Poll::<()>::Pending
    })
    .await;
}

async fn tick<H: Hooks + 'static>(worker: Shared<H>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut worker = worker.borrow_mut();
        let now = worker.clock.now();
        worker.shard.tick(now);
        worker.end_late_closings(now);
        worker.end_late_waits(now);
        for warning in worker.shard.take_warnings() {
            tracing::warn!(worker = worker.worker, "{warning}");
        }
        worker.schedule_flush();
    }
}

/// Waits for the order to stop and carries it out: settle what was read, close
/// clients, drain hooks. Returns what is still unsettled at the deadline.
async fn stopped<H: Hooks + 'static>(worker: &Shared<H>) -> usize {
    let deadline = poll_fn(|cx| {
        let mut worker = worker.borrow_mut();
        worker.stopper = Some(cx.waker().clone());
        worker.stop.map_or(Poll::Pending, Poll::Ready)
    })
    .await;
    worker.borrow_mut().shard.stop_reading();
    wait(deadline, || worker.borrow().shard.unreleased() == 0).await;
    {
        let mut worker = worker.borrow_mut();
        let now = worker.clock.now();
        worker.shard.close_all(now);
        worker.schedule_flush();
    }
    wait(deadline, || worker.borrow().sockets.is_empty()).await;
    wait(deadline, || {
        let mut worker = worker.borrow_mut();
        worker.shard.unreleased() == 0 && worker.shard.hooks().outstanding() == 0
    })
    .await;
    let mut worker = worker.borrow_mut();
    worker.shard.hooks().outstanding()
}

async fn wait(deadline: Instant, mut done: impl FnMut() -> bool) {
    while !done() && Instant::now() < deadline {
        tokio::time::sleep(STOP_CHECK).await;
    }
}

/// The sockets of a worker, by connection.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    slots: Vec<Option<Socket>>,
    used: usize,
}

impl Sockets {
    pub(crate) fn insert(&mut self, socket: Socket) {
        let index = socket.key.index();
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        if self.slots[index].replace(socket).is_none() {
            self.used += 1;
        }
    }

    pub(crate) fn get_mut(&mut self, key: ConnectionKey) -> Option<&mut Socket> {
        self.slots
            .get_mut(key.index())?
            .as_mut()
            .filter(|socket| socket.key == key)
    }

    pub(crate) fn remove(&mut self, key: ConnectionKey) -> Option<Socket> {
        let slot = self.slots.get_mut(key.index())?;
        if slot.as_ref()?.key != key {
            return None;
        }
        self.used -= 1;
        slot.take()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }
}
