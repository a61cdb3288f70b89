//! Calls of rules to a store, under way, and in words.

use std::fmt;
use std::sync::Arc;

use hookwire_broker::{ClientInfo, Event, Exchange, FetchRequest, Message, Page, Ticket, WorkerId};

use crate::stamp::Stamp;

/// A call of a rule.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) worker: WorkerId,
    pub(super) clientid: Arc<str>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Publish {
        ticket: Ticket,
        message: Arc<Message>,
        is_abandoned: bool,
    },
    Event(Event),
    Position(Arc<ClientInfo>, Arc<Message>),
    Exchange(Ticket, Exchange),
    Fetch(Ticket, FetchRequest),
    Session(Ticket, Arc<ClientInfo>),
}

impl What {
    /// Whether it reads.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Fetch(..) | Self::Session(..))
    }

    /// Whether it waits for what its client wrote before.
    pub(super) fn reads_after_writes(&self) -> bool {
        match self {
            Self::Fetch(_, request) => request.after_writes,
            other => other.reads(),
        }
    }

    /// The number of the message that is to be stored.
    pub(super) fn stamp(&self) -> Option<u32> {
        match self {
            Self::Publish { message, .. } => Stamp::read(&message.payload).map(|of| of.message),
            _ => None,
        }
    }
}

/// The messages of a page, in words.
pub(super) fn shown(page: &Page) -> String {
    let stamps = page.messages.iter();
    let stamps = stamps.filter_map(|message| Stamp::read(&message.payload));
    let numbers: Vec<u32> = stamps.map(|stamp| stamp.message).collect();
    let more = if page.next.is_some() {
        ", and more"
    } else {
        ""
    };
    format!(": {numbers:?}{more}")
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish { message, .. } => {
                let stamp = Stamp::read(&message.payload);
                write!(f, "stores message {:?}", stamp.map(|stamp| stamp.message))
            }
            Self::Event(event) => match event {
                Event::Client(event) => write!(f, "{:?}", event.hook),
                Event::Subscription(event) => {
                    write!(f, "{:?} {}", event.hook, event.subscription.filter)
                }
                Event::Node(_) | Event::Dropped(_) => Ok(()),
            },
            Self::Position(_, message) => {
                let stamp = Stamp::read(&message.payload);
                write!(f, "moves to message {:?}", stamp.map(|stamp| stamp.message))
            }
            Self::Exchange(_, exchange) => {
                write!(f, "keeps {} {:?}", exchange.packet_id, exchange.step)
            }
            Self::Fetch(_, request) => {
                let begins = if request.begins { " from now on" } else { "" };
                write!(f, "fetches {}{begins}", request.filter)
            }
            Self::Session(..) => f.write_str("begins a session"),
        }
    }
}
