//! MQTT 3.1.1.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet,
    Publish, QoS, SubscribeFilter, SubscribeReasonCode,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::link::{Heard, Link, hear_closed};
use crate::words::{bytes, flag, hex, list, number, text};

/// Requests that the event loop has not taken yet.
const REQUESTS: usize = 100;

/// More than any message of the tests.
const MAX_PACKET_BYTES: usize = 1024 * 1024;

type Unacknowledged = Rc<RefCell<VecDeque<Publish>>>;

/// A client of `rumqttc`.
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
            .map(|one| {
                let filter = text(one, "filter")?.to_owned();
                Ok(SubscribeFilter::new(filter, qos(one)?))
            })
            .collect::<Result<Vec<_>>>()?;
        self.mqtt.subscribe_many(filters).await?;
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
        let topic = text(command, "topic")?;
        Ok(self
            .mqtt
            .publish(topic, qos(command)?, retain, payload)
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
    options.set_clean_session(flag(command, "clean")?);
    options.set_manual_acks(flag(command, "manual_ack")?);
    options.set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
    let will = &command["will"];
    if !will.is_null() {
        options.set_last_will(LastWill::new(
            text(will, "topic")?,
            bytes(&will["payload"])?,
            qos(will)?,
            flag(will, "retain")?,
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
            Err(ConnectionError::ConnectionRefused(code)) => {
                Some(Heard::Connack(connack(code as u8, false)))
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
        Packet::ConnAck(packet) => Heard::Connack(connack(0, packet.session_present)),
        Packet::SubAck(packet) => Heard::Reasons(
            packet
                .return_codes
                .into_iter()
                .map(|code| match code {
                    SubscribeReasonCode::Success(qos) => qos as u8,
                    SubscribeReasonCode::Failure => 0x80,
                })
                .collect(),
        ),
        Packet::UnsubAck(_) => Heard::Reasons(Vec::new()),
        Packet::PubAck(_) | Packet::PubComp(_) => Heard::Published(0),
        _ => return None,
    })
}

fn connack(code: u8, session_present: bool) -> Value {
    json!({"reason": code, "session_present": session_present, "properties": {}})
}

fn hear_message(client: &str, publish: &Publish) {
    println!(
        "{}",
        json!({
            "client": client,
            "event": "message",
            "topic": publish.topic,
            "payload": hex(&publish.payload),
            "qos": publish.qos as u8,
            "retain": publish.retain,
            "dup": publish.dup,
            "properties": {},
        })
    );
}
