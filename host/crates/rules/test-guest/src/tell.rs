//! Events as rows of a table that a real store has: rule, hook, client, and
//! what the event is about.

use crate::actions::settle;
use crate::bindings::exports::hookwire::rule::actions::{Event, Rule, Settled, Verdict};
use crate::bindings::hookwire::sql::sql::{Pool, Value};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS told (id INTEGER PRIMARY KEY AUTOINCREMENT, \
    rule TEXT NOT NULL, hook TEXT NOT NULL, clientid TEXT NOT NULL, about TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO told (rule, hook, clientid, about) VALUES (?, ?, ?, ?)";

/// Writes a row for each event.
pub(crate) fn tell(rule: &Rule, events: &[&Event], first: u32, settled: &mut Vec<Settled>) {
    let rows: Vec<Vec<Value>> = events.iter().map(|event| row(rule, event)).collect();
    let name = rule.pool.clone().unwrap_or_default();
    let stored = Pool::open(&name).and_then(|pool| {
        pool.exec_many(TABLE, &[Vec::new()])?;
        pool.exec_many(INSERT, &rows)
    });
    match stored {
        Ok(result) => settled.extend(result.failed.into_iter().map(|failed| Settled {
            call: first + failed.row,
            verdict: Verdict::Failed(failed.fault),
        })),
        Err(fault) => {
            let verdicts = events.iter().map(|_| Verdict::Failed(fault.clone()));
            settle(first, settled, verdicts);
        }
    }
}

fn row(rule: &Rule, event: &Event) -> Vec<Value> {
    let (clientid, about) = match event {
        Event::Client(client) => (&client.clientid, client.reason.clone()),
        Event::Credentials(credentials) => (&credentials.client.clientid, credentials.step.clone()),
        Event::Access(access) => {
            let about = format!("{} {}", access.operation, access.topic);
            (&access.client.clientid, about)
        }
        Event::Subscription(subscription) => {
            (&subscription.client.clientid, subscription.filter.clone())
        }
        Event::Message(message) => (&message.sender, message.topic.clone()),
        Event::Delivery(delivery) => {
            let about = format!("{} {}", delivery.message.topic, delivery.reason);
            (&delivery.clientid, about.trim_end().to_owned())
        }
        Event::Fetch(fetch) => (&fetch.client.clientid, fetch.filter.clone()),
        Event::Exchange(exchange) => {
            let about = format!("{} {}", exchange.direction, exchange.state);
            (&exchange.client.clientid, about)
        }
        Event::Node(node) => (&node.name, String::new()),
        Event::Other(_) => (&rule.name, String::new()),
    };
    let texts = [&rule.name, &rule.hook, clientid, &about];
    texts.map(|text| Value::Text(text.clone())).to_vec()
}
