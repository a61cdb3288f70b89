//! Messages and their acknowledgements.

use std::rc::Rc;

use hookwire_mqtt::{AckKind, QoS, ReasonCode};

use crate::packet::{Extras, Packet, Publish};
use crate::random::Random;
use crate::run::Simulation;
use crate::stamp::{Decision, Stamp};
use crate::tally::Count;

impl Simulation<'_> {
    pub(super) fn publish(&mut self, client: usize, number: u32, dice: &mut Random) -> bool {
        if self.clients[client].usable().is_none() {
            return false;
        }
        let setup = self.setup;
        let mut qos = self.draw_qos(dice);
        if self.clients[client].quota() == 0 {
            qos = QoS::AtMostOnce;
        }
        let is_v5 = self.clients[client].version.is_v5();
        let topic = dice.pick(&setup.topics);
        let is_retained = dice.percent(setup.retained_percent);
        let clears = is_retained && dice.percent(25);
        let payload: Rc<[u8]> = if clears {
            Rc::from([])
        } else {
            self.draw_payload(client, number, &topic, false, dice)
        };
        let id = match qos {
            QoS::AtMostOnce => 0,
            _ => self.clients[client].free_id(),
        };
        let is_delayed = !topic.starts_with("h/") && dice.percent(setup.delayed_percent);
        let topic = match is_delayed {
            true => format!("$delayed/{}/{topic}", dice.pick(&[0, 1, 3, 10])).into(),
            false => topic,
        };
        let mut publish = Publish {
            retain: is_retained,
            expiry_s: (is_v5 && dice.percent(setup.expiry_percent))
                .then(|| dice.between(1, 12) as u32),
            extras: Self::draw_extras(is_v5, dice),
            ..Publish::new(&topic, qos, id, &payload)
        };
        let named = publish.clone();
        if !self.fits(client, &named) {
            return false;
        }
        if is_v5 && dice.percent(40) {
            self.use_alias(client, &mut publish, dice);
        }
        self.tally_publish(&publish, is_delayed, clears);
        if qos > QoS::AtMostOnce {
            self.clients[client].publishes(named);
        }
        self.send(client, Packet::Publish(publish));
        self.flush_by_chance(client, dice);
        true
    }

    fn tally_publish(&mut self, publish: &Publish, is_delayed: bool, clears: bool) {
        let tally = &mut self.tally;
        tally.add(match publish.qos {
            QoS::AtMostOnce => Count::Publish0,
            QoS::AtLeastOnce => Count::Publish1,
            QoS::ExactlyOnce => Count::Publish2,
        });
        for (is, count) in [
            (publish.retain && !clears, Count::PublishRetained),
            (clears, Count::PublishEmpty),
            (is_delayed, Count::PublishDelayed),
            (publish.expiry_s.is_some(), Count::PublishExpiring),
            (publish.topic.starts_with("h/"), Count::PublishToRules),
        ] {
            tally.add_many(count, u64::from(is));
        }
    }

    /// Whether the server takes a packet of this size.
    fn fits(&self, client: usize, publish: &Publish) -> bool {
        let mut bytes = Vec::new();
        let packet = Packet::Publish(publish.clone());
        crate::wire::encode(&packet, self.clients[client].version, &mut bytes);
        // An alias may come to it.
        bytes.len() + 3 <= self.setup.bounds.max_packet_bytes as usize
    }

    /// Names the topic by an alias, a new one or one that is known.
    fn use_alias(&mut self, client: usize, publish: &mut Publish, dice: &mut Random) {
        let Some(connection) = &mut self.clients[client].connection else {
            return;
        };
        let granted = connection.granted.as_ref();
        let most = granted.and_then(|granted| granted.topic_alias_maximum);
        let most = usize::from(most.unwrap_or(0));
        let aliases = &mut connection.aliases;
        if let Some(known) = aliases.iter().position(|known| *known == publish.topic) {
            publish.topic = "".into();
            publish.alias = Some(known as u16 + 1);
        } else if aliases.len() < most {
            aliases.push(Rc::clone(&publish.topic));
            publish.alias = Some(aliases.len() as u16);
        } else if most > 0 {
            let index = dice.below(most);
            aliases[index] = Rc::clone(&publish.topic);
            publish.alias = Some(index as u16 + 1);
        }
    }

    pub(super) fn draw_qos(&self, dice: &mut Random) -> QoS {
        let qos = dice.pick(&[
            QoS::AtMostOnce,
            QoS::AtLeastOnce,
            QoS::AtLeastOnce,
            QoS::ExactlyOnce,
            QoS::ExactlyOnce,
        ]);
        let most = QoS::try_from(self.setup.max_qos).unwrap_or(QoS::ExactlyOnce);
        qos.min(most)
    }

    pub(super) fn draw_payload(
        &mut self,
        client: usize,
        number: u32,
        topic: &Rc<str>,
        is_will: bool,
        dice: &mut Random,
    ) -> Rc<[u8]> {
        const DECISIONS: [(Decision, u32); 6] = [
            (Decision::Proceed, 60),
            (Decision::Replace, 15),
            (Decision::Drop, 7),
            (Decision::Deny, 8),
            (Decision::Fail, 7),
            (Decision::Disconnect, 3),
        ];
        let weights = DECISIONS.map(|(_, weight)| weight);
        let drawn = DECISIONS[dice.weighted(&weights)].0;
        let is_for_rules = topic.starts_with("h/") && &*self.setup.rules_filter != "none";
        // A will has nobody to send it again, or to be closed.
        let ends = matches!(drawn, Decision::Fail | Decision::Disconnect);
        let decision = if !is_for_rules || (is_will && ends) {
            Decision::Proceed
        } else {
            drawn
        };
        let stamp = Stamp {
            message: number,
            // As many clients as a byte counts.
            publisher: client as u16,
            sequence: self.clients[client].next_sequence(topic),
            decision,
            is_replacement: false,
        };
        let bytes = match dice.below(40) {
            0 => 20_000,
            1..=4 => 150,
            _ => dice.between(12, 40) as usize,
        };
        stamp.payload(bytes)
    }

    pub(super) fn draw_extras(is_v5: bool, dice: &mut Random) -> Option<Rc<Extras>> {
        if !is_v5 || !dice.percent(30) {
            return None;
        }
        let text = |dice: &mut Random, text: &str| dice.percent(30).then(|| text.to_owned());
        let mut extras = Extras {
            // Payloads are not UTF-8 everywhere, so none says that it is.
            is_utf8: false,
            content_type: text(dice, "text/plain"),
            response_topic: text(dice, "answers/here"),
            correlation_data: dice.percent(30).then(|| vec![0, 255, 7]),
            user_properties: Vec::new(),
        };
        for index in 0..dice.below(4) {
            let name = dice.pick(&["one", "two"]).to_owned();
            extras.user_properties.push((name, index.to_string()));
        }
        (extras != Extras::default()).then(|| Rc::new(extras))
    }

    pub(super) fn acknowledge(&mut self, client: usize, dice: &mut Random) -> bool {
        let Some(mut ack) = self.clients[client].next_ack(dice.below(4)) else {
            return false;
        };
        let is_first = matches!(ack.kind, AckKind::PubAck | AckKind::PubRec);
        if is_first && self.clients[client].version.is_v5() && dice.percent(8) {
            ack.reason = ReasonCode::UnspecifiedError;
            self.tally.add(Count::NegativeAcknowledgement);
        }
        self.tally.add(Count::Acknowledgement);
        self.send(client, Packet::Ack(ack));
        self.flush_by_chance(client, dice);
        true
    }

    pub(crate) fn acknowledge_all(&mut self, client: usize) -> bool {
        let mut did = false;
        while let Some(ack) = self.clients[client].next_ack(0) {
            self.tally.add(Count::Acknowledgement);
            self.send(client, Packet::Ack(ack));
            did = true;
        }
        if did {
            self.flush(client);
        }
        did
    }
}
