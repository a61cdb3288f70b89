//! Several shards, stepped by hand: clients that speak packets, hooks that
//! answer when the test says so, and mail that travels when the test says so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use hookwire_broker::{
    Authenticated, Authentication, AuthenticationOutcome, ClientEvent, ClientHook, ClientInfo,
    ConnectionKey, Counters, Decided, Flow, Holdings, Hooks, IdGenerator, Limits, Message, Node,
    Now, PublishFacts, RetainedMessages, RouteTable, RuleSet, Shard, ShardSetup, SharedStrategy,
    Ticket, Verdict, WorkerId, worker_of,
};
use hookwire_mqtt::{
    Ack, AckKind, ConnAck, ConnAckProperties, Connect, Packet, PacketId, ProtocolVersion, Publish,
    PublishProperties, QoS, Subscribe, SubscribeFilter, TopicFilter, TopicName, decode,
};

/// What a test sees of the hooks of all shards, and how it answers them.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// A message.publish rule listens to these topics.
    pub(crate) publish_filter: Option<TopicFilter>,
    /// A message.acked rule listens to these topics.
    pub(crate) acked_filter: Option<TopicFilter>,
    pub(crate) listens_to_clients: bool,
    pub(crate) full: bool,
    pub(crate) submitted: VecDeque<(WorkerId, Ticket, Arc<Message>)>,
    pub(crate) acked: Vec<(String, String)>,
    pub(crate) abandoned: Vec<u64>,
    pub(crate) client_events: Vec<(ClientHook, String, &'static str)>,
    /// Whether somebody looks at user names and passwords.
    pub(crate) wants_passwords: bool,
    /// The one method of enhanced authentication.
    pub(crate) method: Option<&'static str>,
    pub(crate) authentications: VecDeque<(WorkerId, Ticket, Authentication)>,
}

impl Script {
    fn authenticates(&self, method: Option<&str>) -> bool {
        match method {
            None => self.wants_passwords,
            method => method == self.method,
        }
    }
}

#[derive(Debug)]
pub(crate) struct ScriptedHooks {
    worker: WorkerId,
    script: Rc<RefCell<Script>>,
    answers: Rc<RefCell<Answers>>,
}

/// What the hooks of one worker have answered and the shard has not taken.
#[derive(Debug, Default)]
struct Answers {
    decided: Vec<Decided>,
    authenticated: Vec<Authenticated>,
}

const RULES: RuleSet = RuleSet(1);

fn matching(filter: Option<&TopicFilter>, topic: TopicName<'_>) -> RuleSet {
    match filter {
        Some(filter) if filter.matches(topic) => RULES,
        _ => RuleSet::NONE,
    }
}

impl Hooks for ScriptedHooks {
    fn generation(&self) -> u64 {
        0
    }

    fn match_publish(&mut self, topic: TopicName<'_>) -> RuleSet {
        matching(self.script.borrow().publish_filter.as_ref(), topic)
    }

    fn wants_publish(&self, set: RuleSet, _: PublishFacts) -> bool {
        set == RULES
    }

    fn submit_publish(&mut self, set: RuleSet, ticket: Ticket, message: Arc<Message>) {
        assert_eq!(set, RULES);
        self.script
            .borrow_mut()
            .submitted
            .push_back((self.worker, ticket, message));
    }

    fn wants_acked(&self) -> bool {
        self.script.borrow().acked_filter.is_some()
    }

    fn match_acked(&mut self, topic: TopicName<'_>) -> RuleSet {
        matching(self.script.borrow().acked_filter.as_ref(), topic)
    }

    fn submit_acked(&mut self, _: RuleSet, client: &Arc<ClientInfo>, message: Arc<Message>) {
        let payload = String::from_utf8_lossy(&message.payload).into_owned();
        self.script
            .borrow_mut()
            .acked
            .push((client.clientid.to_string(), payload));
    }

    fn wants_client(&self, _: ClientHook) -> bool {
        self.script.borrow().listens_to_clients
    }

    fn submit_client(&mut self, event: ClientEvent) {
        let id = event.client.clientid.to_string();
        self.script
            .borrow_mut()
            .client_events
            .push((event.hook, id, event.reason));
    }

    fn wants_authentication(&self, method: Option<&str>) -> bool {
        self.script.borrow().authenticates(method)
    }

