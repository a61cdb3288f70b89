//! What became of an event, in the words of a fixture.

use std::fmt;

use hookwire_broker::{
    Answer, AuthenticationOutcome, Authorization, BrokerCall, DeliveryOutcome, Denial, Message,
    OwnMessage, Refusal, RestoredExchange, SubscriptionInfo, SubscriptionOutcome, Verdict,
};
use hookwire_mqtt::PublishProperties;

/// What became of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// `proceed`, `deny`, ...
    pub verdict: &'static str,
    /// Whether any rule had to see it.
    pub ran: bool,
    /// Reason code of a refusal.
    pub reason_code: Option<u8>,
    /// Its text.
    pub reason: Option<String>,
    /// Topic of the changed message, filter of the changed subscription.
    pub topic: Option<String>,
    /// Payload of the changed message.
    pub payload: Option<Vec<u8>>,
    /// QoS of what was changed.
    pub qos: Option<u8>,
    /// Retain flag of the changed message.
    pub retain: Option<bool>,
    /// User properties of the changed message.
    pub user_properties: Option<Vec<(String, String)>>,
    /// What goes to the client in an enhanced authentication.
    pub data: Option<Vec<u8>>,
    /// How long leave may be kept; none: until rules change.
    pub keep_ms: Option<u64>,
    /// Filters that a session begins with.
    pub subscriptions: Option<Vec<String>>,
    /// Whether the client is told that its session is present.
    pub is_present: Option<bool>,
    /// Its QoS 2 exchanges, `DIRECTION STATE PACKET_ID`.
    pub exchanges: Option<Vec<String>>,
    /// Topic and payload of each message of a page, `TOPIC PAYLOAD`.
    pub messages: Option<Vec<String>>,
    /// Where the next page begins; empty where there is none.
    pub next: Option<String>,
}

impl Seen {
    pub(crate) fn word(verdict: &'static str) -> Self {
        Self {
            verdict,
            ran: true,
            ..Self::default()
        }
    }

    /// An event that no rule has to see.
    pub(crate) fn unseen(verdict: &'static str) -> Self {
        Self {
            verdict,
            ..Self::default()
        }
    }

    pub(crate) fn of_verdict(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Proceed => Self::word("proceed"),
            Verdict::Replace(message) => Self::replaced(message),
            Verdict::Drop => Self::word("drop"),
            Verdict::Deny(refusal) => Self::refused("deny", refusal),
            Verdict::Disconnect(refusal) => Self::refused("disconnect", refusal),
            Verdict::Failed { refusal, .. } => Self::refused("failed", refusal),
        }
    }

    pub(crate) fn of_answer(answer: &Answer) -> Self {
        match answer {
            Answer::Connect(None) | Answer::Exchange(Ok(())) => Self::word("proceed"),
            Answer::Connect(Some(denial)) | Answer::CreateSession(Err(denial)) => {
                Self::denied(denial)
            }
            Answer::Authenticate(outcome) => Self::of_authentication(outcome),
            Answer::Authorize(outcome) => Self::of_authorization(outcome),
            Answer::CreateSession(Ok(restored)) => {
                let session = restored.session.as_ref();
                let is_empty = restored.subscriptions.is_empty() && session.is_none();
                let own = session.map_or(&[][..], |session| &session.subscriptions);
                let filters = own.iter().chain(&restored.subscriptions);
                let exchanges = session.map_or(&[][..], |session| &session.exchanges);
                Self {
                    subscriptions: Some(filters.map(|s| s.filter.to_string()).collect()),
                    is_present: Some(session.is_some()),
                    exchanges: Some(exchanges.iter().map(exchange_text).collect()),
                    ..Self::word(if is_empty { "proceed" } else { "restore" })
                }
            }
            Answer::Subscribe(outcome) => match outcome {
                SubscriptionOutcome::Proceed => Self::word("proceed"),
                SubscriptionOutcome::Replace(subscription) => Self::resubscribed(subscription),
                SubscriptionOutcome::Deny(refusal) => Self::refused("deny", refusal),
                SubscriptionOutcome::Disconnect(refusal) => Self::refused("disconnect", refusal),
            },
            Answer::Fetch(Ok(page)) => Self {
                messages: Some(page.messages.iter().map(|message| shown(message)).collect()),
                next: Some(page.next.as_deref().unwrap_or_default().to_owned()),
                ..Self::word("page")
            },
            Answer::Fetch(Err(refusal)) | Answer::Exchange(Err(refusal)) => {
                Self::refused("deny", refusal)
            }
            Answer::Deliver(outcome) => match outcome {
                DeliveryOutcome::Proceed => Self::word("proceed"),
                DeliveryOutcome::Replace(message) => Self::replaced(message),
                DeliveryOutcome::Drop(reason) => Self {
                    reason: Some((*reason).to_owned()),
                    ..Self::word("drop")
                },
                DeliveryOutcome::Disconnect(refusal) => Self::refused("disconnect", refusal),
            },
        }
    }

    fn of_authentication(outcome: &AuthenticationOutcome) -> Self {
        match outcome {
            AuthenticationOutcome::Accept { data } => Self {
                data: data.clone(),
                ..Self::word("allow")
            },
            AuthenticationOutcome::Continue { data } => Self {
                data: data.clone(),
                ..Self::word("challenge")
            },
            AuthenticationOutcome::Deny(denial) => Self::denied(denial),
            AuthenticationOutcome::Deferred => Self::word("defer"),
        }
    }

    fn of_authorization(outcome: &Authorization) -> Self {
        match outcome {
            Authorization::Allow { keep_ms } => Self {
                keep_ms: *keep_ms,
                ..Self::word("allow")
            },
            Authorization::Deny { refusal, keep_ms } => Self {
                keep_ms: *keep_ms,
                ..Self::refused("deny", refusal)
            },
            Authorization::Disconnect(refusal) => Self::refused("disconnect", refusal),
            Authorization::Deferred => Self::word("defer"),
        }
    }

    fn denied(denial: &Denial) -> Self {
        Self::refused("deny", &denial.refusal)
    }

    fn refused(verdict: &'static str, refusal: &Refusal) -> Self {
        Self {
            reason_code: Some(refusal.reason.as_u8()),
            reason: Some(refusal.text.clone()),
            ..Self::word(verdict)
        }
    }

    fn replaced(message: &Message) -> Self {
        let properties = PublishProperties::from_validated(&message.properties);
        let user = properties.user_properties();
        Self {
            topic: Some(message.topic.to_string()),
            payload: Some(message.payload.to_vec()),
            qos: Some(message.qos.as_u8()),
            retain: Some(message.retain),
            user_properties: Some(
                user.map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            ),
            ..Self::word("replace")
        }
    }

    fn resubscribed(subscription: &SubscriptionInfo) -> Self {
        Self {
            topic: Some(subscription.filter.to_string()),
            qos: Some(subscription.qos.as_u8()),
            ..Self::word("replace")
        }
    }
}

