//! A store in memory that numbers its rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookwire_broker::{FetchRequest, Message, Page, Stores, Wants};
use hookwire_mqtt::{TopicFilter, TopicName};

pub(crate) const STORE: Stores = Stores(1);

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// A row's number is its place.
    pub(crate) rows: Vec<Arc<Message>>,
    /// By client, topic and publisher: the first row that was not acknowledged.
    pub(crate) positions: BTreeMap<(String, String, String), usize>,
    /// The retained message of each topic; one without payload deleted it.
    pub(crate) retained: BTreeMap<String, Arc<Message>>,
    /// By client and filter: the first row that is the subscription's.
    pub(crate) floors: BTreeMap<(String, String), usize>,
}

impl Store {
    /// Keeps where a subscription begins, if it is not kept.
    pub(crate) fn begin(&mut self, request: &FetchRequest) {
        let subscription = (
            request.client.clientid.to_string(),
            request.filter.to_string(),
        );
        self.floors.entry(subscription).or_insert(self.rows.len());
    }

    /// Retained messages, in the order of their topics.
    fn retained_page(&self, request: &FetchRequest, max: usize) -> Page {
        let filter = TopicFilter::new(&request.filter).unwrap();
        let behind = request.cursor.as_deref().unwrap_or_default();
        let matching = self.retained.iter().filter(|(topic, _)| {
            topic.as_str() > behind && filter.matches(TopicName::new(topic).unwrap())
        });
        let matching: Vec<_> = matching.map(|(_, message)| Arc::clone(message)).collect();
        let next = matching.get(max - 1).filter(|_| matching.len() > max);
        Page {
            next: next.map(|last| Arc::clone(&last.topic)),
            messages: matching.into_iter().take(max).collect(),
            floor: None,
        }
    }

    pub(crate) fn page(&self, request: &FetchRequest, max: usize) -> Page {
        if request.wants == Wants::Retained {
            return self.retained_page(request, max);
        }
        let clientid = request.client.clientid.to_string();
        let filter = TopicFilter::new(&request.filter).unwrap();
        let floor = (clientid.clone(), request.filter.to_string());
        let floor = self.floors.get(&floor).copied().unwrap_or_default();
        let from = request
            .cursor
            .as_ref()
            .map_or(0, |cursor| cursor.parse().unwrap());
        let is_meant = |row: usize, message: &Message| {
            let place = place(&clientid, message);
            let position = self.positions.get(&place).copied().unwrap_or_default();
            row >= position.max(floor) && filter.matches(TopicName::new(&message.topic).unwrap())
        };
        let mut page = Page {
            floor: Some(floor.to_string().into()),
            ..Page::default()
        };
        for (row, message) in self.rows.iter().enumerate().skip(from) {
            if page.messages.len() == max {
                page.next = Some(row.to_string().into());
                break;
            }
            if is_meant(row, message) {
                page.messages.push(Arc::clone(message));
            }
        }
        page
    }

    pub(crate) fn acknowledged(&mut self, clientid: &str, message: &Message) {
        let row = self.rows.iter().position(|row| row.id == message.id);
        let next = row.expect("it is stored") + 1;
        // As in a real store, it only goes forward.
        let position = self.positions.entry(place(clientid, message)).or_default();
        *position = next.max(*position);
    }
}

fn place(clientid: &str, message: &Message) -> (String, String, String) {
    let (topic, sender) = (message.topic.to_string(), message.sender.to_string());
    (clientid.to_owned(), topic, sender)
}
