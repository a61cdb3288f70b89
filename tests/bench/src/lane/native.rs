//! The insert of the stock module `sqlite` as native Rust: the same statement,
//! the same values, one call of the store for each run of calls of a rule.

#[path = "../../../../rules/sqlite/src/datetime.rs"]
mod datetime;

use std::sync::Arc;

use hookwire_bindings::event::{Event, Message};
use hookwire_bindings::fault::to_guest;
use hookwire_bindings::wit::exports::hookwire::rule::actions::{
    Action, Call, ConfigError, Manifest, Setting, Settled, Verdict,
};
use hookwire_driver::{BatchResult, Fault, FaultKind, Row, Value};
use hookwire_rules::{NativeActions, NativeFuture, NativeHost, NativeModule, NativePool};

use datetime::DateTime;

const STORE: &str = "INSERT INTO mqtt_msg \
    (msgid, sender, topic, node, qos, retain, payload, arrived) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// The module: one action, which calls itself what the stock one does.
pub(super) struct NativeSqlite;

impl NativeModule for NativeSqlite {
    fn describe(&self) -> Manifest {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Manifest {
            name: "sqlite".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            actions: vec![Action {
                name: "on_message_publish".to_owned(),
                help: "Stores a message published with QoS 1 or 2 as a row of mqtt_msg.".to_owned(),
                hooks: texts(&["message.publish"]),
                interest: texts(&["qos>0", "payload"]),
                pool: "sql".to_owned(),
                stores: true,
                batch: true,
                options: Vec::new(),
            }],
        }
    }

    fn configure(&self, setting: &Setting) -> Result<Box<dyn NativeActions>, Vec<ConfigError>> {
        let mut rules = Vec::new();
        let mut errors = Vec::new();
        for rule in &setting.rules {
            match &rule.pool {
                Some(pool) => rules.push(Rule {
                    id: rule.id,
                    node: setting.node.clone(),
                    pool: pool.clone(),
                    opened: None,
                }),
                None => errors.push(ConfigError {
                    rule: rule.id,
                    message: "it names no pool".to_owned(),
                }),
            }
        }
        if errors.is_empty() {
            Ok(Box::new(Rules {
                rules,
                statement: STORE.into(),
            }))
        } else {
            Err(errors)
        }
    }
}

struct Rules {
    rules: Vec<Rule>,
    statement: Arc<str>,
}

struct Rule {
    id: u32,
    node: String,
    pool: String,
    opened: Option<NativePool>,
}

impl NativeActions for Rules {
    fn handle<'a>(
        &'a mut self,
        mut host: NativeHost<'a>,
        events: &'a [Event<'a>],
        calls: &'a [Call],
    ) -> NativeFuture<'a> {
        Box::pin(async move {
            let mut settled = Vec::new();
            let mut first = 0;
            for run in calls.chunk_by(|left, right| left.rule == right.rule) {
                match self.store(&mut host, events, run).await {
                    Ok(result) => settled.extend(
                        result
                            .failed
                            .into_iter()
                            .map(|failed| settle(first + failed.row, failed.fault)),
                    ),
                    Err(fault) => {
                        settled.extend((0..run.len()).map(|n| settle(first + n, fault.clone())));
                    }
                }
                first += run.len();
            }
            settled
        })
    }
}

impl Rules {
    async fn store(
        &mut self,
        host: &mut NativeHost<'_>,
        events: &[Event<'_>],
        run: &[Call],
    ) -> Result<BatchResult, Fault> {
        let id = run.first().map(|call| call.rule);
        let rule = self.rules.iter_mut().find(|rule| Some(rule.id) == id);
        let rule = rule.ok_or_else(|| invalid("there is no such rule"))?;
        let rows = run
            .iter()
            .map(|call| match events.get(call.event as usize) {
                Some(Event::Message(message)) => Ok(row(message, &rule.node)),
                _ => Err(invalid("a call names an event that is no message")),
            });
        let rows = rows.collect::<Result<Vec<Row>, Fault>>()?;
        let pool = match &rule.opened {
            Some(pool) => pool,
            None => rule.opened.insert(host.open(&rule.pool)?),
        };
        host.exec_many(pool, Arc::clone(&self.statement), rows)
            .await
    }
}

fn row(message: &Message<'_>, node: &str) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        text(message.id),
        text(message.sender),
        text(message.topic),
        text(node),
        Value::Integer(message.qos.into()),
        Value::Integer(message.retain.into()),
        Value::Blob(message.payload.to_vec()),
        text(DateTime::from_unix_ms(message.at_ms).as_str()),
    ]
}

fn settle(call: usize, fault: Fault) -> Settled {
    Settled {
        call: u32::try_from(call).unwrap_or(u32::MAX),
        verdict: Verdict::Failed(to_guest(fault)),
    }
}

fn invalid(message: &str) -> Fault {
    Fault {
        kind: FaultKind::Invalid,
        code: "bench:call".to_owned(),
        message: message.to_owned(),
        retryable: false,
    }
}