fn shown(message: &Message) -> String {
    let payload = String::from_utf8_lossy(&message.payload);
    format!("{} {payload}", message.topic)
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict)?;
        if !self.ran {
            return f.write_str(" (no rule has to see it)");
        }
        if let Some(code) = self.reason_code {
            write!(f, " 0x{code:02X}")?;
        }
        if let Some(reason) = self.reason.as_ref().filter(|reason| !reason.is_empty()) {
            write!(f, " {reason:?}")?;
        }
        if let Some(topic) = &self.topic {
            write!(f, " {topic}")?;
        }
        if let Some(payload) = &self.payload {
            write!(f, " {:?}", String::from_utf8_lossy(payload))?;
        }
        if let Some(messages) = &self.messages {
            write!(f, " {messages:?}")?;
        }
        if let Some(next) = self.next.as_ref().filter(|next| !next.is_empty()) {
            write!(f, ", and more from {next:?} on")?;
        }
        if let Some(subscriptions) = self.subscriptions.as_ref().filter(|list| !list.is_empty()) {
            write!(f, " {}", subscriptions.join(", "))?;
        }
        Ok(())
    }
}

/// Something that a rule asked of the broker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// `publish`, `deliver`, `subscribe`, `unsubscribe`, `disconnect` or `lookup`.
    pub call: &'static str,
    /// The client that it is about.
    pub clientid: Option<String>,
    /// A topic or filter.
    pub topic: Option<String>,
    /// Payload of a message.
    pub payload: Option<Vec<u8>>,
    /// QoS of a message or subscription.
    pub qos: Option<u8>,
    /// Retain flag of a message.
    pub retain: Option<bool>,
    /// User properties of a message.
    pub user_properties: Option<Vec<(String, String)>>,
    /// What a client is disconnected with.
    pub reason_code: Option<u8>,
}

impl Asked {
    pub(crate) fn of(call: &BrokerCall) -> Self {
        let about = |call, clientid: &str| Self {
            call,
            clientid: Some(clientid.to_owned()),
            ..Self::default()
        };
        match call {
            BrokerCall::Publish(message) => Self {
                call: "publish",
                ..Self::message(message)
            },
            BrokerCall::Deliver { clientid, message } => Self {
                call: "deliver",
                clientid: Some(clientid.to_string()),
                ..Self::message(message)
            },
            BrokerCall::Subscribe {
                clientid,
                subscription,
            } => Self {
                topic: Some(subscription.filter.to_string()),
                qos: Some(subscription.qos.as_u8()),
                ..about("subscribe", clientid)
            },
            BrokerCall::Unsubscribe { clientid, filter } => Self {
                topic: Some(filter.to_string()),
                ..about("unsubscribe", clientid)
            },
            BrokerCall::Disconnect {
                clientid, refusal, ..
            } => Self {
                reason_code: Some(refusal.reason.as_u8()),
                ..about("disconnect", clientid)
            },
            BrokerCall::Lookup { clientid, .. } => about("lookup", clientid),
        }
    }

    fn message(message: &OwnMessage) -> Self {
        Self {
            topic: Some(message.topic.to_string()),
            payload: Some(message.payload.clone()),
            qos: Some(message.qos.as_u8()),
            retain: Some(message.retain),
            user_properties: Some(message.user_properties.clone()),
            ..Self::default()
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.call)?;
        for text in [&self.clientid, &self.topic].into_iter().flatten() {
            write!(f, " {text}")?;
        }
        if let Some(payload) = &self.payload {
            write!(f, " {:?}", String::from_utf8_lossy(payload))?;
        }
        if let Some(qos) = self.qos {
            write!(f, " (QoS {qos})")?;
        }
        Ok(())
    }
}

fn exchange_text(exchange: &RestoredExchange) -> String {
    match exchange {
        RestoredExchange::Taken(id) => format!("in received {id}"),
        RestoredExchange::Sent(id, _) => format!("out sent {id}"),
        RestoredExchange::Received(id, _) => format!("out received {id}"),
        RestoredExchange::Completed(id) => format!("out completed {id}"),
    }
}
