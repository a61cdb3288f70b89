//! `$SYS/brokers/NODE/clients/CLIENTID/connected` and `.../disconnected`, as
//! EMQX has them: told when somebody listens, and not retained.

use std::fmt::Write as _;
use std::sync::Arc;

use hookwire_mqtt::{ProtocolVersion, TopicName};

use crate::hooks::{ClientInfo, Hook, Hooks, RuleSet};
use crate::shard::Shard;
use crate::time::Now;

/// What happened to a client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Presence {
    Connected {
        version: ProtocolVersion,
        keep_alive_s: u16,
        clean_start: bool,
    },
    Disconnected {
        reason: &'static str,
    },
}

impl<H: Hooks> Shard<H> {
    pub(crate) fn tell_presence(&mut self, now: Now, client: &Arc<ClientInfo>, presence: Presence) {
        let Some(node) = self.speaker.node.clone() else {
            return;
        };
        let word = match presence {
            Presence::Connected { .. } => "connected",
            Presence::Disconnected { .. } => "disconnected",
        };
        let clientid = &client.clientid;
        let text = format!("$SYS/brokers/{}/clients/{clientid}/{word}", node.name);
        // A client id may be anything, a topic may not.
        let Ok(topic) = TopicName::new(&text) else {
            return;
        };
        let has_rules = self.hooks.match_topic(Hook::MessagePublish, topic) != RuleSet::NONE;
        if has_rules || self.routes.has_destinations(topic) {
            let payload = describe(now, client, presence);
            self.tell(now, &node, topic.as_str(), payload, false);
        }
    }
}

fn describe(now: Now, client: &ClientInfo, presence: Presence) -> String {
    let mut text = String::from("{\"clientid\":");
    write_json(&mut text, &client.clientid);
    text.push_str(",\"username\":");
    match &client.username {
        Some(username) => write_json(&mut text, username),
        None => text.push_str("null"),
    }
    let ended = match presence {
        Presence::Connected {
            version,
            keep_alive_s,
            clean_start,
        } => write!(
            text,
            ",\"proto_ver\":{},\"keepalive\":{keep_alive_s},\"clean_start\":{clean_start},\
             \"connected_at\":{now},\"ts\":{now}}}",
            version.level(),
            now = now.wall_ms,
        ),
        Presence::Disconnected { reason } => write!(
            text,
            ",\"reason\":\"{reason}\",\"disconnected_at\":{now},\"ts\":{now}}}",
            now = now.wall_ms,
        ),
    };
    // Writing into a string does not fail.
    debug_assert!(ended.is_ok());
    text
}

/// A JSON string, RFC 8259 section 7.
fn write_json(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let escaped = write!(out, "\\u{:04x}", u32::from(control));
                debug_assert!(escaped.is_ok());
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_client_ids_are_told_as_json() {
        let client = ClientInfo {
            clientid: "a\"b\\c\u{1}é".into(),
            username: None,
            connection: None,
        };
        let now = Now {
            mono_ms: 0,
            wall_ms: 5,
        };
        let presence = Presence::Disconnected { reason: "normal" };
        let expected = "{\"clientid\":\"a\\\"b\\\\c\\u0001é\",\"username\":null,\
                        \"reason\":\"normal\",\"disconnected_at\":5,\"ts\":5}";
        assert_eq!(describe(now, &client, presence), expected);
    }
}
