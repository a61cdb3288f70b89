//! A listener: accepts, greets within bounds, and sends each client to its worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookwire_broker::{IdGenerator, ListenerInfo, Origin};
use hookwire_mqtt::{Connect, ProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::greeting::{Greeting, GreetingCounters, greet};
use crate::inbox::{Delivery, Greeted, WorkerHandle};

/// What a listener is told.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// What holds for all its clients; its name is in the log too.
    pub info: Arc<ListenerInfo>,
    /// Where it listens; port 0 takes any free one.
    pub address: SocketAddr,
    /// How long a connection may take until its CONNECT is whole.
    pub connect_timeout: Duration,
    /// Connections in that state at once; more wait to be accepted.
    pub max_greeting: usize,
    /// Largest CONNECT, in bytes.
    pub max_packet_bytes: usize,
}

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct Listener {
    settings: ListenerSettings,
    socket: TcpListener,
}

/// How long to wait after accept failed for want of descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

impl Listener {
    /// Takes the address.
    ///
    /// # Errors
    /// What the operating system says; the address is in use, most often.
    pub async fn bind(settings: ListenerSettings) -> io::Result<Self> {
        let socket = TcpListener::bind(settings.address).await?;
        Ok(Self { settings, socket })
    }

    /// The address it listens on, with the port it got.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `stop` turns true; then connections that are being greeted
    /// are given up. `ids` makes the ids of clients that have none.
    pub async fn serve(
        self,
        workers: Vec<WorkerHandle>,
        mut ids: IdGenerator,
        counters: GreetingCounters,
        mut stop: watch::Receiver<bool>,
    ) {
        let workers: Arc<[WorkerHandle]> = workers.into();
        let places = Arc::new(Semaphore::new(self.settings.max_greeting));
        let mut greetings = JoinSet::new();
        let mut clock = Clock::start();
        loop {
            // Every arm is cancel-safe: a permit or a connection that was not
            // handed out stays where it was.
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = greetings.join_next() => continue,
                accepted = self.accept(&places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else {
                continue;
            };
            let assigned = ids.next(clock.now().wall_ms).to_string();
            let task = Newcomer {
                peer,
                settings: self.settings.clone(),
                workers: Arc::clone(&workers),
                counters: counters.clone(),
                place,
                assigned,
            };
            greetings.spawn(task.greet(stream));
        }
        greetings.shutdown().await;
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer, place)),
            Err(error) => {
                tracing::error!(listener = self.settings.info.name, %error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                None
            }
        }
    }
}

/// One connection between accept and its worker.
struct Newcomer {
    peer: SocketAddr,
    settings: ListenerSettings,
    workers: Arc<[WorkerHandle]>,
    counters: GreetingCounters,
    place: OwnedSemaphorePermit,
    /// The id it gets if it brings none.
    assigned: String,
}

impl Newcomer {
    async fn greet(self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let greeted = greet(
            stream,
            self.settings.connect_timeout,
            self.settings.max_packet_bytes,
            &self.counters,
        );
        let Some((stream, Greeting { mut connect, rest })) = greeted.await else {
            return;
        };
        let id_was_assigned = assign_client_id(&mut connect, &self.assigned);
        let socket = match stream.into_std() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "cannot move a connection to its worker");
                return;
            }
        };
        let worker = hookwire_broker::worker_of(&connect.client_id, self.workers.len());
        if let Some(handle) = self.workers.get(worker) {
            handle.push(Delivery::Greeted(Box::new(Greeted {
                socket,
                connect,
                origin: Origin {
                    listener: Arc::clone(&self.settings.info),
                    peer: Some(self.peer),
                    certificate: None,
                    id_was_assigned,
                },
                rest,
                place: Some(self.place),
            })));
        }
    }
}

/// Gives a client without an id one, where its version allows that: MQTT 3.1
/// does not, MQTT 3.1.1 with a clean session only [MQTT-3.1.3-7], MQTT 5 always.
fn assign_client_id(connect: &mut Connect, assigned: &str) -> bool {
    let may = match connect.version {
        ProtocolVersion::V31 => false,
        ProtocolVersion::V311 => connect.clean_start,
        ProtocolVersion::V5 => true,
    };
    if connect.client_id.is_empty() && may {
        connect.client_id = format!("auto-{assigned}");
        return true;
    }
    false
}
