//! A store that is durable, and what rules do with it: what a stock module does
//! on a real one, in a few maps. What it has survives the broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hookwire_broker::{
    ClientInfo, Event, Exchange, ExchangeStep, FetchRequest, Hook, Message, MessageId, Page,
    Restored, RestoredExchange, RestoredSession, Stores, SubscriptionInfo,
};
use hookwire_mqtt::{PacketId, TopicFilter, TopicName};

use crate::random::Random;
use crate::stored::Planted;

/// The one store.
pub(super) const STORE: Stores = Stores(1);

/// How a store knows what comes behind what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It numbers rows as they are committed, as SQL databases do.
    Rows,
    /// By message id, as Redis, Cassandra and DynamoDB do.
    MessageIds,
}

impl Order {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Rows, Self::MessageIds];

    /// What tables call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::MessageIds => "message ids",
        }
    }
}

/// Where a message stands in a store: its row's number, or its id.
type Place = MessageId;

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    /// There.
    At(Place),
    /// Behind it.
    Behind(Place),
}

impl Floor {
    fn is_below(self, place: Place) -> bool {
        match self {
            Self::At(floor) => place >= floor,
            Self::Behind(floor) => place > floor,
        }
    }
}

/// Client, topic, publisher.
type Line = (Arc<str>, Arc<str>, Arc<str>);

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    order: Order,
    /// In the order committed.
    rows: Vec<Arc<Message>>,
    /// The newest that a client has acknowledged.
    positions: BTreeMap<Line, Place>,
    /// By client and filter: what lies before it is none of the subscription's.
    floors: BTreeMap<(Arc<str>, Arc<str>), Floor>,
    sessions: BTreeSet<Arc<str>>,
    /// What a business server subscribes clients to.
    proxies: BTreeMap<Arc<str>, SubscriptionInfo>,
    /// In the order made.
    subscriptions: Vec<(Arc<str>, SubscriptionInfo)>,
    /// By client and message: QoS 2 deliveries.
    sent: BTreeMap<(Arc<str>, MessageId), (PacketId, State)>,
    /// By client: QoS 2 publishes.
    taken: BTreeSet<(Arc<str>, PacketId)>,
    fault: Option<Planted>,
}

/// How far a QoS 2 delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sent,
    Received,
    Completed,
}

impl Store {
    pub(super) fn new(
        order: Order,
        proxies: BTreeMap<Arc<str>, SubscriptionInfo>,
        fault: Option<Planted>,
    ) -> Self {
        Self {
            order,
            proxies,
            rows: Vec::new(),
            positions: BTreeMap::new(),
            floors: BTreeMap::new(),
            sessions: BTreeSet::new(),
            subscriptions: Vec::new(),
            sent: BTreeMap::new(),
            taken: BTreeSet::new(),
            fault,
        }
    }

    /// Commits a message.
    pub(super) fn insert(&mut self, message: &Arc<Message>) {
        self.rows.push(Arc::clone(message));
        if let Some(id) = message.packet_id {
            self.taken.insert((Arc::clone(&message.sender), id));
        }
    }

    /// Every message with its place, in the order of places.
    fn places(&self) -> Vec<(Place, &Arc<Message>)> {
        let numbered = self.rows.iter().enumerate();
        let mut places: Vec<_> = numbered
            .map(|(index, message)| (self.place(index, message.id), message))
            .collect();
        places.sort_by_key(|(place, _)| *place);
        places
    }

    fn place(&self, index: usize, id: MessageId) -> Place {
        match self.order {
            Order::Rows => MessageId::from_halves(0, index as u64 + 1),
            Order::MessageIds => id,
        }
    }

    /// A page of what a client did not acknowledge; a subscription that begins
    /// has its floor from now on. Nothing older than `horizon` will be committed:
    /// where places are message ids, a page ends there, and another one follows.
    pub(super) fn page(
        &mut self,
        request: &FetchRequest,
        horizon: MessageId,
        dice: &mut Random,
    ) -> Page {
        let clientid = &request.client.clientid;
        let subscription = (Arc::clone(clientid), Arc::clone(&request.filter));
        if request.begins && !self.floors.contains_key(&subscription) {
            let floor = self.floor(horizon);
            self.floors.insert(subscription.clone(), floor);
        }
        let floor = self.floors.get(&subscription).copied();
        let cursor: Option<Place> = request.cursor.as_ref().and_then(|text| text.parse().ok());
        let Ok(filter) = TopicFilter::new(&request.filter) else {
            return Page::default();
        };
        let most = dice.between(1, 5) as usize;
        // Pages are short for other reasons, too.
        let mut looked_at = dice.between(1, 12);
        let mut page = Page::default();
        for (place, message) in self.places() {
            let is_before = cursor.is_some_and(|cursor| place <= cursor);
            if is_before || floor.is_some_and(|floor| !floor.is_below(place)) {
                continue;
            }
            if self.order == Order::MessageIds && place >= horizon {
                // Something may still be committed before it.
                page.next = page.next.or_else(|| request.cursor.clone());
                page.next = page
                    .next
                    .or_else(|| Some(MessageId::MIN.to_string().into()));
                break;
            }
            if page.messages.len() == most || looked_at == 0 {
                break;
            }
            looked_at -= 1;
            page.next = Some(place.to_string().into());
            let line = self.line(clientid, message);
            let position = self.positions.get(&line).copied();
            let is_new = position.is_none_or(|position| place > position);
            if is_new && TopicName::new(&message.topic).is_ok_and(|topic| filter.matches(topic)) {
                page.messages.push(Arc::clone(message));
            }
        }
        page
    }

