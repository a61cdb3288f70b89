//! From the broker to the client: deliveries as they come, and the last packet.

use std::sync::Arc;

use hookwire_mqtt::{
    Disconnect, PacketId, PublishHeader, PublishProperties, QoS, ReasonCode, TopicName,
    publish_len, write_subscription_identifier, write_topic_alias,
};

use super::waiting::By;
use super::{Connection, ConnectionKey, Farewell, TopicForm};
use crate::faults::{Fault, Planted};
use crate::group::Group;
use crate::hooks::{Hook, Hooks, RuleSet};
use crate::session::{Delivery, Line, SessionKey, Terms};
use crate::shard::Shard;
use crate::time::Now;
use crate::topic_cache::Target;
use crate::transit::{Framing, Transit, append_one, append_with, frame_bytes};

/// How one PUBLISH goes to one client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) qos: QoS,
    pub(super) packet_id: Option<PacketId>,
    pub(super) dup: bool,
    pub(super) retain: bool,
    pub(super) identifiers: Option<&'a [u32]>,
}

impl<H: Hooks> Shard<H> {
    /// Delivers a message to the sessions of this worker that subscribe to it.
    pub(crate) fn deliver(&mut self, now: Now, targets: &[Target], transit: &mut Transit<'_>) {
        if transit.expires_at_ms <= now.wall_ms && !self.planted.is(Fault::ExpiredDelivered) {
            self.counters.deliveries_expired += targets.len() as u64;
            if self.hooks.wants(Hook::MessageDropped) {
                for target in targets {
                    self.dropped(now, Some(target.session), transit, "expired");
                }
            }
            return;
        }
        let several = targets.len() > 1;
        for target in targets {
            let terms = if target.has_no_local && self.is_own(target.session, transit) {
                match &target.own {
                    Some(own) => own,
                    None => continue,
                }
            } else {
                &target.terms
            };
            self.deliver_to(now, target.session, terms, None, transit, several);
        }
    }

    /// Whether the message was published by the client of this session.
    fn is_own(&self, session: SessionKey, transit: &Transit<'_>) -> bool {
        !self.planted.is(Fault::NoLocalIgnored)
            && self
                .session(session)
                .is_some_and(|session| *session.client.clientid == **transit.sender)
    }

