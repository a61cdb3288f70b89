//! Events as a guest is given them, borrowed from what they are about.

use hookwire_bindings::event::{
    Access, Attribute, Client, Connection, ConnectionText, Credentials, Delivery, Event, Exchange,
    Fetch, Message, MessageText, Node, Subscription,
};
use hookwire_bindings::extras::Extra;
use hookwire_bindings::wit::exports::hookwire::rule::actions::Call;
use hookwire_broker::{ClientInfo, ConnectionInfo, MessageId, Question};
use hookwire_mqtt::PublishProperties;

use crate::lane::batch::Needs;
use crate::lane::extras::Extras;
use crate::worker::subject::{Asked, Subject};

/// What events borrow beside the subjects: ids and addresses as text, user
/// properties decoded.
pub(crate) struct Texts<'a> {
    ids: Vec<[u8; 20]>,
    attributes: Vec<Attribute<'a>>,
    /// Where each message's attributes end; empty when no message has any.
    ends: Vec<usize>,
    /// By event; empty when no message has any.
    extras: Vec<Vec<Attribute<'a>>>,
    /// Name of the broker.
    node: &'a str,
    /// By event; empty when no event is about a client.
    clients: Vec<ClientText<'a>>,
}

#[derive(Default)]
struct ClientText<'a> {
    peer: String,
    connect_properties: Vec<Attribute<'a>>,
    packet_properties: Vec<Attribute<'a>>,
}

impl<'a> Texts<'a> {
    pub(crate) fn of(
        subjects: impl ExactSizeIterator<Item = &'a Subject> + Clone,
        needs: &[Needs],
        extras: &'a Extras,
        node: &'a str,
    ) -> Self {
        let messages = || subjects.clone().map(Subject::message);
        let ids = subjects
            .clone()
            .map(|subject| subject.message_id().map_or([b'0'; 20], MessageId::to_text))
            .collect();
        let mut attributes = Vec::new();
        let mut ends = Vec::new();
        if messages()
            .flatten()
            .any(|message| !message.properties.is_empty())
        {
            for message in messages() {
                let bytes = message.map_or(&[][..], |message| &message.properties);
                attributes.extend(PublishProperties::from_validated(bytes).user_properties());
                ends.push(attributes.len());
            }
        }
        let is_about_client = |subject: &Subject| subject.client().is_some();
        let clients = if subjects.clone().any(is_about_client) {
            let needs = needs
                .iter()
                .copied()
                .chain(std::iter::repeat(Needs::default()));
            subjects
                .zip(needs)
                .map(|(subject, needs)| ClientText::of(subject, needs))
                .collect()
        } else {
            Vec::new()
        };
        Self {
            ids,
            attributes,
            ends,
            extras: extras.iter().map(borrowed).collect(),
            node,
            clients,
        }
    }