    fn submit_authentication(&mut self, ticket: Ticket, step: Authentication) {
        let mut script = self.script.borrow_mut();
        script
            .authentications
            .push_back((self.worker, ticket, step));
    }

    fn take_authenticated(&mut self, answers: &mut Vec<Authenticated>) {
        answers.append(&mut self.answers.borrow_mut().authenticated);
    }

    fn has_room(&self, _: &str) -> bool {
        !self.script.borrow().full
    }

    fn may_connect(&self, clientid: &str) -> bool {
        self.has_room(clientid)
    }

    fn abandon(&mut self, key: u64) {
        self.script.borrow_mut().abandoned.push(key);
    }

    fn take_decided(&mut self, decided: &mut Vec<Decided>) {
        decided.append(&mut self.answers.borrow_mut().decided);
    }

    fn set_waker(&mut self, _: Waker) {}

    fn outstanding(&self) -> usize {
        self.script.borrow().submitted.len()
    }
}

/// A packet that a client got, in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    Publish {
        topic: String,
        payload: String,
        qos: QoS,
        packet_id: Option<u16>,
        /// Flags and properties that are not usual.
        marks: String,
    },
    Other(String),
}

pub(crate) struct Client {
    pub(crate) worker: usize,
    pub(crate) key: ConnectionKey,
    pub(crate) version: ProtocolVersion,
    received: Vec<u8>,
    pub(crate) paused: bool,
    pub(crate) closed: bool,
}

pub(crate) struct World {
    pub(crate) shards: Vec<Shard<ScriptedHooks>>,
    answers: Vec<Rc<RefCell<Answers>>>,
    pub(crate) script: Rc<RefCell<Script>>,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) retained: Arc<RetainedMessages>,
    pub(crate) clients: Vec<Client>,
    pub(crate) now: Now,
    /// Mail is carried by `settle` only when this is set.
    pub(crate) carry_mail: bool,
    /// Sockets take nothing while this is set.
    pub(crate) stop_writing: bool,
    unwritten: Vec<(usize, ConnectionKey)>,
}

/// Wall clock at the beginning.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// Small bounds, so that tests reach them.
pub(crate) fn limits() -> Limits {
    Limits {
        receive_maximum: 4,
        max_inflight: 2,
        max_queued_messages: 3,
        max_output_bytes: 10_000,
        ..Limits::default()
    }
}

impl World {
    pub(crate) fn new(workers: u16) -> Self {
        Self::with(workers, &limits())
    }

    pub(crate) fn with(workers: u16, limits: &Limits) -> Self {
        Self::made_of(workers, limits, None)
    }

    /// A world whose broker speaks under `$SYS`.
    pub(crate) fn speaking(workers: u16, node: Node) -> Self {
        let node = Arc::new(node);
        Self::made_of(workers, &limits(), Some(&node))
    }

    fn made_of(workers: u16, limits: &Limits, node: Option<&Arc<Node>>) -> Self {
        let routes = Arc::new(RouteTable::new(SharedStrategy::RoundRobin));
        let retained = Arc::new(RetainedMessages::new(100, 1_000_000));
        let script = Rc::new(RefCell::new(Script::default()));
        let now = Now {
            mono_ms: 0,
            wall_ms: START_MS,
        };
        let answers: Vec<Rc<RefCell<Answers>>> = (0..workers).map(|_| Rc::default()).collect();
        let shards = (0..workers)
            .map(|worker| {
                let hooks = ScriptedHooks {
                    worker,
                    script: Rc::clone(&script),
                    answers: Rc::clone(&answers[usize::from(worker)]),
                };
                let setup = ShardSetup {
                    worker,
                    workers,
                    limits: limits.clone(),
                    routes: Arc::clone(&routes),
                    retained: Arc::clone(&retained),
                    ids: IdGenerator::new(0, worker, 0),
                    node: node.cloned(),
                };
                Shard::new(setup, hooks, now)
            })
            .collect();
        Self {
            shards,
            answers,
            script,
            routes,
            retained,
            clients: Vec::new(),
            now,
            carry_mail: true,
            stop_writing: false,
            unwritten: Vec::new(),
        }
    }

    /// Connects with clean session; returns the client's number.
    pub(crate) fn connect(&mut self, version: ProtocolVersion, id: &str) -> usize {
        let client = self.connect_with(Connect::new(version, id));
        let got = self.got(client);
        assert!(
            matches!(&got[..], [Got::Other(ack)] if ack.contains("Success")),
            "{got:?}"
        );
        client
    }

