//! The properties of a PUBLISH, left in their encoded form: most of them are
//! only passed on, so they are checked once and read where somebody asks.

use std::borrow::Cow;

use crate::error::{DecodeError, Fault};
use crate::property::{Properties, Property};
use crate::reader::Reader;

/// A view of checked, encoded PUBLISH properties, without the length before
/// them. Reading one walks over those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublishProperties<'a>(&'a [u8]);

impl<'a> PublishProperties<'a> {
    /// Takes bytes that [`PublishProperties::forwardable`] or
    /// [`PublishProperties::raw`] gave. Other bytes do no harm: what cannot be
    /// read is not there.
    #[must_use]
    pub fn from_validated(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Checks the properties that `reader` is at, as those of a PUBLISH.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if reader.skip_zero() {
            return Ok(Self::default());
        }
        let mut properties = Properties::read(reader)?;
        let bytes = properties.unread();
        while let Some(property) = properties.next()? {
            if !travels(property) && !is_hop(property) {
                return Err(properties.not_allowed(property));
            }
        }
        Ok(Self(bytes))
    }

    /// The encoded properties.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the sender says that the payload is UTF-8. The payload is not
    /// checked against it here.
    #[must_use]
    pub fn payload_format_utf8(self) -> bool {
        self.find(|property| match property {
            Property::PayloadFormatIndicator(utf8) => Some(utf8),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// Seconds until the message is worth nothing any more.
    #[must_use]
    pub fn message_expiry_interval(self) -> Option<u32> {
        self.find(|property| match property {
            Property::MessageExpiryInterval(seconds) => Some(seconds),
            _ => None,
        })
    }

    /// The number that stands for the topic on this connection; never 0.
    #[must_use]
    pub fn topic_alias(self) -> Option<u16> {
        self.find(|property| match property {
            Property::TopicAlias(alias) => Some(alias),
            _ => None,
        })
    }

    /// Where an answer is expected; a valid topic name.
    #[must_use]
    pub fn response_topic(self) -> Option<&'a str> {
        self.find(|property| match property {
            Property::ResponseTopic(topic) => Some(topic),
            _ => None,
        })
    }

    /// What the answer has to repeat.
    #[must_use]
    pub fn correlation_data(self) -> Option<&'a [u8]> {
        self.find(|property| match property {
            Property::CorrelationData(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// What the payload is, in the application's words.
    #[must_use]
    pub fn content_type(self) -> Option<&'a str> {
        self.find(|property| match property {
            Property::ContentType(text) => Some(text),
            _ => None,
        })
    }

    /// User properties, in the order sent [MQTT-3.3.2-18].
    pub fn user_properties(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter_map(|property| match property {
            Property::User(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// The subscriptions that a server delivers the message for; never 0. A
    /// client must not send any [MQTT-3.3.4-6]: that is for the server to refuse.
    pub fn subscription_identifiers(self) -> impl Iterator<Item = u32> {
        self.iter().filter_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(identifier),
            _ => None,
        })
    }

    /// The properties without those that mean something to one connection
    /// only: topic alias and subscription identifiers. The order stays.
    /// Borrowed unless one of them was there.
    #[must_use]
    pub fn forwardable(self) -> Cow<'a, [u8]> {
        if self.iter().any(is_hop) {
            Cow::Owned(copy_travelling(self.0))
        } else {
            Cow::Borrowed(self.0)
        }
    }

    /// The properties that travel with a message, with these user properties
    /// in place of its own. Names and values over 65,535 bytes are cut; that
    /// they hold no U+0000 is the caller's to see to.
    #[must_use]
    pub fn with_user_properties<'b>(
        self,
        user: impl IntoIterator<Item = (&'b str, &'b str)>,
    ) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        for property in self.iter().filter(|property| travels(*property)) {
            if !matches!(property, Property::User(..)) {
                property.write(&mut bytes);
            }
        }
        for (name, value) in user {
            Property::User(name, value).write(&mut bytes);
        }
        bytes
    }

    /// The properties that travel with a message, with this Message Expiry
    /// Interval in place of its own: what is left of it when the message goes
    /// on [MQTT-3.3.2-6]. A message without one gets none.
    #[must_use]
    pub fn with_message_expiry_interval(self, seconds: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        for property in self.iter().filter(|property| travels(*property)) {
            match property {
                Property::MessageExpiryInterval(_) => {
                    Property::MessageExpiryInterval(seconds).write(&mut bytes);
                }
                other => other.write(&mut bytes),
            }
        }
        bytes
    }

    fn iter(self) -> impl Iterator<Item = Property<'a>> {
        let mut properties = Properties::over(Reader::new("PUBLISH", self.0));
        // The bytes were checked, so an error cannot be; it would end the walk.
        std::iter::from_fn(move || properties.next().ok().flatten())
    }

    fn find<T>(self, pick: impl FnMut(Property<'a>) -> Option<T>) -> Option<T> {
        self.iter().find_map(pick)
    }
}

/// The properties that travel with a message, beside its user properties, to be
/// encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageProperties<'a> {
    /// Whether the payload is said to be UTF-8.
    pub payload_format_utf8: bool,
    /// Seconds until the message is worth nothing any more.
    pub message_expiry_interval: Option<u32>,
    /// What the payload is; cut over 65,535 bytes, as the others are.
    pub content_type: Option<&'a str>,
    /// Where an answer is expected; the caller sees to it that it is a topic name.
    pub response_topic: Option<&'a str>,
    /// What the answer has to repeat.
    pub correlation_data: Option<&'a [u8]>,
}

impl MessageProperties<'_> {
    /// These and the user properties, encoded.
    #[must_use]
    pub fn encode<'u>(&self, user: impl IntoIterator<Item = (&'u str, &'u str)>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let own = [
            self.payload_format_utf8
                .then_some(Property::PayloadFormatIndicator(true)),
            self.message_expiry_interval
                .map(Property::MessageExpiryInterval),
            self.content_type.map(Property::ContentType),
            self.response_topic.map(Property::ResponseTopic),
            self.correlation_data.map(Property::CorrelationData),
        ];
        for property in own.into_iter().flatten() {
            property.write(&mut bytes);
        }
        for (name, value) in user {
            Property::User(name, value).write(&mut bytes);
        }
        bytes
    }
}

