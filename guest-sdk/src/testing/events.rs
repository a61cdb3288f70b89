//! Events for tests to change.

use crate::broker::ClientState;
use crate::{
    Access, Client, Connection, Credentials, Delivery, Exchange, Fetch, Message, Node, Subscription,
};

/// When all of it happened: 2016-11-15 09:40:40 UTC.
const AT_MS: u64 = 1_479_202_840_000;

/// A QoS 1 message from the client `publisher`, for tests to change.
///
/// ```
/// # use hookwire_sdk::{Message, testing};
/// let message = Message { retain: true, ..testing::message("a/b", "21.5") };
/// assert_eq!(message.payload, b"21.5");
/// ```
#[must_use]
pub fn message(topic: &str, payload: impl Into<Vec<u8>>) -> Message {
    Message {
        id: "2PguFrHsrzEvIIBdctmb".to_owned(),
        topic: topic.to_owned(),
        payload: payload.into(),
        sender: "publisher".to_owned(),
        qos: 1,
        retain: false,
        at_ms: AT_MS,
        expires_at_ms: None,
        user_properties: Vec::new(),
        extras: Vec::new(),
    }
}

/// A client without a user name, of which the connection was not asked for.
///
/// ```
/// # use hookwire_sdk::{Client, testing};
/// let gone = Client { reason: "keep-alive".to_owned(), ..testing::client("c1") };
/// let seen = Client { connection: Some(testing::connection()), ..testing::client("c1") };
/// assert_ne!(gone, seen);
/// ```
#[must_use]
pub fn client(clientid: &str) -> Client {
    Client {
        clientid: clientid.to_owned(),
        username: None,
        connection: None,
        reason_code: 0,
        reason: String::new(),
        at_ms: AT_MS,
        extras: Vec::new(),
    }
}

/// A connection of an MQTT 5 client to the listener `default`.
///
/// ```
/// # use hookwire_sdk::{Client, Connection, testing};
/// let old = Connection { protocol: 4, ..testing::connection() };
/// let client = Client { connection: Some(old), ..testing::client("c1") };
/// assert_eq!(client.connection.unwrap().listener, "default");
/// ```
#[must_use]
pub fn connection() -> Connection {
    Connection {
        listener: "default".to_owned(),
        peer: "192.0.2.7:50412".to_owned(),
        protocol: 5,
        tls: false,
        certificate: None,
        mount_point: None,
        keep_alive_s: 60,
        clean_start: true,
        session_expiry_s: 0,
        user_properties: Vec::new(),
        extras: Vec::new(),
    }
}

/// CONNECT of a client with a user name and a password.
///
/// ```
/// # use hookwire_sdk::{Credentials, testing};
/// let who = testing::credentials("c1", "operator", "secret");
/// assert_eq!(who.client.username.as_deref(), Some("operator"));
/// let again = Credentials { step: "again".to_owned(), ..who };
/// assert_eq!(again.password.as_deref(), Some(&b"secret"[..]));
/// ```
#[must_use]
pub fn credentials(clientid: &str, username: &str, password: impl Into<Vec<u8>>) -> Credentials {
    Credentials {
        client: Client {
            username: Some(username.to_owned()),
            ..client(clientid)
        },
        step: "connect".to_owned(),
        password: Some(password.into()),
        method: None,
        data: None,
        extras: Vec::new(),
    }
}

/// The wish of a client to `publish`, to `publish-will` or to `subscribe`, with
/// QoS 1.
///
/// ```
/// # use hookwire_sdk::{Access, testing};
/// let access = Access { retain: true, ..testing::access("c1", "publish", "c1/state") };
/// assert!(access.is_publish());
/// ```
#[must_use]
pub fn access(clientid: &str, operation: &str, topic: &str) -> Access {
    Access {
        client: client(clientid),
        operation: operation.to_owned(),
        topic: topic.to_owned(),
        qos: 1,
        retain: false,
        extras: Vec::new(),
    }
}

/// A new subscription with QoS 1.
///
/// ```
/// # use hookwire_sdk::{Subscription, testing};
/// let again = Subscription { is_new: false, ..testing::subscription("c1", "a/#") };
/// assert_eq!(again.qos, 1);
/// ```
#[must_use]
pub fn subscription(clientid: &str, filter: &str) -> Subscription {
    Subscription {
        client: client(clientid),
        filter: filter.to_owned(),
        qos: 1,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: None,
        is_new: true,
        user_properties: Vec::new(),
        extras: Vec::new(),
    }
}

/// What is stored for client `clientid` by `filter` is wanted, from the first page
/// on, by a client that had the subscription already.
///
/// ```
/// # use hookwire_sdk::testing;
/// let fetch = testing::fetch("c1", "news/#");
/// assert!(fetch.cursor.is_none() && !fetch.begins);
/// ```
#[must_use]
pub fn fetch(clientid: &str, filter: &str) -> Fetch {
    Fetch {
        client: client(clientid),
        filter: filter.to_owned(),
        qos: 1,
        cursor: None,
        begins: false,
        max_messages: 256,
        extras: Vec::new(),
    }
}

/// The QoS 2 exchange with packet id 1 of client `clientid`: `in` or `out`, and
/// `sent`, `received` or `completed`.
///
/// ```
/// # use hookwire_sdk::testing;
/// let exchange = testing::exchange("c1", "out", "sent");
/// assert_eq!(exchange.packet_id, 1);
/// ```
#[must_use]
pub fn exchange(clientid: &str, direction: &str, state: &str) -> Exchange {
    Exchange {
        client: client(clientid),
        direction: direction.to_owned(),
        packet_id: 1,
        message_id: "2PguFrHsrzEvIIBdctmb".to_owned(),
        topic: "a/b".to_owned(),
        state: state.to_owned(),
        extras: Vec::new(),
    }
}

/// The broker of that name, which has started.
///
/// ```
/// # use hookwire_sdk::testing;
/// assert_eq!(testing::node("hookwire@127.0.0.1").name, "hookwire@127.0.0.1");
/// ```
#[must_use]
pub fn node(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        at_ms: AT_MS,
        extras: Vec::new(),
    }
}

/// `message` and the client `clientid` that it was meant for.
///
/// ```
/// # use hookwire_sdk::{Delivery, testing};
/// let lost = Delivery {
///     reason: "queue-full".to_owned(),
///     ..testing::delivery("c1", testing::message("a", ""))
/// };
/// assert_eq!(lost.qos, lost.message.qos);
/// ```
#[must_use]
pub fn delivery(clientid: &str, message: Message) -> Delivery {
    Delivery {
        clientid: clientid.to_owned(),
        username: None,
        qos: message.qos,
        reason: String::new(),
        message,
        extras: Vec::new(),
    }
}

/// A connected client without subscriptions, for
/// [`set_client`](super::set_client).
///
/// ```
/// # use hookwire_sdk::broker::ClientState;
/// # use hookwire_sdk::testing;
/// let away = ClientState { connected: false, queued: 3, ..testing::client_state("c1") };
/// testing::set_client(away);
/// ```
#[must_use]
pub fn client_state(clientid: &str) -> ClientState {
    ClientState {
        clientid: clientid.to_owned(),
        username: None,
        connected: true,
        connection: Some(connection()),
        connected_at_ms: AT_MS,
        subscriptions: Vec::new(),
        inflight: 0,
        queued: 0,
        extras: Vec::new(),
    }
}
