//! An event as the core would hand it over: to the right rules, by the right
//! call of the port.

use std::sync::Arc;

use hookwire_broker::{
    Access, Authentication, ClientEvent, DeliveryRequest, DroppedEvent, Event as Happened,
    Exchange, FetchRequest, Hook, Hooks, IdGenerator, NodeEvent, Operation, PublishFacts, Question,
    RuleSet, SubscriptionEvent, SubscriptionRequest, Ticket, Wants,
};
use hookwire_mqtt::{TopicFilter, TopicName};
use hookwire_rules::WorkerRules;

use crate::fixture::{Event, EventKind};
use crate::message::message;

/// How an event was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// A verdict or an answer comes.
    Awaited,
    /// It is only run.
    Told,
    /// No rule has to see it.
    ToNobody,
}

/// Where events come from: the clock's time, and the ids of messages.
pub(crate) struct Origin<'a> {
    pub(crate) at_ms: u64,
    pub(crate) ids: &'a mut IdGenerator,
}

/// Hands an event over; its verdict or answer will carry `ticket`.
pub(crate) fn give(
    rules: &mut WorkerRules,
    event: &Event,
    ticket: Ticket,
    origin: &mut Origin<'_>,
) -> Given {
    let client = Arc::clone(&event.client);
    let at_ms = origin.at_ms;
    let hook = event.hook;
    let question = match &event.kind {
        EventKind::Message(given) => {
            let message = message(given, at_ms, origin.ids);
            let facts = PublishFacts {
                qos: message.qos,
                retain: message.retain,
                payload_bytes: message.payload.len(),
            };
            let set = by_topic(rules, hook, &message.topic);
            if !rules.wants_publish(set, facts) {
                return Given::ToNobody;
            }
            rules.submit_publish(set, ticket, message);
            return Given::Awaited;
        }
        EventKind::Node => {
            return tell(rules, hook, Happened::Node(NodeEvent { hook, at_ms }));
        }
        EventKind::Exchange { packet_id, step } => Question::Exchange(Exchange {
            client,
            packet_id: *packet_id,
            step: step.clone(),
        }),
        EventKind::Client {
            reason_code,
            reason,
        } => match hook {
            Hook::ClientConnect => Question::Connect(client),
            Hook::SessionCreated => Question::CreateSession(client),
            _ => {
                return tell(
                    rules,
                    hook,
                    Happened::Client(ClientEvent {
                        hook,
                        client,
                        reason_code: *reason_code,
                        reason,
                        at_ms,
                    }),
                );
            }
        },
        EventKind::Credentials {
            step,
            password,
            method,
            data,
        } => Question::Authenticate(Authentication {
            client,
            step: *step,
            password: password.clone(),
            method: method.as_deref().map(Into::into),
            data: data.clone(),
        }),
        EventKind::Access {
            operation,
            topic,
            qos,
            retain,
        } => Question::Authorize(Access {
            client,
            operation: *operation,
            topic: topic.as_str().into(),
            qos: *qos,
            retain: *retain,
        }),
        EventKind::Subscription {
            subscription,
            user_properties,
        } => {
            if !hook.is_decision() {
                let event = SubscriptionEvent {
                    hook,
                    client,
                    subscription: subscription.clone(),
                    at_ms,
                };
                return tell(rules, hook, Happened::Subscription(event));
            }
            let request = SubscriptionRequest {
                client,
                subscription: subscription.clone(),
                user_properties: user_properties.clone().into(),
            };
            match hook {
                Hook::ClientUnsubscribe => Question::Unsubscribe(request),
                _ => Question::Subscribe(request),
            }
        }
        EventKind::Fetch {
            filter,
            qos,
            cursor,
            begins,
            max_messages,
        } => {
            let wants = match hook {
                Hook::SessionRetained => Wants::Retained,
                _ => Wants::Queued,
            };
            let request = FetchRequest {
                wants,
                client,
                filter: filter.as_str().into(),
                qos: *qos,
                cursor: cursor.as_deref().map(Into::into),
                begins: *begins,
                max_messages: *max_messages,
                after_writes: true,
            };
            let Ok(filter) = TopicFilter::new(filter) else {
                return Given::ToNobody;
            };
            let Some(rule) = rules.fetch_rules(wants, &filter).into_iter().next() else {
                return Given::ToNobody;
            };
            rules.ask(rule.rules, ticket, Question::Fetch(request));
            return Given::Awaited;
        }
        EventKind::Delivery {
            message: given,
            qos,
            reason,
            has_receiver,
        } => {
            let message = message(given, at_ms, origin.ids);
            match hook {
                Hook::MessageAcked | Hook::MessagePosition => {
                    let set = by_topic(rules, hook, &message.topic);
                    if set == RuleSet::NONE {
                        return Given::ToNobody;
                    }
                    if hook == Hook::MessageAcked {
                        rules.submit_acked(set, &client, message);
                    } else {
                        rules.submit_position(set, &client, message);
                    }
                    return Given::Told;
                }
                Hook::MessageDropped => {
                    let event = DroppedEvent {
                        client: has_receiver.then_some(client),
                        message,
                        reason,
                        at_ms,
                    };
                    return tell(rules, hook, Happened::Dropped(event));
                }
                _ => Question::Deliver(DeliveryRequest {
                    client,
                    message,
                    qos: *qos,
                }),
            }
        }
    };
    ask(rules, hook, ticket, question)
}

fn tell(rules: &mut WorkerRules, hook: Hook, event: Happened) -> Given {
    if !rules.wants(hook) {
        return Given::ToNobody;
    }
    rules.submit_event(event);
    Given::Told
}

fn ask(rules: &mut WorkerRules, hook: Hook, ticket: Ticket, question: Question) -> Given {
    let set = match &question {
        Question::Authorize(access) => match access.operation {
            Operation::Subscribe => by_filter(rules, hook, &access.topic),
            Operation::Publish | Operation::PublishWill => by_topic(rules, hook, &access.topic),
        },
        Question::Subscribe(request) | Question::Unsubscribe(request) => {
            by_filter(rules, hook, &request.subscription.filter)
        }
        Question::Fetch(request) => by_filter(rules, hook, &request.filter),
        Question::Deliver(delivery) => by_topic(rules, hook, &delivery.message.topic),
        Question::Connect(_)
        | Question::Authenticate(_)
        | Question::CreateSession(_)
        | Question::Exchange(_) => rules.match_client(hook),
    };
    if set == RuleSet::NONE {
        return Given::ToNobody;
    }
    rules.ask(set, ticket, question);
    Given::Awaited
}

fn by_topic(rules: &mut WorkerRules, hook: Hook, topic: &str) -> RuleSet {
    TopicName::new(topic).map_or(RuleSet::NONE, |topic| rules.match_topic(hook, topic))
}

fn by_filter(rules: &mut WorkerRules, hook: Hook, filter: &str) -> RuleSet {
    TopicFilter::new(filter).map_or(RuleSet::NONE, |filter| rules.match_filter(hook, &filter))
}