    pub(crate) fn connect_with(&mut self, connect: Connect) -> usize {
        let worker = worker_of(&connect.client_id, self.shards.len());
        let version = connect.version;
        let key = self.shards[worker].connect(self.now, connect, false);
        self.clients.push(Client {
            worker,
            key,
            version,
            received: Vec::new(),
            paused: false,
            closed: false,
        });
        self.settle();
        self.clients.len() - 1
    }

    pub(crate) fn send(&mut self, client: usize, packet: Packet<'_>) -> Flow {
        let Client { worker, key, .. } = self.clients[client];
        let flow = self.shards[worker].packet(self.now, key, packet);
        self.clients[client].paused = flow == Flow::Later;
        self.settle();
        flow
    }

    pub(crate) fn subscribe(&mut self, client: usize, filter: &str, qos: QoS) {
        self.send(
            client,
            Packet::Subscribe(Subscribe {
                packet_id: PacketId::FIRST,
                subscription_identifier: None,
                user_properties: Vec::new(),
                filters: vec![SubscribeFilter::new(filter, qos)],
            }),
        );
    }

    pub(crate) fn publish(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        id: Option<u16>,
    ) -> Flow {
        let qos = if id.is_some() {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        };
        self.send(
            client,
            Packet::Publish(Publish {
                dup: false,
                qos,
                retain: false,
                topic: TopicName::new(topic).unwrap(),
                packet_id: id.and_then(PacketId::new),
                properties: PublishProperties::default(),
                payload: payload.as_bytes(),
            }),
        )
    }

    pub(crate) fn publish_exactly_once(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        id: u16,
    ) -> Flow {
        self.send(
            client,
            Packet::Publish(Publish {
                dup: false,
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: TopicName::new(topic).unwrap(),
                packet_id: PacketId::new(id),
                properties: PublishProperties::default(),
                payload: payload.as_bytes(),
            }),
        )
    }

    /// Publishes at QoS 0 with the retain flag.
    pub(crate) fn retain(&mut self, client: usize, topic: &str, payload: &str) {
        self.publish_as(client, topic, payload, true, &[]);
    }

