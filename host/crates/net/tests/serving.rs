//! A worker behind a listener: what its clients are known by, and what
//! administrators ask of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use hookwire_broker::{
    Answered, BrokerCall, ClientInfo, ClientState, Command, Counters, Decided, Event, FetchRule,
    Hook, Hooks, IdGenerator, Limits, ListenerInfo, Message, PublishFacts, Question, Refusal,
    Reply, RetainedMessages, RouteTable, RuleSet, Shard, ShardSetup, SharedStrategy, Ticket,
};
use hookwire_mqtt::{Connect, Packet, ProtocolVersion, ReasonCode, TopicFilter, TopicName, decode};
use hookwire_net::{
    Clock, GreetingCounters, Listener, ListenerSettings, WorkerHandle, WorkerSetup, serve_worker,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

/// No rule listens to anything. Clients whose id begins with `held` may not connect.
struct NoRules;

impl Hooks for NoRules {
    fn generation(&self) -> u64 {
        0
    }
    fn wants(&self, _: Hook) -> bool {
        false
    }
    fn match_topic(&mut self, _: Hook, _: TopicName<'_>) -> RuleSet {
        RuleSet::NONE
    }
    fn match_filter(&mut self, _: Hook, _: &TopicFilter) -> RuleSet {
        RuleSet::NONE
    }
    fn match_client(&mut self, _: Hook) -> RuleSet {
        RuleSet::NONE
    }
    fn wants_publish(&self, _: RuleSet, _: PublishFacts) -> bool {
        false
    }
    fn submit_publish(&mut self, _: RuleSet, _: Ticket, _: Arc<Message>) {}
    fn submit_acked(&mut self, _: RuleSet, _: &Arc<ClientInfo>, _: Arc<Message>) {}
    fn submit_position(&mut self, _: RuleSet, _: &Arc<ClientInfo>, _: Arc<Message>) {}

    fn fetch_rules(&mut self, _: hookwire_broker::Wants, _: &TopicFilter) -> Vec<FetchRule> {
        Vec::new()
    }

    fn rule_names(&self, _: RuleSet) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn submit_event(&mut self, _: Event) {}
    fn ask(&mut self, _: RuleSet, _: Ticket, _: Question) {}
    fn take_answers(&mut self, _: &mut Vec<Answered>) {}
    fn take_calls(&mut self, _: &mut Vec<BrokerCall>) {}
    fn has_room(&self, _: &str) -> bool {
        true
    }
    fn may_connect(&self, clientid: &str) -> bool {
        !clientid.starts_with("held")
    }
    fn abandon(&mut self, _: u64) {}
    fn take_decided(&mut self, _: &mut Vec<Decided>) {}
    fn set_waker(&mut self, _: Waker) {}
    fn outstanding(&self) -> usize {
        0
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const ARRIVAL_MS: u64 = 1_500;
const MAX_GREETING: usize = 4;

fn setup(peers: Vec<WorkerHandle>) -> WorkerSetup<NoRules> {
    let mut clock = Clock::start();
    let now = clock.now();
    let shard = ShardSetup {
        worker: 0,
        workers: 1,
        limits: Limits {
            authentication_ms: ARRIVAL_MS,
            ..Limits::default()
        },
        routes: Arc::new(RouteTable::new(SharedStrategy::RoundRobin)),
        retained: Arc::new(RetainedMessages::new(10, 10_000)),
        ids: IdGenerator::new(0, 0, 0),
        node: None,
    };
    WorkerSetup {
        shard: Shard::new(shard, NoRules, now),
        clock,
        worker: 0,
        peers,
        max_packet_bytes: 65_536,
    }
}

/// Reads one packet, whatever it is, in words.
async fn next(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        if let Some((packet, _)) = decode(&bytes, ProtocolVersion::V5, 65_536).unwrap() {
            return format!("{packet:?}");
        }
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut bytes));
        assert!(read.await.unwrap().unwrap() > 0, "the broker closed");
    }
}

async fn ask<T: Send + 'static>(
    worker: &WorkerHandle,
    command: impl FnOnce(Reply<T>) -> Command,
) -> T {
    let (sender, receiver) = oneshot::channel();
    // Nobody may listen any more.
    worker.command(command(Reply::new(|answer| drop(sender.send(answer)))));
    tokio::time::timeout(PATIENCE, receiver)
        .await
        .unwrap()
        .unwrap()
}

async fn connect(address: SocketAddr, version: ProtocolVersion, clientid: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    let connect = Connect::new(version, clientid);
    Packet::Connect(Box::new(connect)).encode(version, &mut bytes);
    stream.write_all(&bytes).await.unwrap();
    stream
}

