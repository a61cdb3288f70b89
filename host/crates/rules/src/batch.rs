//! One batch: which rules run on which events, in which order, and the events
//! as the guest is given them.

use hookwire_bindings::event::{Attribute, Client, Delivery, Event, Message, MessageText};
use hookwire_bindings::wit::exports::hookwire::rule::actions::Call;
use hookwire_broker::ClientHook;
use hookwire_mqtt::PublishProperties;
use rustc_hash::FxHashMap;

use crate::interest::MessageKind;
use crate::lane::{ClientHash, Item, Subject};
use crate::manifest::Hook;
use crate::plan::{RuleId, Rules};

/// The items of a batch and the calls made of them. Kept by a lane, so that
/// its buffers are reused.
#[derive(Default)]
pub(crate) struct Batch {
    /// Event number n of the batch is item number n.
    pub(crate) items: Vec<Item>,
    pub(crate) calls: Vec<Call>,
    /// Whether a rule that runs on the item reads its payload.
    payloads: Vec<bool>,
    order: Vec<CallKey>,
    segments: Segments,
}

impl Batch {
    /// Works out the calls for the items.
    ///
    /// Calls of one rule follow one another, because a module turns those into
    /// one store call; the events of one client keep their order all the same.
    pub(crate) fn plan_calls(&mut self, rules: &Rules) {
        self.order.clear();
        self.payloads.clear();
        let one_hook = self
            .items
            .windows(2)
            .all(|pair| hook_of(&pair[0]) == hook_of(&pair[1]));
        self.segments.clear();
        for (event, item) in (0_u32..).zip(&self.items) {
            let segment = if one_hook {
                0
            } else {
                self.segments.place(item)
            };
            let mut reads_payload = false;
            for id in item.step().into_iter().flat_map(|step| &step.rules) {
                let Some(rule) = rules.get(*id) else {
                    continue;
                };
                let runs = match &item.subject {
                    Subject::Client(_) => true,
                    Subject::Publish(publish) => {
                        let message = &*publish.message;
                        item.set.runs(rule, MessageKind::from(message), message)
                    }
                    Subject::Acked { message, .. } => {
                        item.set.runs(rule, MessageKind::from(&**message), message)
                    }
                };
                if runs {
                    reads_payload |= rule.interest.payload;
                    self.order.push(CallKey {
                        segment,
                        rule: *id,
                        event,
                    });
                }
            }
            self.payloads.push(reads_payload);
        }
        self.order.sort_unstable();
        self.calls.clear();
        self.calls.extend(self.order.iter().map(|key| Call {
            rule: u32::from(key.rule),
            event: key.event,
        }));
    }

    /// The events, borrowed from the items and from `texts`.
    pub(crate) fn events<'a>(&'a self, texts: &'a Texts<'a>) -> Vec<Event<'a>> {
        let numbered = self.items.iter().enumerate();
        let event = |(number, item): (usize, &'a Item)| {
            let view = |message| {
                let text = texts.of(number, self.payloads.get(number).copied());
                Message::new(message, text)
            };
            match &item.subject {
                Subject::Publish(publish) => Event::Message(view(&publish.message)),
                Subject::Acked { client, message } => {
                    Event::Delivery(Delivery::new(client, view(message)))
                }
                Subject::Client(event) => Event::Client(Client::from(event)),
            }
        };
        numbered.map(event).collect()
    }

    /// Ids of the rules that run, each once for each run of its calls, with the
    /// number of events.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (RuleId, usize)> {
        let runs = self.order.chunk_by(|left, right| left.rule == right.rule);
        runs.filter_map(|run| Some((run.first()?.rule, run.len())))
    }
}

/// Sorts calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CallKey {
    segment: u16,
    rule: RuleId,
    event: u32,
}

/// Cuts a batch of several hooks into segments of one hook each, as few as the
/// order of each client's events allows.
#[derive(Default)]
struct Segments {
    hooks: Vec<Hook>,
    /// Segment of the client's latest event.
    latest: FxHashMap<ClientHash, u16>,
}

impl Segments {
    fn clear(&mut self) {
        self.hooks.clear();
        self.latest.clear();
    }

    fn place(&mut self, item: &Item) -> u16 {
        let hook = hook_of(item);
        let earliest = self.latest.get(&item.client).copied().unwrap_or_default();
        let hooks = self.hooks.iter().enumerate().skip(usize::from(earliest));
        let found = hooks
            .filter(|(_, other)| **other == hook)
            .map(|(number, _)| number)
            .next();
        let segment = found.unwrap_or_else(|| {
            self.hooks.push(hook);
            self.hooks.len() - 1
        });
        let segment = u16::try_from(segment).unwrap_or(u16::MAX);
        self.latest.insert(item.client, segment);
        segment
    }
}

fn hook_of(item: &Item) -> Hook {
    match &item.subject {
        Subject::Publish(_) => Hook::MessagePublish,
        Subject::Acked { .. } => Hook::MessageAcked,
        Subject::Client(event) => match event.hook {
            ClientHook::Connected => Hook::ClientConnected,
            ClientHook::Disconnected => Hook::ClientDisconnected,
        },
    }
}

/// What events borrow beside the items: ids as text, user properties decoded.
pub(crate) struct Texts<'a> {
    ids: Vec<[u8; 20]>,
    attributes: Vec<Attribute<'a>>,
    /// Where each item's attributes end; empty when no message has any.
    ends: Vec<usize>,
}

impl<'a> Texts<'a> {
    pub(crate) fn of_items(items: &'a [Item]) -> Self {
        let message = |item: &'a Item| match &item.subject {
            Subject::Publish(publish) => Some(&*publish.message),
            Subject::Acked { message, .. } => Some(&**message),
            Subject::Client(_) => None,
        };
        let messages = || items.iter().map(message);
        let ids = messages()
            .map(|message| message.map_or([b'0'; 20], |message| message.id.to_text()))
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
        Self {
            ids,
            attributes,
            ends,
        }
    }

    fn of(&'a self, number: usize, reads_payload: Option<bool>) -> MessageText<'a> {
        let id = self.ids.get(number).map_or(&[][..], |id| id);
        let start = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or_default();
        let end = self.ends.get(number).copied().unwrap_or_default();
        MessageText {
            id: std::str::from_utf8(id).unwrap_or_default(),
            user_properties: self.attributes.get(start..end).unwrap_or_default(),
            payload: reads_payload.unwrap_or(true),
        }
    }
}
