//! Packets in words, as a history is printed.

use std::fmt;

use hookwire_mqtt::RetainHandling;

use super::{Connect, Entry, Packet, Publish};
use crate::stamp::Stamp;

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PUBLISH {:?}", &*self.topic)?;
        if let Some(alias) = self.alias {
            write!(f, " alias {alias}")?;
        }
        write!(f, " QoS {}", self.qos.as_u8())?;
        if self.id > 0 {
            write!(f, " id {}", self.id)?;
        }
        for (is, word) in [(self.dup, " DUP"), (self.retain, " RETAIN")] {
            f.write_str(if is { word } else { "" })?;
        }
        if let Some(seconds) = self.expiry_s {
            write!(f, " expiry {seconds} s")?;
        }
        if !self.identifiers.is_empty() {
            write!(f, " subscriptions {:?}", self.identifiers)?;
        }
        match Stamp::read(&self.payload) {
            Some(stamp) => write!(f, " {stamp}"),
            None if self.payload.is_empty() => f.write_str(" empty"),
            None => write!(f, " {} bytes", self.payload.len()),
        }
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CONNECT {} {:?}", self.version, &*self.client_id)?;
        f.write_str(if self.clean_start { " clean" } else { "" })?;
        if self.keep_alive_s > 0 {
            write!(f, " keep-alive {} s", self.keep_alive_s)?;
        }
        if self.version.is_v5() {
            write!(f, " expiry {} s", self.session_expiry_s)?;
            write!(f, " receive maximum {}", self.receive_maximum)?;
        }
        if let Some(bytes) = self.maximum_packet_bytes {
            write!(f, " maximum packet {bytes}")?;
        }
        if self.topic_alias_maximum > 0 {
            write!(f, " aliases {}", self.topic_alias_maximum)?;
        }
        if let Some(will) = &self.will {
            let (qos, retain) = (will.qos.as_u8(), if will.retain { " RETAIN" } else { "" });
            let topic = &*will.topic;
            write!(
                f,
                " will {topic:?} QoS {qos}{retain} delay {} s",
                will.delay_s
            )?;
            if let Some(stamp) = Stamp::read(&will.payload) {
                write!(f, " {stamp}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(publish) => publish.fmt(f),
            Self::Ack(ack) => {
                let name = format!("{:?}", ack.kind).to_uppercase();
                write!(f, "{name} id {} {}", ack.id, ack.reason)
            }
            Self::Subscribe {
                id,
                identifier,
                entries,
            } => {
                write!(f, "SUBSCRIBE id {id}")?;
                if let Some(identifier) = identifier {
                    write!(f, " subscription {identifier}")?;
                }
                entries.iter().try_for_each(|entry| entry.fmt(f))
            }
            Self::SubAck { id, reasons, .. } => write!(f, "SUBACK id {id} {reasons:?}"),
            Self::Unsubscribe { id, filters } => write!(f, "UNSUBSCRIBE id {id} {filters:?}"),
            Self::UnsubAck { id, reasons, .. } => write!(f, "UNSUBACK id {id} {reasons:?}"),
            Self::ConnAck(ack) => {
                let present = if ack.session_present {
                    "present"
                } else {
                    "new"
                };
                write!(f, "CONNACK {} session {present}", ack.reason)
            }
            Self::PingReq => f.write_str("PINGREQ"),
            Self::PingResp => f.write_str("PINGRESP"),
            Self::Disconnect {
                reason,
                session_expiry_s,
            } => write!(f, "DISCONNECT {reason} expiry {session_expiry_s:?}"),
            Self::Auth { reason, .. } => write!(f, "AUTH {reason}"),
            Self::Breach(name) => write!(f, "breach: {name}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {:?} QoS {}", &*self.filter, self.qos.as_u8())?;
        for (is, word) in [
            (self.no_local, " no-local"),
            (self.retain_as_published, " retain-as-published"),
            (
                self.retain_handling == RetainHandling::SendIfNew,
                " retained-if-new",
            ),
            (
                self.retain_handling == RetainHandling::DoNotSend,
                " no-retained",
            ),
        ] {
            f.write_str(if is { word } else { "" })?;
        }
        Ok(())
    }
}
