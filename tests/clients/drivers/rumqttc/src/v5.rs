//! MQTT 5.0.

mod properties;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Filter, LastWill, Packet, PubAckReason, PubRecReason, Publish, RetainForwardRule,
    SubscribeReasonCode, UnsubAckReason,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::link::{Heard, Link, hear_closed};
use crate::words::{bytes, flag, hex, list, number, text};

/// Requests that the event loop has not taken yet.
const REQUESTS: usize = 100;

type Unacknowledged = Rc<RefCell<VecDeque<Publish>>>;

/// A client of `rumqttc::v5`.
pub(crate) struct Client {
    pub(crate) link: Link,
    mqtt: AsyncClient,
    unacknowledged: Unacknowledged,
}

impl Client {
    pub(crate) async fn connect(name: &str, command: &Value) -> Result<(Self, Value)> {
        let (mqtt, event_loop) = AsyncClient::new(options(command)?, REQUESTS);
        let unacknowledged = Unacknowledged::default();
        let link = Link::spawn(|hears| {
            run(
                name.to_owned(),
                event_loop,
                hears,
                Rc::clone(&unacknowledged),
            )
        });
        let mut client = Self {
            link,
            mqtt,
            unacknowledged,
        };
        let connack = client.link.connack().await?;
        Ok((client, connack))
    }

    pub(crate) async fn subscribe(&mut self, command: &Value) -> Result<Vec<u8>> {
        let filters = list(command, "filters")?
            .iter()
            .map(filter)
            .collect::<Result<Vec<_>>>()?;
        let properties = properties::of_subscribe(&command["properties"])?;
        self.mqtt
            .subscribe_many_with_properties(filters, properties)
            .await?;
        self.link.reasons().await
    }

    pub(crate) async fn unsubscribe(&mut self, filter: &str) -> Result<Vec<u8>> {
        self.mqtt.unsubscribe(filter).await?;
        self.link.reasons().await
    }

    pub(crate) async fn publish(
        &mut self,
        command: &Value,
        payload: Vec<u8>,
        retain: bool,
    ) -> Result<()> {
        let properties = properties::of_publish(&command["properties"])?;
        let topic = text(command, "topic")?;
        Ok(self
            .mqtt
            .publish_with_properties(topic, qos(command)?, retain, payload, properties)
            .await?)
    }

    pub(crate) async fn acknowledge(&mut self) -> Result<()> {
        let oldest = self.unacknowledged.borrow_mut().pop_front();
        Ok(self.mqtt.ack(&oldest.context("nothing is left")?).await?)
    }

    pub(crate) async fn disconnect(&mut self) -> Result<()> {
        self.mqtt.disconnect().await?;
        self.link.ended().await
    }
}

fn options(command: &Value) -> Result<MqttOptions> {
    let id = text(command, "client_id")?;
    let mut options = MqttOptions::new(id, "127.0.0.1", number(command, "port")?);
    options.set_keep_alive(Duration::from_secs(number(command, "keep_alive")?));
    options.set_clean_start(flag(command, "clean")?);
    options.set_manual_acks(flag(command, "manual_ack")?);
    options.set_connect_properties(properties::of_connect(&command["properties"])?);
    let will = &command["will"];
    if !will.is_null() {
        options.set_last_will(LastWill::new(
            text(will, "topic")?,
            bytes(&will["payload"])?,
            qos(will)?,
            flag(will, "retain")?,
            Some(properties::of_will(&will["properties"])?),
        ));
    }
    Ok(options)
}

fn qos(from: &Value) -> Result<QoS> {
    Ok(match number(from, "qos")? {
        0u8 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        other => bail!("QoS {other}"),
    })
}

fn filter(from: &Value) -> Result<Filter> {
    let mut filter = Filter::new(text(from, "filter")?, qos(from)?);
    filter.nolocal = flag(from, "no_local")?;
    filter.preserve_retain = flag(from, "retain_as_published")?;
    filter.retain_forward_rule = match number(from, "retain_handling")? {
        0u8 => RetainForwardRule::OnEverySubscribe,
        1 => RetainForwardRule::OnNewSubscribe,
        2 => RetainForwardRule::Never,
        other => bail!("retain handling {other}"),
    };
    Ok(filter)
}