    /// Publishes at QoS 0 by a topic alias alone.
    pub(crate) fn publish_aliased(&mut self, client: usize, payload: &str, properties: &[u8]) {
        // Only the codec makes the empty topic.
        let body_bytes = 3 + properties.len() + payload.len();
        let mut bytes = vec![0x30, u8::try_from(body_bytes).unwrap(), 0, 0];
        bytes.push(u8::try_from(properties.len()).unwrap());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload.as_bytes());
        let (packet, _) = decode(&bytes, ProtocolVersion::V5, 1_000).unwrap().unwrap();
        self.send(client, packet);
    }

    /// Publishes at QoS 0 with these encoded properties.
    pub(crate) fn publish_as(
        &mut self,
        client: usize,
        topic: &str,
        payload: &str,
        retain: bool,
        properties: &[u8],
    ) {
        self.send(
            client,
            Packet::Publish(Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain,
                topic: TopicName::new(topic).unwrap(),
                packet_id: None,
                properties: PublishProperties::from_validated(properties),
                payload: payload.as_bytes(),
            }),
        );
    }

    pub(crate) fn puback(&mut self, client: usize, id: u16) {
        self.ack(client, AckKind::PubAck, id);
    }

    pub(crate) fn ack(&mut self, client: usize, kind: AckKind, id: u16) {
        let ack = Ack::success(PacketId::new(id).unwrap());
        let packet = match kind {
            AckKind::PubAck => Packet::PubAck(ack),
            AckKind::PubRec => Packet::PubRec(ack),
            AckKind::PubRel => Packet::PubRel(ack),
            AckKind::PubComp => Packet::PubComp(ack),
        };
        self.send(client, packet);
    }

    /// What CONNACK granted; nothing else may have been written.
    pub(crate) fn granted(&mut self, client: usize) -> ConnAckProperties {
        let client = &mut self.clients[client];
        let bytes = std::mem::take(&mut client.received);
        match decode(&bytes, client.version, usize::MAX) {
            Ok(Some((Packet::ConnAck(ack), _))) => ack.properties,
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    pub(crate) fn holdings(&self) -> Holdings {
        let mut sum = Holdings::default();
        for shard in &self.shards {
            sum.add(&shard.holdings());
        }
        sum
    }

    /// Answers the n-th waiting submission.
    pub(crate) fn decide(&mut self, index: usize, verdict: Verdict) {
        let (worker, ticket, _) = self.script.borrow_mut().submitted.remove(index).unwrap();
        self.answers[usize::from(worker)]
            .borrow_mut()
            .decided
            .push(Decided { ticket, verdict });
        self.shards[usize::from(worker)].take_verdicts(self.now);
        self.settle();
    }

    /// Answers the oldest step of authentication.
    pub(crate) fn authenticate(&mut self, outcome: AuthenticationOutcome) {
        let oldest = self.script.borrow_mut().authentications.pop_front();
        let (worker, ticket, _) = oldest.unwrap();
        self.answers[usize::from(worker)]
            .borrow_mut()
            .authenticated
            .push(Authenticated { ticket, outcome });
        self.shards[usize::from(worker)].take_verdicts(self.now);
        self.settle();
    }

    /// Lets the worker notice that hooks have room again.
    pub(crate) fn wake(&mut self) {
        for shard in &mut self.shards {
            shard.take_verdicts(self.now);
        }
        self.settle();
    }

    pub(crate) fn drop_socket(&mut self, client: usize) {
        let Client { worker, key, .. } = self.clients[client];
        self.clients[client].closed = true;
        self.shards[worker].socket_closed(self.now, key);
        self.settle();
    }

    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
        for shard in &mut self.shards {
            shard.tick(self.now);
        }
        self.settle();
    }

    /// Carries bytes and mail until nothing moves.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for worker in 0..self.shards.len() {
                moved |= self.flush(worker);
            }
            if !moved {
                return;
            }
        }
    }

    fn flush(&mut self, worker: usize) -> bool {
        let mut keys = Vec::new();
        self.shards[worker].take_resumed(&mut keys);
        for client in &mut self.clients {
            if client.worker == worker && keys.contains(&client.key) {
                client.paused = false;
            }
        }
        let mut moved = !keys.is_empty();
        keys.clear();
        self.shards[worker].take_dirty(&mut keys);
        moved |= !keys.is_empty() && !self.stop_writing;
        if self.stop_writing {
            self.unwritten
                .extend(keys.drain(..).map(|key| (worker, key)));
        } else {
            let before = self.unwritten.extract_if(.., |(of, _)| *of == worker);
            keys.extend(before.map(|(_, key)| key));
        }
        for key in keys {
            self.write(worker, key);
        }
        if self.carry_mail {
            for to in 0..self.shards.len() {
                let mail = self.shards[worker].take_mail(WorkerId::try_from(to).unwrap());
                if !mail.is_empty() {
                    moved = true;
                    let from = WorkerId::try_from(worker).unwrap();
                    self.shards[to].receive(self.now, from, mail);
                }
            }
        }
        moved
    }

    fn write(&mut self, worker: usize, key: ConnectionKey) {
        let shard = &mut self.shards[worker];
        let client = self
            .clients
            .iter_mut()
            .find(|client| client.worker == worker && client.key == key);
        let mut scratch = Vec::new();
        let received = match client {
            Some(client) => &mut client.received,
            // The answer to a connect call that has not returned yet.
            None => &mut scratch,
        };
        if let Some(output) = shard.output(key) {
            while !output.is_empty() {
                let mut slices = [IoSlice::new(&[]); 8];
                let used = output.slices(&mut slices);
                let written = slices[..used].iter().map(|slice| slice.len()).sum();
                slices[..used]
                    .iter()
                    .for_each(|slice| received.extend_from_slice(slice));
                output.advance(written);
            }
        }
        shard.written(self.now, key);
        if shard.is_closing(key) {
            shard.socket_closed(self.now, key);
            if let Some(client) = self
                .clients
                .iter_mut()
                .find(|client| client.worker == worker && client.key == key)
            {
                client.closed = true;
            }
        }
    }

    /// Bytes that the client got since the last call of `got`.
    pub(crate) fn received_bytes(&self, client: usize) -> usize {
        self.clients[client].received.len()
    }

    /// What the client got since the last call.
    pub(crate) fn got(&mut self, client: usize) -> Vec<Got> {
        let client = &mut self.clients[client];
        let bytes = std::mem::take(&mut client.received);
        let mut rest = &bytes[..];
        let mut got = Vec::new();
        while let Some((packet, used)) = decode(rest, client.version, usize::MAX).unwrap() {
            got.push(describe(&packet));
            rest = &rest[used..];
        }
        assert!(rest.is_empty(), "half a packet was written");
        got
    }

    /// The payloads of the PUBLISH packets among what the client got.
    pub(crate) fn payloads(&mut self, client: usize) -> Vec<String> {
        self.got(client)
            .into_iter()
            .filter_map(|got| match got {
                Got::Publish { payload, .. } => Some(payload),
                Got::Other(_) => None,
            })
            .collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for shard in &self.shards {
            sum.add(shard.counters());
        }
        sum
    }

    /// Nothing of any client is left in any shard.
    pub(crate) fn assert_empty(&self) {
        assert!(self.routes.is_empty(), "routes are left");
        for shard in &self.shards {
            // Places on the wheel are void, and leave it in time.
            let holdings = Holdings {
                timers: 0,
                ..shard.holdings()
            };
            assert_eq!(holdings, Holdings::default());
        }
    }
}