    /// Delivers to one session: sent now if nothing is before it, else queued.
    pub(crate) fn deliver_to(
        &mut self,
        now: Now,
        session_key: SessionKey,
        terms: &Terms,
        group: Option<&Arc<Group>>,
        transit: &mut Transit<'_>,
        several: bool,
    ) {
        let max_output_bytes = self.limits.max_output_bytes;
        let (sessions, connections) = (&mut self.sessions, &self.connections);
        let Some(session) = sessions
            .get_mut(session_key.index as usize)
            .filter(|session| session.generation == session_key.generation)
        else {
            return;
        };
        let qos = transit.qos.min(terms.qos);
        let retain = transit.retain && terms.retain_as_published;
        let is_covered = group.is_none() && transit.stored.meets(terms.reads);
        if is_covered {
            // While the client is away, the store is its queue; and what came from
            // there does not come again.
            let has_it = session.has_come(&line_of(transit), transit.id);
            if session.connection.is_none() || has_it {
                return;
            }
            // Whether it is behind the subscription's place the store alone knows.
            if let Some(fetching) = &mut session.fetching
                && TopicName::new(transit.topic).is_ok_and(|topic| fetching.is_beginning(topic))
            {
                return fetching.miss();
            }
        }
        let is_parked = is_covered && session.fetching.is_some();
        let is_first = match qos {
            // QoS 0 waits for retained messages, which are older, and for those
            // of its own kind that did.
            QoS::AtMostOnce => {
                let is_held = session.is_held && transit.deliver_rules != RuleSet::NONE;
                session.may_send_at_most_once() && !is_held && !is_parked
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => session.may_send(),
        };
        let connection = session.connection;
        let has_room = connection.is_some_and(|key| {
            connections
                .get(key.index as usize)
                .is_some_and(|connection| connection.output.len() <= max_output_bytes)
        });
        if let Some(key) = connection.filter(|_| is_first && has_room) {
            if is_covered {
                session.positions.sent(line_of(transit), transit.id);
            }
            let rules = transit.deliver_rules;
            if rules != RuleSet::NONE || !session.deciding.is_empty() {
                let delivery = delivery_of(transit, qos, retain, terms, group);
                return self.decide_delivery(session_key, key, rules, delivery);
            }
            if is_covered {
                let delivery = delivery_of(transit, qos, retain, terms, group);
                if self.keeping_rules_of(session_key, &delivery) != RuleSet::NONE {
                    self.decide_delivery(session_key, key, rules, delivery);
                    return self.release_decided(now, session_key);
                }
                return self.send_delivery(now, session_key, key, delivery, By::NewId);
            }
            let packet_id = (qos > QoS::AtMostOnce).then(|| {
                let delivery = delivery_of(transit, qos, retain, terms, group);
                let id = session.inflight.send(delivery);
                session.report_load();
                id
            });
            let outgoing = Outgoing {
                qos,
                packet_id,
                dup: false,
                retain,
                identifiers: terms.identifiers.as_deref(),
            };
            self.send_or_forget(now, session_key, key, transit, outgoing, several);
        } else if qos == QoS::AtMostOnce && is_first && connection.is_some() {
            // The client does not read: QoS 0 does not wait for it.
            self.counters.dropped_output_full += 1;
            self.dropped(now, Some(session_key), transit, "output-full");
        } else if qos == QoS::AtMostOnce && connection.is_none() && !self.limits.queue_qos0 {
            self.counters.dropped_offline += 1;
            self.dropped(now, Some(session_key), transit, "offline");
        } else {
            let delivery = delivery_of(transit, qos, retain, terms, group);
            self.enqueue(now, session_key, delivery);
            // It may wait for nothing but output to be written.
            if let Some(connection) = connection.and_then(|key| self.live(key)) {
                connection.is_starved |= !has_room;
            }
        }
    }

    /// Sends within the window; a message the client cannot take leaves it again.
    pub(super) fn send_or_forget(
        &mut self,
        now: Now,
        session: SessionKey,
        key: ConnectionKey,
        transit: &mut Transit<'_>,
        outgoing: Outgoing<'_>,
        several: bool,
    ) {
        let is_sent = self.send(now, key, transit, outgoing, several);
        if is_sent {
            return;
        }
        self.dropped(now, Some(session), transit, "too-large");
        if let Some(id) = outgoing.packet_id
            && let Some(session) = self.session_mut(session)
        {
            session.inflight.acknowledge(id, outgoing.qos);
            session.report_load();
        }
    }

    /// Appends a PUBLISH; false if it is larger than the client takes [MQTT-3.1.2-24].
    fn send(
        &mut self,
        now: Now,
        key: ConnectionKey,
        transit: &mut Transit<'_>,
        outgoing: Outgoing<'_>,
        several: bool,
    ) -> bool {
        self.touch(key);
        let Some(connection) = self
            .connections
            .get_mut(key.index as usize)
            .filter(|connection| connection.generation == key.generation)
        else {
            return false;
        };
        let framing = Framing {
            version: connection.version,
            qos: outgoing.qos,
            packet_id: outgoing.packet_id,
            dup: outgoing.dup,
            retain: outgoing.retain && !self.planted.is(Fault::RetainFlagLost),
        };
        let is_sent = if framing.version.is_v5()
            && let Some(own) = Own::of(now, connection, transit, outgoing, self.planted)
        {
            append_own(connection, &mut self.scratch, transit, framing, own)
        } else if connection.maximum_packet_bytes < usize::MAX
            && frame_bytes(transit, framing) > connection.maximum_packet_bytes
        {
            false
        } else {
            if several {
                self.frames.append(&mut connection.output, transit, framing);
            } else {
                append_one(&mut connection.output, transit, framing);
            }
            true
        };
        if !is_sent {
            self.counters.deliveries_too_large += 1;
            return false;
        }
        self.counters.publishes_sent += 1;
        self.counters.packets_sent += 1;
        self.counters.payload_bytes_sent += transit.payload.len() as u64;
        if connection.output.len() > self.limits.max_output_bytes / 4 {
            self.output_is_pressing = true;
        }
        true
    }
}

/// What of a PUBLISH only one client gets.
#[derive(Debug, Clone, Copy)]
struct Own<'a> {
    identifiers: &'a [u32],
    /// A shortened expiry, in seconds.
    expiry_s: Option<u32>,
}

