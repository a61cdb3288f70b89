//! How connections begin and end.

use hookwire_mqtt::{AckKind, ProtocolVersion, ReasonCode};
use hookwire_sim::history::What;
use hookwire_sim::model::Rule;
use hookwire_sim::packet::{Ack, ConnAck, Connect, Packet};

use crate::Case;
use crate::history::{QOS0, QOS1, accepted, ack, arrival, disconnect, lasting, v5};

pub(crate) const CASES: &[Case] = &[
    (Rule::Undecodable, |history, bad| {
        let client = history.client("c");
        if bad {
            history.model.undecodable(client, "reserved bits");
        }
    }),
    (Rule::TooLarge, |history, bad| {
        let client = history.accept(
            Connect {
                maximum_packet_bytes: Some(50),
                ..v5("c")
            },
            false,
        );
        history.sends(client, Packet::PingReq);
        history.happens(What::Received {
            connection: client,
            packet: Packet::PingResp,
            bytes: if bad { 51 } else { 50 },
        });
    }),
    (Rule::FirstPacket, |history, bad| {
        let client = history.open(v5("c"));
        history.sends(client, Packet::PingReq);
        if bad {
            history.gets(client, Packet::PingResp);
        }
        history.gets(client, accepted(false));
    }),
    (Rule::FirstPacket, |history, bad| {
        let client = history.client("c");
        if bad {
            history.gets(client, accepted(false));
        }
    }),
    (Rule::PacketKind, |history, bad| {
        let version = if bad {
            ProtocolVersion::V311
        } else {
            ProtocolVersion::V5
        };
        let client = history.accept(Connect::new(version, "c"), false);
        history.accept(Connect::new(version, "c"), false);
        history.gets(client, disconnect(ReasonCode::SessionTakenOver));
        history.is_closed(client);
    }),
    (Rule::PacketKind, |history, bad| {
        // Nothing follows a DISCONNECT.
        let client = history.client("c");
        let other = history.client("d");
        history.subscribes(client, "t", QOS0);
        let message = history.message("t", QOS0, 0);
        history.publishes(other, &message);
        history.sends(client, Packet::Breach("any"));
        if bad {
            history.gets(client, disconnect(ReasonCode::ProtocolError));
        }
        history.arrives(client, &message, QOS0, 0);
        history.is_closed(client);
    }),
    (Rule::Explained, |history, bad| {
        let connect = Connect {
            problem_information: !bad,
            ..v5("c")
        };
        let client = history.accept(connect, false);
        let message = history.message("t", QOS1, 1);
        history.publishes(client, &message);
        history.gets(
            client,
            Packet::Ack(Ack {
                reason: ReasonCode::QuotaExceeded,
                is_explained: true,
                ..Ack::new(AckKind::PubAck, 1)
            }),
        );
    }),
    (Rule::RefusedWithoutCause, |history, bad| {
        let mut connect = Connect::new(ProtocolVersion::V311, if bad { "c" } else { "" });
        connect.clean_start = false;
        let client = history.open(connect);
        history.gets(
            client,
            Packet::ConnAck(Box::new(ConnAck {
                reason: ReasonCode::ClientIdentifierNotValid,
                ..ConnAck::default()
            })),
        );
        history.is_closed(client);
    }),
    (Rule::AssignedClientId, |history, bad| {
        let client = history.open(v5(""));
        history.gets(
            client,
            Packet::ConnAck(Box::new(ConnAck {
                assigned_client_id: (!bad).then(|| "auto".to_owned()),
                ..ConnAck::default()
            })),
        );
    }),
    (Rule::SessionPresent, |history, bad| {
        let client = history.accept(lasting("c", true), false);
        history.drops(client);
        history.wait(900_000);
        history.accept(lasting("c", false), !bad);
    }),
    (Rule::SessionPresent, |history, bad| {
        let client = history.accept(lasting("c", true), false);
        history.drops(client);
        history.wait(1_100_000);
        history.accept(lasting("c", false), bad);
    }),
    (Rule::SessionPresent, |history, bad| {
        // A DISCONNECT may end the session.
        let client = history.accept(lasting("c", true), false);
        history.sends(
            client,
            Packet::Disconnect {
                reason: ReasonCode::Success,
                session_expiry_s: Some(0),
            },
        );
        history.is_closed(client);
        history.accept(lasting("c", false), bad);
    }),
    (Rule::ClosedWithoutCause, |history, bad| {
        let client = history.client("c");
        if !bad {
            history.sends(client, disconnect(ReasonCode::Success));
        }
        history.is_closed(client);
    }),
    (Rule::ClosedWithoutCause, |history, bad| {
        // Who talks is not silent.
        let connect = Connect {
            keep_alive_s: 10,
            ..v5("c")
        };
        let client = history.accept(connect, false);
        history.wait(10_000);
        history.sends(client, Packet::PingReq);
        history.gets(client, Packet::PingResp);
        history.rest();
        history.wait(if bad { 10_000 } else { 15_000 });
        history.is_closed(client);
    }),
    (Rule::NotClosed, |history, bad| {
        let client = history.client("c");
        history.sends(client, Packet::Breach("any"));
        if !bad {
            history.is_closed(client);
        }
        history.calm();
    }),
    (Rule::NotClosed, |history, bad| {
        let client = history.client("c");
        history.client("c");
        if !bad {
            history.is_closed(client);
        }
        history.calm();
    }),
    (Rule::KeepAlive, |history, bad| {
        let connect = Connect {
            keep_alive_s: 10,
            ..v5("c")
        };
        let client = history.accept(connect, false);
        history.calm();
        history.wait(17_000);
        if !bad {
            history.is_closed(client);
        }
        history.calm();
    }),
    (Rule::Authentication, |history, bad| {
        let connect = Connect {
            authentication_method: (!bad).then(|| "m".into()),
            ..v5("c")
        };
        let client = history.open(connect);
        history.gets(
            client,
            Packet::Auth {
                reason: ReasonCode::ContinueAuthentication,
                method: Some("m".into()),
            },
        );
    }),
    (Rule::Leak, |history, bad| {
        if bad {
            history.model.leak("one session".to_owned());
        }
    }),
    (Rule::Alias, |history, bad| {
        let connect = Connect {
            topic_alias_maximum: 1,
            ..v5("c")
        };
        let client = history.accept(connect, false);
        history.subscribes(client, "t", QOS0);
        for has_name in [true, false] {
            let message = history.message("t", QOS0, 0);
            history.publishes(client, &message);
            let mut publish = arrival(&message, QOS0, 0);
            publish.alias = Some(if bad { 2 } else { 1 });
            if !has_name {
                publish.topic = "".into();
            }
            history.gets(client, Packet::Publish(publish));
        }
        history.sends(client, ack(AckKind::PubAck, 9));
    }),
];