async fn run(
    name: String,
    mut event_loop: EventLoop,
    hears: mpsc::Sender<Heard>,
    unacknowledged: Unacknowledged,
) {
    loop {
        let heard = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                hear_message(&name, &publish);
                if publish.qos != QoS::AtMostOnce {
                    unacknowledged.borrow_mut().push_back(publish);
                }
                continue;
            }
            Ok(Event::Incoming(packet)) => of_packet(packet),
            Ok(Event::Outgoing(Outgoing::Publish(0))) => Some(Heard::Published(0)),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(Event::Outgoing(_)) => None,
            Err(ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code,
                reason_string,
            })) => {
                hear_closed(&name, Some(reason_code as u8), reason_string.as_deref());
                Some(Heard::Ended(format!("{reason_code:?}")))
            }
            Err(error) => {
                hear_closed(&name, None, None);
                Some(Heard::Ended(error.to_string()))
            }
        };
        let Some(heard) = heard else { continue };
        let is_end = matches!(heard, Heard::Ended(_));
        if hears.send(heard).await.is_err() || is_end {
            return;
        }
    }
}

fn of_packet(packet: Packet) -> Option<Heard> {
    Some(match packet {
        Packet::ConnAck(packet) => Heard::Connack(json!({
            "reason": 0,
            "session_present": packet.session_present,
            "properties": properties::connack(packet.properties.as_ref()),
        })),
        Packet::SubAck(packet) => {
            Heard::Reasons(packet.return_codes.into_iter().map(granted).collect())
        }
        Packet::UnsubAck(packet) => {
            Heard::Reasons(packet.reasons.into_iter().map(unsubscribed).collect())
        }
        Packet::PubAck(packet) => Heard::Published(acknowledged(packet.reason)),
        // A refusal; else PUBCOMP is to come.
        Packet::PubRec(packet) => match received(packet.reason) {
            refused @ 0x80.. => Heard::Published(refused),
            _ => return None,
        },
        Packet::PubComp(_) => Heard::Published(0),
        _ => return None,
    })
}

fn granted(code: SubscribeReasonCode) -> u8 {
    match code {
        SubscribeReasonCode::Success(qos) => qos as u8,
        SubscribeReasonCode::Failure | SubscribeReasonCode::Unspecified => 0x80,
        SubscribeReasonCode::ImplementationSpecific => 0x83,
        SubscribeReasonCode::NotAuthorized => 0x87,
        SubscribeReasonCode::TopicFilterInvalid => 0x8F,
        SubscribeReasonCode::PkidInUse => 0x91,
        SubscribeReasonCode::QuotaExceeded => 0x97,
        SubscribeReasonCode::SharedSubscriptionsNotSupported => 0x9E,
        SubscribeReasonCode::SubscriptionIdNotSupported => 0xA1,
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => 0xA2,
    }
}

fn unsubscribed(code: UnsubAckReason) -> u8 {
    match code {
        UnsubAckReason::Success => 0,
        UnsubAckReason::NoSubscriptionExisted => 0x11,
        UnsubAckReason::UnspecifiedError => 0x80,
        UnsubAckReason::ImplementationSpecificError => 0x83,
        UnsubAckReason::NotAuthorized => 0x87,
        UnsubAckReason::TopicFilterInvalid => 0x8F,
        UnsubAckReason::PacketIdentifierInUse => 0x91,
    }
}

fn acknowledged(code: PubAckReason) -> u8 {
    match code {
        PubAckReason::Success => 0,
        PubAckReason::NoMatchingSubscribers => 0x10,
        PubAckReason::UnspecifiedError => 0x80,
        PubAckReason::ImplementationSpecificError => 0x83,
        PubAckReason::NotAuthorized => 0x87,
        PubAckReason::TopicNameInvalid => 0x90,
        PubAckReason::PacketIdentifierInUse => 0x91,
        PubAckReason::QuotaExceeded => 0x97,
        PubAckReason::PayloadFormatInvalid => 0x99,
    }
}

fn received(code: PubRecReason) -> u8 {
    match code {
        PubRecReason::Success => 0,
        PubRecReason::NoMatchingSubscribers => 0x10,
        PubRecReason::UnspecifiedError => 0x80,
        PubRecReason::ImplementationSpecificError => 0x83,
        PubRecReason::NotAuthorized => 0x87,
        PubRecReason::TopicNameInvalid => 0x90,
        PubRecReason::PacketIdentifierInUse => 0x91,
        PubRecReason::QuotaExceeded => 0x97,
        PubRecReason::PayloadFormatInvalid => 0x99,
    }
}

fn hear_message(client: &str, publish: &Publish) {
    println!(
        "{}",
        json!({
            "client": client,
            "event": "message",
            "topic": String::from_utf8_lossy(&publish.topic),
            "payload": hex(&publish.payload),
            "qos": publish.qos as u8,
            "retain": publish.retain,
            "dup": publish.dup,
            "properties": properties::publish(publish.properties.as_ref()),
        })
    );
}