impl<'a> Own<'a> {
    /// None if the client gets what every client of its version gets.
    fn of(
        now: Now,
        connection: &Connection,
        transit: &Transit<'_>,
        outgoing: Outgoing<'a>,
        planted: Planted,
    ) -> Option<Self> {
        let own = Self {
            identifiers: outgoing.identifiers.unwrap_or_default(),
            expiry_s: transit
                .shortened_expiry_s(now.wall_ms)
                .filter(|_| !planted.is(Fault::ExpiryNotShortened)),
        };
        let is_usual =
            own.identifiers.is_empty() && own.expiry_s.is_none() && connection.aliases_out.is_off();
        (!is_usual).then_some(own)
    }
}

/// Appends a PUBLISH with what only this client gets: subscription identifiers,
/// a topic alias, a shortened expiry. False if it is larger than the client takes.
fn append_own(
    connection: &mut Connection,
    scratch: &mut Vec<u8>,
    transit: &mut Transit<'_>,
    framing: Framing,
    own: Own<'_>,
) -> bool {
    scratch.clear();
    match own.expiry_s {
        Some(seconds) => {
            let properties = PublishProperties::from_validated(transit.properties);
            *scratch = properties.with_message_expiry_interval(seconds);
        }
        None => scratch.extend_from_slice(transit.properties),
    }
    for &identifier in own.identifiers {
        write_subscription_identifier(scratch, identifier);
    }
    let topic = Arc::clone(transit.topic);
    let form = connection.aliases_out.form(&topic);
    let name = match form {
        TopicForm::Name => &*topic,
        TopicForm::NameAndAlias(alias) => {
            write_topic_alias(scratch, alias);
            &*topic
        }
        TopicForm::Alias(alias) => {
            write_topic_alias(scratch, alias);
            ""
        }
    };
    let header = PublishHeader {
        dup: framing.dup,
        qos: framing.qos,
        retain: framing.retain,
        topic: name,
        packet_id: framing.packet_id,
        properties: scratch,
    };
    let packet_bytes = publish_len(framing.version, &header, transit.payload.len());
    if packet_bytes > connection.maximum_packet_bytes {
        return false;
    }
    append_with(&mut connection.output, transit, &header, framing.version);
    if let TopicForm::NameAndAlias(alias) = form {
        connection.aliases_out.note(&topic, alias);
    }
    true
}

fn line_of(transit: &Transit<'_>) -> Line {
    Line {
        topic: Arc::clone(transit.topic),
        sender: Arc::clone(transit.sender),
    }
}

fn delivery_of(
    transit: &mut Transit<'_>,
    qos: QoS,
    retain: bool,
    terms: &Terms,
    group: Option<&Arc<Group>>,
) -> Delivery {
    Delivery {
        message: transit.shared(),
        qos,
        retain,
        identifiers: terms.identifiers.clone(),
        group: group.cloned(),
        is_covered: group.is_none() && transit.stored.meets(terms.reads),
    }
}

/// The reason, if DISCONNECT can say it.
fn sayable(reason: ReasonCode) -> ReasonCode {
    match reason {
        reason if Disconnect::allows(reason) => reason,
        ReasonCode::UnsupportedProtocolVersion | ReasonCode::ClientIdentifierNotValid => {
            ReasonCode::ProtocolError
        }
        ReasonCode::BadUserNameOrPassword => ReasonCode::NotAuthorized,
        ReasonCode::Banned => ReasonCode::AdministrativeAction,
        ReasonCode::ServerUnavailable => ReasonCode::ServerBusy,
        _ => ReasonCode::UnspecifiedError,
    }
}

/// Appends DISCONNECT for clients whose version lets a server send it.
pub(crate) fn close_packet(connection: &mut Connection, farewell: Farewell) {
    if connection.version.is_v5() {
        let mut disconnect = Disconnect::with_reason(sayable(farewell.reason));
        disconnect.server_reference = farewell.server_reference;
        connection.append_explained(farewell.text, |text, version, out| {
            disconnect.reason_string = text;
            disconnect.encode(version, out);
        });
    }
}
