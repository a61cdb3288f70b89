//! From CONNECT to the door: what rules are asked before a client is let in, one
//! after the other, then the end of earlier connections of its id.

use std::sync::Arc;

use hookwire_mqtt::{Connect, Packet, ReasonCode, TopicName};

use super::access::Leave;
use super::inbound::Breach;
use super::refuse::taken_over;
use super::{CloseReason, ConnectionKey, Farewell};
use crate::delayed;
use crate::hooks::{
    Access, Answer, AuthenticationStep, ClientEvent, ClientInfo, Denial, Event, Hook, Hooks,
    Operation, Question, Restored, RuleSet,
};
use crate::shard::{Flow, Shard};
use crate::time::Now;

/// A CONNECT that is not answered yet.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) connect: Connect,
    pub(crate) id_was_assigned: bool,
    /// When it is given up, on the steady clock.
    pub(crate) deadline_ms: u64,
    /// What an enhanced authentication ended with, for CONNACK.
    pub(crate) authentication_data: Option<Vec<u8>>,
    /// How far it is.
    pub(crate) step: Step,
    /// Number of the question whose answer it waits for.
    pub(crate) awaits: Option<u64>,
}

/// What stands between CONNECT and CONNACK, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// `client.connect`
    Connect,
    /// `client.authenticate`, in one or more exchanges.
    Authenticate,
    /// `client.authorize` for the will.
    Will,
    /// Earlier connections of the client end, and their publishes are settled.
    Admit,
    /// `session.created`, if there is none to go on with.
    Session,
}

impl<H: Hooks> Shard<H> {
    /// A packet that came before CONNACK. It waits, unless the client chose an
    /// enhanced authentication, which leaves it AUTH and DISCONNECT alone
    /// [MQTT-3.1.2-30].
    pub(super) fn packet_while_arriving(
        &mut self,
        now: Now,
        key: ConnectionKey,
        packet: Packet<'_>,
    ) -> Flow {
        let is_enhanced = self
            .connection(key)
            .is_some_and(|connection| connection.authentication.is_some());
        match packet {
            Packet::Auth(auth) => self.on_auth(now, key, *auth),
            Packet::Disconnect(_) if is_enhanced => self.close(now, key, CloseReason::Normal, None),
            _ if is_enhanced => self.breach(
                now,
                key,
                &Breach {
                    kind: "packet during authentication",
                    reason: ReasonCode::ProtocolError,
                    text: "nothing but AUTH and DISCONNECT may come before CONNACK",
                },
            ),
            _ => {
                self.pause(key);
                return Flow::Later;
            }
        }
        self.open_or_close(key)
    }