    /// The events of a batch. Where only some `calls` of it are made, what they
    /// are not about is left empty.
    pub(crate) fn events(
        &'a self,
        subjects: impl Iterator<Item = &'a Subject>,
        needs: &[Needs],
        calls: Option<&[Call]>,
    ) -> Vec<Event<'a>> {
        let subjects = (0..).zip(subjects.zip(needs));
        subjects
            .map(|(number, (subject, needs))| {
                if calls.is_none_or(|calls| is_called(calls, number)) {
                    self.event(number, subject, *needs)
                } else {
                    Event::Other(&[])
                }
            })
            .collect()
    }

    /// Event number `number`.
    pub(crate) fn event(&'a self, number: usize, subject: &'a Subject, needs: Needs) -> Event<'a> {
        match subject {
            Subject::Publish(publish) => {
                Event::Message(self.message(number, &publish.message, needs))
            }
            Subject::Acked {
                client, message, ..
            } => Event::Delivery(Delivery {
                clientid: &client.clientid,
                username: client.username.as_deref(),
                qos: message.qos.as_u8(),
                reason: "",
                message: self.message(number, message, needs),
                extras: &[],
            }),
            Subject::Dropped(event) => Event::Delivery(Delivery {
                clientid: event.client.as_ref().map_or("", |client| &client.clientid),
                username: event
                    .client
                    .as_ref()
                    .and_then(|client| client.username.as_deref()),
                qos: event.message.qos.as_u8(),
                reason: event.reason,
                message: self.message(number, &event.message, needs),
                extras: &[],
            }),
            Subject::Node(event) => Event::Node(Node {
                name: self.node,
                at_ms: event.at_ms,
                extras: &[],
            }),
            Subject::Client(event) => Event::Client(Client {
                reason_code: event.reason_code.as_u8(),
                reason: event.reason,
                ..self.client(number, &event.client, needs, event.at_ms)
            }),
            Subject::Subscription(event) => Event::Subscription(Subscription::new(
                &event.subscription,
                self.client(number, &event.client, needs, event.at_ms),
                &[],
            )),
            Subject::Asked(asked) => self.question(number, asked, needs),
        }
    }

    fn question(&'a self, number: usize, asked: &'a Asked, needs: Needs) -> Event<'a> {
        let client = |client| self.client(number, client, needs, asked.at_ms);
        match &asked.question {
            Question::Connect(who) | Question::CreateSession(who) => Event::Client(client(who)),
            Question::Authenticate(step) => {
                Event::Credentials(Credentials::new(step, client(&step.client)))
            }
            Question::Authorize(access) => {
                Event::Access(Access::new(access, client(&access.client)))
            }
            Question::Subscribe(request) | Question::Unsubscribe(request) => {
                let text = self.clients.get(number);
                Event::Subscription(Subscription::new(
                    &request.subscription,
                    client(&request.client),
                    text.map_or(&[], |text| &text.packet_properties),
                ))
            }
            Question::Fetch(request) => Event::Fetch(Fetch::new(request, client(&request.client))),
            Question::Exchange(exchange) => Event::Exchange(Exchange::new(
                exchange,
                client(&exchange.client),
                self.id(number),
            )),
            Question::Deliver(delivery) => Event::Delivery(Delivery {
                clientid: &delivery.client.clientid,
                username: delivery.client.username.as_deref(),
                qos: delivery.qos.as_u8(),
                reason: "",
                message: self.message(number, &delivery.message, needs),
                extras: &[],
            }),
        }
    }

    fn client(
        &'a self,
        number: usize,
        client: &'a ClientInfo,
        needs: Needs,
        at_ms: u64,
    ) -> Client<'a> {
        let connection = client.connection.as_deref().filter(|_| needs.connection);
        let text = self.clients.get(number);
        let connection = connection.zip(text).map(|(connection, text)| {
            let text = ConnectionText {
                peer: &text.peer,
                user_properties: &text.connect_properties,
            };
            Connection::new(connection, text)
        });
        Client::new(client, connection, at_ms)
    }

    /// Id of the message of event number `number`, as text.
    fn id(&'a self, number: usize) -> &'a str {
        let id = self.ids.get(number).map_or(&[][..], |id| id);
        std::str::from_utf8(id).unwrap_or_default()
    }

    fn message(
        &'a self,
        number: usize,
        message: &'a hookwire_broker::Message,
        needs: Needs,
    ) -> Message<'a> {
        let start = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or_default();
        let end = self.ends.get(number).copied().unwrap_or_default();
        let text = MessageText {
            id: (message.foreign_id.as_deref()).unwrap_or_else(|| self.id(number)),
            user_properties: self.attributes.get(start..end).unwrap_or_default(),
            extras: self.extras.get(number).map_or(&[], Vec::as_slice),
            payload: needs.payload,
        };
        Message::new(message, text)
    }
}

impl<'a> ClientText<'a> {
    fn of(subject: &'a Subject, needs: Needs) -> Self {
        let connection = subject
            .client()
            .and_then(|client| client.connection.as_deref());
        let connection = connection.filter(|_| needs.connection);
        let packet = match subject {
            Subject::Asked(asked) => match &asked.question {
                Question::Subscribe(request) | Question::Unsubscribe(request) => {
                    &*request.user_properties
                }
                _ => &[],
            },
            _ => &[],
        };
        Self {
            peer: connection
                .and_then(|connection| connection.peer)
                .map(|peer| peer.to_string())
                .unwrap_or_default(),
            connect_properties: connection.map(connect_properties).unwrap_or_default(),
            packet_properties: attributes(packet),
        }
    }
}

fn is_called(calls: &[Call], event: usize) -> bool {
    let mut called = calls.iter().map(|call| call.event as usize);
    called.any(|called| called == event)
}

fn connect_properties(connection: &ConnectionInfo) -> Vec<Attribute<'_>> {
    attributes(&connection.user_properties)
}

fn borrowed(extras: &[Extra]) -> Vec<Attribute<'_>> {
    let extras = extras.iter();
    extras.map(|(name, value)| (*name, &**value)).collect()
}

fn attributes(pairs: &[(String, String)]) -> Vec<Attribute<'_>> {
    let pairs = pairs.iter();
    pairs.map(|(name, value)| (&**name, &**value)).collect()
}
