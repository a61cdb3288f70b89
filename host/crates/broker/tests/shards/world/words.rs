//! What hooks are told, in words that can be compared.

use hookwire_broker::{Event, ExchangeStep, Message, Operation, Question, SubscriptionInfo};
use hookwire_mqtt::QoS;

fn payload(message: &Message) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

fn qos(qos: QoS) -> u8 {
    qos.as_u8()
}

pub(crate) fn published(message: &Message) -> String {
    let (sender, topic) = (&message.sender, &message.topic);
    format!("message.publish {sender} {topic} {}", payload(message))
}

fn subscription(info: &SubscriptionInfo) -> String {
    let known = if info.is_new { "new" } else { "known" };
    format!("{} {} {known}", info.filter, qos(info.qos))
}

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Node(event) => event.hook.name().to_owned(),
        Event::Client(event) => {
            let mut text = format!("{} {}", event.hook.name(), event.client.clientid);
            if event.reason_code.is_error() {
                text += &format!(" {:?}", event.reason_code);
            }
            if !event.reason.is_empty() {
                text += &format!(" {}", event.reason);
            }
            text
        }
        Event::Subscription(event) => format!(
            "{} {} {}",
            event.hook.name(),
            event.client.clientid,
            subscription(&event.subscription)
        ),
        Event::Dropped(event) => format!(
            "message.dropped {} {} {}",
            event
                .client
                .as_ref()
                .map_or("nobody", |client| &*client.clientid),
            payload(&event.message),
            event.reason
        ),
    }
}

pub(crate) fn question(question: &Question) -> String {
    match question {
        Question::Connect(client) => format!("client.connect {}", client.clientid),
        Question::Authenticate(step) => {
            format!(
                "client.authenticate {} {:?}",
                step.client.clientid, step.step
            )
        }
        Question::Authorize(access) => format!(
            "client.authorize {} {} {} {}{}",
            access.client.clientid,
            match access.operation {
                Operation::Publish => "publish",
                Operation::PublishWill => "will",
                Operation::Subscribe => "subscribe",
            },
            access.topic,
            qos(access.qos),
            if access.retain { " retain" } else { "" }
        ),
        Question::Fetch(request) => format!(
            "{} {} {}{}",
            request.wants.hook().name(),
            request.client.clientid,
            request.filter,
            if request.begins { " begins" } else { "" }
        ),
        Question::Exchange(exchange) => {
            let step = match &exchange.step {
                ExchangeStep::Released => "released",
                ExchangeStep::Sent { .. } => "sent",
                ExchangeStep::Received(_) => "received",
                ExchangeStep::Completed(_) => "completed",
            };
            format!(
                "session.exchange {} {} {step}",
                exchange.client.clientid, exchange.packet_id
            )
        }
        Question::CreateSession(client) => format!("session.created {}", client.clientid),
        Question::Subscribe(request) => format!(
            "client.subscribe {} {}",
            request.client.clientid,
            subscription(&request.subscription)
        ),
        Question::Unsubscribe(request) => format!(
            "client.unsubscribe {} {}",
            request.client.clientid, request.subscription.filter
        ),
        Question::Deliver(request) => format!(
            "message.deliver {} {} {} {}",
            request.client.clientid,
            request.message.topic,
            payload(&request.message),
            qos(request.qos)
        ),
    }
}