    /// Begins a step of an arrival. Where there is nobody to ask, the next follows.
    pub(super) fn arrive(&mut self, now: Now, key: ConnectionKey, step: Step) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let Some(arrival) = &mut connection.arrival else {
            return;
        };
        arrival.step = step;
        let client = Arc::clone(&connection.client);
        match step {
            Step::Connect => {
                let rules = self.hooks.match_client(Hook::ClientConnect);
                if rules == RuleSet::NONE {
                    return self.arrive(now, key, Step::Authenticate);
                }
                self.ask_arriving(key, rules, Question::Connect(client));
            }
            Step::Authenticate => {
                let rules = self.hooks.match_client(Hook::ClientAuthenticate);
                if rules == RuleSet::NONE {
                    return self.unauthenticated(now, key);
                }
                self.submit_authentication(key, AuthenticationStep::Connect, None);
            }
            Step::Will => self.authorize_will(now, key, client),
            Step::Admit => self.admit(now, key, &client),
            Step::Session => {
                let rules = self.hooks.match_client(Hook::SessionCreated);
                if rules == RuleSet::NONE {
                    return self.welcome(now, key, Restored::default());
                }
                self.ask_arriving(key, rules, Question::CreateSession(client));
            }
        }
    }

    /// Asks about a connection that arrives, and waits until its deadline at most.
    pub(super) fn ask_arriving(&mut self, key: ConnectionKey, rules: RuleSet, question: Question) {
        let number = self.ask(key, rules, question);
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let is_armed = connection.armed_ms.is_some();
        let Some(arrival) = &mut connection.arrival else {
            return;
        };
        arrival.awaits = Some(number);
        let deadline_ms = arrival.deadline_ms;
        if !is_armed {
            self.arm_connection(deadline_ms, key);
        }
    }

    /// An answer about a connection that arrives, if it is the one awaited.
    pub(super) fn arrival_answered(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        answer: Answer,
    ) {
        let Some(arrival) = self
            .connection_mut(key)
            .filter(|connection| connection.is_open())
            .and_then(|connection| connection.arrival.as_mut())
            .filter(|arrival| arrival.awaits == Some(number))
        else {
            return;
        };
        arrival.awaits = None;
        match (arrival.step, answer) {
            (Step::Connect, Answer::Connect(None)) => self.arrive(now, key, Step::Authenticate),
            (Step::Connect, Answer::Connect(Some(denial)))
            | (Step::Session, Answer::CreateSession(Err(denial))) => self.deny(now, key, denial),
            (Step::Authenticate, Answer::Authenticate(outcome)) => {
                self.authenticated(now, key, outcome);
            }
            (Step::Will, Answer::Authorize(authorization)) => {
                let leave = self.leave_of(key, authorization);
                self.will_decided(now, key, leave);
            }
            (Step::Session, Answer::CreateSession(Ok(restored))) => {
                self.welcome(now, key, restored);
            }
            // An answer to something else is none.
            _ => {
                let text = "the rules gave no answer";
                let farewell = Farewell::new(ReasonCode::UnspecifiedError, text);
                self.close(now, key, CloseReason::Refused, Some(farewell));
            }
        }
    }

    fn authorize_will(&mut self, now: Now, key: ConnectionKey, client: Arc<ClientInfo>) {
        let will = self
            .connection(key)
            .and_then(|connection| connection.arrival.as_ref())
            .and_then(|arrival| arrival.connect.will.as_ref());
        let Some(will) = will else {
            return self.arrive(now, key, Step::Admit);
        };
        let (qos, retain) = (will.qos, will.retain);
        // A will that is held back goes to the topic behind the delay.
        let topic = match delayed::parse(&will.topic) {
            Ok((topic, _)) => topic.as_str(),
            Err(delayed::NotDelayed) => &will.topic,
        };
        let topic: Arc<str> = Arc::from(topic);
        let rules = match TopicName::new(&topic) {
            Ok(name) => self.hooks.match_topic(Hook::ClientAuthorize, name),
            Err(_) => RuleSet::NONE,
        };
        if rules == RuleSet::NONE {
            let leave = self.default_leave(key);
            return self.will_decided(now, key, leave);
        }
        let access = Access {
            client,
            operation: Operation::PublishWill,
            topic,
            qos,
            retain,
        };
        self.ask_arriving(key, rules, Question::Authorize(access));
    }

    fn will_decided(&mut self, now: Now, key: ConnectionKey, leave: Leave) {
        match leave {
            Leave::Granted => self.arrive(now, key, Step::Admit),
            Leave::Refused(refusal) | Leave::Disconnect(refusal) => {
                self.counters.publishes_denied += 1;
                let denial = Denial {
                    refusal,
                    server_reference: None,
                };
                self.deny(now, key, denial);
            }
        }
    }

    /// The client may come in: earlier connections of its id end, and once their
    /// publishes are settled it is served.
    fn admit(&mut self, now: Now, key: ConnectionKey, client: &Arc<ClientInfo>) {
        let clientid = Arc::clone(&client.clientid);
        if let Some(other) = self.arriving.insert(clientid, key)
            && other != key
        {
            self.close(now, other, CloseReason::TakenOver, Some(taken_over()));
        }
        self.take_over(now, key, client);
        self.begin_if_alone(now, &client.clientid);
    }

    /// Goes on with the connection that arrives with this client id, unless
    /// publishes of an earlier one are still with the rules: the order of a
    /// client's publishes holds over its connections.
    pub(crate) fn begin_if_alone(&mut self, now: Now, clientid: &str) {
        if self.leaving.contains_key(clientid) {
            return;
        }
        let waits = self.arriving.get(clientid).copied().filter(|&key| {
            let arrival = self
                .connection(key)
                .and_then(|found| found.arrival.as_ref());
            arrival.is_some_and(|arrival| arrival.step == Step::Admit)
        });
        if let Some(key) = waits {
            self.begin(now, key);
        }
    }

    /// Closes the connection that has this client id already [MQTT-3.1.4-3].
    fn take_over(&mut self, now: Now, by: ConnectionKey, client: &ClientInfo) {
        let clean_start = self
            .connection(by)
            .and_then(|connection| connection.arrival.as_ref())
            .is_some_and(|arrival| arrival.connect.clean_start);
        let Some(&session_key) = self.clients.get(&client.clientid) else {
            return;
        };
        let Some(session) = self.session_mut(session_key) else {
            return;
        };
        let Some(old) = session.connection else {
            return;
        };
        // If it ends with its connection, the new one's clean start ends it.
        session.is_discarded = clean_start;
        let is_passed_on = !clean_start && session.expiry_interval_s > 0;
        let former = Arc::clone(&session.client);
        self.counters.takeovers += 1;
        if is_passed_on {
            self.tell_client(now, Hook::SessionTakenover, &former, "");
        }
        self.close(now, old, CloseReason::TakenOver, Some(taken_over()));
        if let Some(session) = self.session_mut(session_key) {
            session.is_discarded = false;
        }
    }

    /// Tells rules of something that happened to a client.
    pub(crate) fn tell_client(
        &mut self,
        now: Now,
        hook: Hook,
        client: &Arc<ClientInfo>,
        reason: &'static str,
    ) {
        self.tell_client_code(now, hook, client, reason, ReasonCode::Success);
    }

    pub(crate) fn tell_client_code(
        &mut self,
        now: Now,
        hook: Hook,
        client: &Arc<ClientInfo>,
        reason: &'static str,
        reason_code: ReasonCode,
    ) {
        if self.hooks.wants(hook) {
            self.hooks.submit_event(Event::Client(ClientEvent {
                hook,
                client: Arc::clone(client),
                reason_code,
                reason,
                at_ms: now.wall_ms,
            }));
        }
    }
}
