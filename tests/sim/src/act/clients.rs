//! Connections, subscriptions, and everything about clients but messages.

use std::rc::Rc;

use hookwire_mqtt::{ProtocolVersion, QoS, ReasonCode, RetainHandling};

use crate::history::{Side, What};
use crate::packet::{Connect, Entry, Packet, Will};
use crate::random::Random;
use crate::run::Simulation;
use crate::tally::Count;
use crate::wire;

impl Simulation<'_> {
    pub(super) fn connect(&mut self, client: usize, number: u32, dice: &mut Random) -> bool {
        let is_there = self.clients[client].connection.is_some();
        // Mostly a client connects when it is not connected.
        if is_there && !dice.percent(25) {
            return false;
        }
        if is_there {
            self.abandon(client, dice);
        }
        let connect = self.draw_connect(client, number, dice);
        self.open(client, connect);
        self.flush_by_chance(client, dice);
        true
    }

    /// The client forgets its connection without closing it, as after a change
    /// of networks.
    fn abandon(&mut self, client: usize, dice: &mut Random) {
        let Some(connection) = self.clients[client].connection.take() else {
            return;
        };
        let no = connection.no;
        // Without an id of its own, nothing would end the old connection.
        let is_nameless = self.clients[client].id.is_empty();
        if is_nameless || (connection.granted.is_none() && dice.percent(50)) {
            self.world.close(no);
            self.emit(What::Closed {
                connection: no,
                by: Side::Client,
            });
            return;
        }
        // The order of CONNECTs of one client is not left to the network.
        self.world.feed(no, usize::MAX);
        self.world.socket(no).abandon();
    }

    fn draw_connect(&mut self, client: usize, number: u32, dice: &mut Random) -> Connect {
        let setup = self.setup;
        let version = self.clients[client].version;
        let id = Rc::clone(&self.clients[client].id);
        let mut connect = Connect::new(version, &id);
        connect.clean_start = id.is_empty() || dice.percent(setup.clean_percent);
        if dice.percent(setup.keep_alive_percent) {
            connect.keep_alive_s = dice.between(1, 20) as u16;
        }
        if dice.percent(setup.will_percent) {
            connect.will = Some(self.draw_will(client, number, dice));
        }
        if !version.is_v5() {
            // Without a clean session one outlives the connection, as long as
            // the server likes; and clients need a name for it.
            connect.session_expiry_s = if connect.clean_start { 0 } else { u32::MAX };
            return connect;
        }
        connect.session_expiry_s = if id.is_empty() {
            dice.pick(&[0, 5])
        } else {
            dice.pick(&[0, 1, 5, 30, 300, 300, u32::MAX])
        };
        connect.receive_maximum = dice.pick(&[1, 2, 3, 10, u16::MAX]);
        if dice.percent(setup.small_packets_percent) {
            connect.maximum_packet_bytes = Some(dice.between(60, 250) as u32);
        }
        connect.topic_alias_maximum = dice.pick(&[0, 0, 1, 3, 100]);
        connect.problem_information = dice.percent(70);
        if dice.percent(30) {
            connect
                .authentication_method
                .clone_from(&setup.authentication_method);
        }
        connect
    }

    fn draw_will(&mut self, client: usize, number: u32, dice: &mut Random) -> Will {
        let setup = self.setup;
        let topic = dice.pick(&setup.topics);
        let is_v5 = self.clients[client].version.is_v5();
        let payload = self.draw_payload(client, number, &topic, true, dice);
        Will {
            topic,
            payload,
            qos: self.draw_qos(dice),
            retain: dice.percent(setup.retained_percent),
            delay_s: if is_v5 { dice.pick(&[0, 0, 2, 10]) } else { 0 },
            expiry_s: (is_v5 && dice.percent(setup.expiry_percent))
                .then(|| dice.between(1, 20) as u32),
            extras: Self::draw_extras(is_v5, dice),
        }
    }

    /// Opens a connection and sends CONNECT.
    pub(crate) fn open(&mut self, client: usize, connect: Connect) {
        self.tally.add(match connect.version {
            ProtocolVersion::V31 => Count::Connect31,
            ProtocolVersion::V311 => Count::Connect311,
            ProtocolVersion::V5 => Count::Connect5,
        });
        let no = self.world.open();
        wire::encode_connect(&connect, self.world.socket(no).wire());
        self.owners.push(client);
        self.emit(What::Opened {
            connection: no,
            connect: connect.clone(),
        });
        self.clients[client].opened(no, connect);
    }

    pub(super) fn drop_connection(&mut self, client: usize, dice: &mut Random) -> bool {
        let Some(no) = self.connection_no(client) else {
            return false;
        };
        let (sends_first, reads_first) = (dice.percent(50), dice.percent(50));
        if sends_first {
            self.world.feed(no, usize::MAX);
        }
        if reads_first {
            self.drain(no, usize::MAX);
        }
        if self.connection_no(client) != Some(no) {
            return true;
        }
        self.tally.add(if reads_first {
            Count::Drop
        } else {
            Count::DropUnread
        });
        self.world.close(no);
        self.clients[client].lost();
        self.emit(What::Closed {
            connection: no,
            by: Side::Client,
        });
        true
    }

    pub(super) fn disconnect(&mut self, client: usize, dice: &mut Random) -> bool {
        let Some(connection) = self.clients[client].usable() else {
            return false;
        };
        let asked_s = connection.connect.session_expiry_s;
        let is_v5 = self.clients[client].version.is_v5();
        let with_will = is_v5 && dice.percent(25);
        // Who asked for none at first may not ask for one at last.
        let session_expiry_s = (is_v5 && dice.percent(30)).then(|| match asked_s {
            0 => 0,
            _ => dice.pick(&[0, 2, 60]),
        });
        let (count, reason) = if with_will {
            (Count::DisconnectWithWill, ReasonCode::DisconnectWithWill)
        } else {
            (Count::Disconnect, ReasonCode::Success)
        };
        self.tally.add(count);
        self.send(
            client,
            Packet::Disconnect {
                reason,
                session_expiry_s,
            },
        );
        self.end_of_talk(client);
        self.flush_by_chance(client, dice);
        true
    }

    pub(super) fn subscribe(&mut self, client: usize, dice: &mut Random) -> bool {
        if self.clients[client].usable().is_none() {
            return false;
        }
        let is_v5 = self.clients[client].version.is_v5();
        let count = dice.pick(&[1, 1, 1, 2, 3]);
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let filter = dice.pick(&self.setup.filters);
            if entries.iter().any(|entry| entry.filter == filter) {
                continue;
            }
            let is_shared = filter.starts_with("$share") || filter.starts_with("$queue");
            if is_shared {
                self.tally.add(Count::SubscribeShared);
            }
            let mut entry = Entry::new(
                &filter,
                dice.pick(&[
                    QoS::AtMostOnce,
                    QoS::AtLeastOnce,
                    QoS::AtLeastOnce,
                    QoS::ExactlyOnce,
                    QoS::ExactlyOnce,
                ]),
            );
            if is_v5 {
                entry.no_local = !is_shared && dice.percent(20);
                entry.retain_as_published = dice.percent(30);
                entry.retain_handling = dice.pick(&[
                    RetainHandling::SendAtSubscribe,
                    RetainHandling::SendAtSubscribe,
                    RetainHandling::SendIfNew,
                    RetainHandling::DoNotSend,
                ]);
            }
            entries.push(entry);
        }
        self.tally.add(Count::Subscribe);
        let id = self.clients[client].free_id();
        self.clients[client].asks(id);
        self.send(
            client,
            Packet::Subscribe {
                id,
                identifier: (is_v5 && dice.percent(40)).then(|| dice.between(1, 5) as u32),
                entries,
            },
        );
        self.flush_by_chance(client, dice);
        true
    }

    pub(super) fn unsubscribe(&mut self, client: usize, dice: &mut Random) -> bool {
        if self.clients[client].usable().is_none() {
            return false;
        }
        self.tally.add(Count::Unsubscribe);
        let id = self.clients[client].free_id();
        self.clients[client].asks(id);
        let mut filters = vec![dice.pick(&self.setup.filters)];
        let other = dice.pick(&self.setup.filters);
        if dice.percent(30) && !filters.contains(&other) {
            filters.push(other);
        }
        self.send(client, Packet::Unsubscribe { id, filters });
        self.flush_by_chance(client, dice);
        true
    }

    pub(super) fn ping(&mut self, client: usize, dice: &mut Random) -> bool {
        if self.clients[client].usable().is_none() {
            return false;
        }
        self.tally.add(Count::Ping);
        self.send(client, Packet::PingReq);
        self.flush_by_chance(client, dice);
        true
    }

    pub(super) fn authenticate_again(&mut self, client: usize, dice: &mut Random) -> bool {
        let method = self.clients[client].usable().and_then(|connection| {
            let method = connection.connect.authentication_method.clone();
            method.filter(|_| !connection.is_authenticating)
        });
        let Some(method) = method else {
            return false;
        };
        if let Some(connection) = &mut self.clients[client].connection {
            connection.is_authenticating = true;
        }
        self.tally.add(Count::Authentication);
        self.send(
            client,
            Packet::Auth {
                reason: ReasonCode::ReAuthenticate,
                method: Some(method),
            },
        );
        self.flush_by_chance(client, dice);
        true
    }

    pub(super) fn breach(&mut self, client: usize, dice: &mut Random) -> bool {
        let Some(connection) = self.clients[client].usable() else {
            return false;
        };
        let no = connection.no;
        let granted = connection.granted.as_ref();
        let aliases = granted.and_then(|granted| granted.topic_alias_maximum);
        let version = self.clients[client].version;
        let (name, bytes) = wire::breach(dice.below(1_000), version, aliases.unwrap_or(0));
        self.tally.add(Count::Breach);
        self.world.socket(no).wire().extend_from_slice(&bytes);
        self.emit(What::Sent {
            connection: no,
            packet: Packet::Breach(name),
        });
        self.end_of_talk(client);
        self.flush_by_chance(client, dice);
        true
    }

    fn end_of_talk(&mut self, client: usize) {
        if let Some(connection) = &mut self.clients[client].connection {
            connection.is_ending = true;
        }
    }

    pub(super) fn stall(&mut self, client: usize) -> bool {
        match &mut self.clients[client].connection {
            Some(connection) if !connection.is_stalled => {
                connection.is_stalled = true;
                self.tally.add(Count::Stall);
                true
            }
            _ => false,
        }
    }
}