async fn talk(address: SocketAddr, worker: &WorkerHandle) {
    let mut stream = connect(address, ProtocolVersion::V5, "client").await;
    assert!(next(&mut stream).await.contains("Success"));

    let clients: Vec<ClientState> = ask(worker, |reply| Command::Clients {
        after: None,
        limit: 10,
        reply,
    })
    .await;
    assert_eq!(clients.len(), 1);
    let connection = clients[0].client.connection.as_ref().unwrap();
    assert_eq!(connection.listener.name, "inside");
    assert_eq!(connection.peer, Some(stream.local_addr().unwrap()));

    let (holdings, counters) = ask(worker, |reply| Command::Report { reply }).await;
    assert_eq!((holdings.online, counters.connections_accepted), (1, 1));

    let was_there = ask(worker, |reply| {
        Command::Call(BrokerCall::Disconnect {
            clientid: "client".into(),
            refusal: Refusal {
                reason: ReasonCode::AdministrativeAction,
                text: "goodbye".to_owned(),
            },
            reply: Some(reply),
        })
    })
    .await;
    assert!(was_there);
    let last = next(&mut stream).await;
    assert!(
        last.contains("AdministrativeAction") && last.contains("goodbye"),
        "{last}"
    );
}

/// Runs a test against a listener and its worker; what the worker counted.
fn serving(test: impl AsyncFnOnce(SocketAddr, &WorkerHandle)) -> Counters {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let worker = WorkerHandle::default();
        let served = tokio::task::spawn_local(serve_worker(setup(vec![worker.clone()])));
        let listener = Listener::bind(ListenerSettings {
            info: Arc::new(ListenerInfo {
                name: "inside".to_owned(),
                ..ListenerInfo::default()
            }),
            address: "127.0.0.1:0".parse().unwrap(),
            connect_timeout: PATIENCE,
            max_greeting: MAX_GREETING,
            max_packet_bytes: 65_536,
        });
        let listener = listener.await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let ids = IdGenerator::new(0, 1, 0);
        let counters = GreetingCounters::default();
        let listening = listener.serve(vec![worker.clone()], ids, counters, stopping);
        let listening = tokio::task::spawn_local(listening);
        test(address, &worker).await;
        stop.send(true).unwrap();
        worker.stop(Instant::now() + PATIENCE);
        listening.await.unwrap();
        let report = served.await.unwrap();
        assert_eq!(report.unsettled, 0);
        report.counters
    })
}

#[test]
fn a_client_is_known_by_its_listener_and_address_and_closed_by_command() {
    let counters = serving(talk);
    assert_eq!(counters.connections_accepted, 1);
}

#[test]
fn those_who_may_not_connect_are_in_nobodys_way_and_are_told_in_time() {
    let counters = serving(async |address, worker| {
        let mut held = Vec::new();
        for number in 0..2 * MAX_GREETING {
            let version = match number % 2 {
                0 => ProtocolVersion::V5,
                _ => ProtocolVersion::V311,
            };
            let began = Instant::now();
            let stream = connect(address, version, &format!("held{number}")).await;
            held.push((stream, version, began));
        }
        // Whoever is let in is served meanwhile.
        talk(address, worker).await;
        assert!(held[0].2.elapsed() < Duration::from_millis(ARRIVAL_MS));
        for (mut stream, version, began) in held {
            let mut answer = Vec::new();
            let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
            read.await.unwrap().unwrap();
            assert!(began.elapsed() >= Duration::from_millis(ARRIVAL_MS));
            let Some((Packet::ConnAck(ack), used)) = decode(&answer, version, 65_536).unwrap()
            else {
                panic!("no CONNACK: {answer:?}");
            };
            assert_eq!(ack.reason, ReasonCode::ServerUnavailable);
            assert_eq!(answer[3], if version.is_v5() { 0x88 } else { 3 });
            assert_eq!(used, answer.len());
        }
    });
    assert_eq!(counters.connections_refused, 2 * MAX_GREETING as u64);
}

#[test]
fn who_leaves_before_it_may_connect_is_forgotten() {
    let counters = serving(async |address, _| {
        for _ in 0..3 {
            drop(connect(address, ProtocolVersion::V5, "held").await);
        }
        let mut stays = connect(address, ProtocolVersion::V5, "held").await;
        assert!(next(&mut stays).await.contains("ServerUnavailable"));
    });
    assert_eq!(counters.connections_refused, 1);
}