fn describe(packet: &Packet<'_>) -> Got {
    match packet {
        Packet::Publish(publish) => Got::Publish {
            topic: publish.topic.as_str().to_owned(),
            payload: String::from_utf8_lossy(publish.payload).into_owned(),
            qos: publish.qos,
            packet_id: publish.packet_id.map(PacketId::get),
            marks: marks(publish),
        },
        Packet::ConnAck(ConnAck {
            session_present: true,
            ..
        }) => Got::Other("CONNACK Success, session present".to_owned()),
        Packet::ConnAck(ConnAck {
            reason,
            properties:
                ConnAckProperties {
                    authentication_method: Some(method),
                    authentication_data: data,
                    ..
                },
            ..
        }) => {
            let data = data.as_deref().unwrap_or_default();
            let data = String::from_utf8_lossy(data);
            Got::Other(format!("CONNACK {reason:?} {method} {data}"))
        }
        Packet::Auth(auth) => {
            let method = auth.method.as_deref().unwrap_or_default();
            let data = auth.data.as_deref().unwrap_or_default();
            let data = String::from_utf8_lossy(data);
            Got::Other(format!("AUTH {:?} {method} {data}", auth.reason))
        }
        Packet::ConnAck(ConnAck { reason, .. }) => Got::Other(format!("CONNACK {reason:?}")),
        Packet::PubRec(ack) => Got::Other(format!("PUBREC {} {:?}", ack.packet_id, ack.reason)),
        Packet::PubRel(ack) => Got::Other(format!("PUBREL {} {:?}", ack.packet_id, ack.reason)),
        Packet::PubComp(ack) => Got::Other(format!("PUBCOMP {} {:?}", ack.packet_id, ack.reason)),
        Packet::PubAck(ack) => Got::Other(format!("PUBACK {} {:?}", ack.packet_id, ack.reason)),
        Packet::SubAck(ack) => Got::Other(format!("SUBACK {:?}", ack.reasons)),
        Packet::UnsubAck(ack) => Got::Other(format!("UNSUBACK {:?}", ack.reasons)),
        Packet::Disconnect(packet) => Got::Other(format!("DISCONNECT {:?}", packet.reason)),
        Packet::PingResp => Got::Other("PINGRESP".to_owned()),
        other => Got::Other(format!("{other:?}")),
    }
}

fn marks(publish: &Publish<'_>) -> String {
    let properties = publish.properties;
    let ids: Vec<u32> = properties.subscription_identifiers().collect();
    let mut marks = Vec::new();
    if publish.dup {
        marks.push("dup".to_owned());
    }
    if publish.retain {
        marks.push("retain".to_owned());
    }
    if !ids.is_empty() {
        marks.push(format!("ids {ids:?}"));
    }
    if let Some(seconds) = properties.message_expiry_interval() {
        marks.push(format!("expiry {seconds}"));
    }
    if let Some(alias) = properties.topic_alias() {
        marks.push(format!("alias {alias}"));
    }
    for (name, value) in properties.user_properties() {
        marks.push(format!("{name}={value}"));
    }
    marks.join(", ")
}