/// Appends a Subscription Identifier, 1 to 268,435,455, to encoded properties:
/// that of a subscription which a PUBLISH is delivered for.
pub fn write_subscription_identifier(out: &mut Vec<u8>, identifier: u32) {
    Property::SubscriptionIdentifier(identifier).write(out);
}

/// Appends a Topic Alias, which is not 0, to encoded properties.
pub fn write_topic_alias(out: &mut Vec<u8>, alias: u16) {
    Property::TopicAlias(alias).write(out);
}

/// Whether a property belongs to the message, and goes where it goes.
pub(crate) fn travels(property: Property<'_>) -> bool {
    matches!(
        property,
        Property::PayloadFormatIndicator(_)
            | Property::MessageExpiryInterval(_)
            | Property::ContentType(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_)
            | Property::User(..)
    )
}

/// Whether a property belongs to one hop of the message.
fn is_hop(property: Property<'_>) -> bool {
    matches!(
        property,
        Property::TopicAlias(_) | Property::SubscriptionIdentifier(_)
    )
}

fn copy_travelling(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    for property in PublishProperties(bytes).iter().filter(|p| travels(*p)) {
        property.write(&mut kept);
    }
    kept
}

/// Reads the properties of a will: the delay, and those of its message.
pub(crate) fn read_will(reader: &mut Reader<'_>) -> Result<(u32, Vec<u8>), DecodeError> {
    let mut delay_interval_s = 0;
    let mut travelling = Vec::new();
    let mut properties = Properties::read(reader)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::WillDelayInterval(seconds) => delay_interval_s = seconds,
            property if travels(property) => property.write(&mut travelling),
            other => return Err(properties.not_allowed(other)),
        }
    }
    Ok((delay_interval_s, travelling))
}

/// Refuses a PUBLISH that names its topic neither by name nor by alias.
pub(crate) fn require_alias(
    properties: PublishProperties<'_>,
    reader: &Reader<'_>,
) -> Result<(), DecodeError> {
    if properties.topic_alias().is_some() {
        Ok(())
    } else {
        Err(reader.error("topic name", Fault::EmptyTopic))
    }
}