    fn floor(&self, horizon: MessageId) -> Floor {
        let newest = self.places().last().map(|(place, _)| *place);
        let newest = newest.unwrap_or(MessageId::MIN);
        match self.order {
            Order::MessageIds if horizon <= newest && self.fault != Some(Planted::FloorTooHigh) => {
                Floor::At(horizon)
            }
            _ => Floor::Behind(newest),
        }
    }

    /// A client's position moves to a message.
    fn acknowledged(&mut self, clientid: &Arc<str>, message: &Message) {
        let Some(index) = self.rows.iter().position(|row| row.id == message.id) else {
            return;
        };
        let place = self.place(index, message.id);
        let line = self.line(clientid, message);
        let position = self.positions.entry(line);
        let reached = position.or_insert(place);
        *reached = place.max(*reached);
        let reached = *reached;
        let is_past: Vec<MessageId> = (self.rows.iter().enumerate())
            .filter(|(_, row)| row.topic == message.topic && row.sender == message.sender)
            .filter(|(index, row)| self.place(*index, row.id) <= reached)
            .map(|(_, row)| row.id)
            .collect();
        for id in is_past {
            let key = (Arc::clone(clientid), id);
            if matches!(self.sent.get(&key), Some((_, State::Completed))) {
                self.sent.remove(&key);
            }
        }
    }

    /// What rules are told that a client acknowledged.
    pub(super) fn position(&mut self, client: &ClientInfo, message: &Message) {
        self.acknowledged(&client.clientid, message);
    }

    /// What rules are told of clients and subscriptions.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Subscription(event) => {
                let filter = Arc::clone(&event.subscription.filter);
                let key = (Arc::clone(&event.client.clientid), filter);
                let mut own = self.subscriptions.iter_mut();
                let known = own.find(|(of, known)| *of == key.0 && known.filter == key.1);
                if event.hook == Hook::SessionSubscribed {
                    let subscription = event.subscription.clone();
                    match known {
                        Some((_, known)) => *known = subscription,
                        None => self.subscriptions.push((key.0, subscription)),
                    }
                } else {
                    self.subscriptions
                        .retain(|(of, known)| *of != key.0 || known.filter != key.1);
                    self.floors.remove(&key);
                    let topic = TopicName::new(&key.1);
                    let mut others = self.floors.keys().filter(|(of, _)| *of == key.0);
                    let is_read = topic.is_ok_and(|topic| {
                        others.any(|(_, filter)| {
                            TopicFilter::new(filter).is_ok_and(|filter| filter.matches(topic))
                        })
                    });
                    self.positions
                        .retain(|line, _| line.0 != key.0 || line.1 != key.1 || is_read);
                }
            }
            Event::Client(event)
                if matches!(event.hook, Hook::SessionTerminated | Hook::SessionDiscarded) =>
            {
                self.forget(&event.client.clientid);
            }
            _ => {}
        }
    }

    /// Deletes all that a session left.
    fn forget(&mut self, clientid: &Arc<str>) {
        self.sessions.remove(clientid);
        self.subscriptions.retain(|(of, _)| of != clientid);
        self.floors.retain(|(of, _), _| of != clientid);
        self.positions.retain(|line, _| line.0 != *clientid);
        self.sent.retain(|(of, _), _| of != clientid);
        self.taken.retain(|(of, _)| of != clientid);
    }

    /// What a session that the broker does not know begins with.
    pub(super) fn session(&mut self, client: &ClientInfo) -> Restored {
        let clientid = &client.clientid;
        let connection = client.connection.as_ref();
        let is_clean = connection.is_none_or(|connection| connection.clean_start);
        let is_lasting = connection.is_some_and(|connection| connection.session_expiry_s > 0);
        let is_there = self.sessions.contains(clientid) && !is_clean;
        if !is_there {
            self.forget(clientid);
        }
        if is_lasting {
            self.sessions.insert(Arc::clone(clientid));
        }
        Restored {
            subscriptions: self.proxies.get(clientid).cloned().into_iter().collect(),
            session: is_there.then(|| self.restored(clientid)),
        }
    }

    fn restored(&self, clientid: &Arc<str>) -> RestoredSession {
        let own = self.subscriptions.iter().filter(|(of, _)| of == clientid);
        let sent = self.sent.iter().filter(|((of, _), _)| of == clientid);
        let sent = sent.map(|((_, message), (id, state))| match state {
            State::Sent => RestoredExchange::Sent(*id, *message),
            State::Received => RestoredExchange::Received(*id, *message),
            State::Completed => RestoredExchange::Completed(*message),
        });
        let taken = self.taken.iter().filter(|(of, _)| of == clientid);
        RestoredSession {
            subscriptions: own.map(|(_, subscription)| subscription.clone()).collect(),
            exchanges: sent
                .chain(taken.map(|(_, id)| RestoredExchange::Taken(*id)))
                .collect(),
        }
    }

    /// Keeps a step of a QoS 2 exchange.
    pub(super) fn exchange(&mut self, exchange: &Exchange) {
        let clientid = Arc::clone(&exchange.client.clientid);
        let id = exchange.packet_id;
        let (message, state) = match exchange.step {
            ExchangeStep::Released => {
                self.taken.remove(&(clientid, id));
                return;
            }
            ExchangeStep::Sent { message, .. } => (message, State::Sent),
            ExchangeStep::Received(message) => (message, State::Received),
            ExchangeStep::Completed(message) => (message, State::Completed),
        };
        let key = (clientid, message);
        if state == State::Sent || self.sent.contains_key(&key) {
            self.sent.insert(key, (id, state));
        }
    }

    fn line(&self, clientid: &Arc<str>, message: &Message) -> Line {
        let sender = match self.fault == Some(Planted::PositionOfTopic) {
            true => Arc::from("anybody"),
            false => Arc::clone(&message.sender),
        };
        (Arc::clone(clientid), Arc::clone(&message.topic), sender)
    }
}
