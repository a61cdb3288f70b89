//! What is measured: brokers with rules and without, and the ways of loading them.

use std::fmt::Write as _;

use anyhow::Result;
use hookwire_mqtt::QoS;

use crate::broker::{Build, modules};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Mosquitto,
    NoRule,
    /// Rules of a module, none for the topics of the load.
    Elsewhere,
    NoOp,
    /// Ten rules of one module for every message.
    TenNoOps,
    Sqlite,
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::Mosquitto,
        Self::NoRule,
        Self::Elsewhere,
        Self::NoOp,
        Self::TenNoOps,
        Self::Sqlite,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::NoRule => "no rule",
            Self::Elsewhere => "rules elsewhere",
            Self::NoOp => "no-op rule",
            Self::TenNoOps => "ten no-op rules",
            Self::Sqlite => "sqlite rule",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) build: Build,
    pub(super) subject: Subject,
    pub(super) qos: QoS,
    pub(super) saturated: bool,
}

impl Scenario {
    pub(super) fn name(self) -> String {
        let pace = if self.saturated { "saturated" } else { "paced" };
        let build = match self.build {
            Build::Now => "",
            Build::Against => ", against",
        };
        let qos = self.qos.as_u8();
        format!("{}, QoS {qos}, {pace}{build}", self.subject.name())
    }
}

pub(super) fn scenarios(against: bool) -> impl Iterator<Item = Scenario> {
    // Mosquitto is measured beside one build, not beside two.
    let subjects = Subject::ALL
        .into_iter()
        .filter(move |subject| !against || *subject != Subject::Mosquitto);
    subjects.flat_map(move |subject| {
        [
            (QoS::AtMostOnce, true),
            (QoS::AtLeastOnce, true),
            (QoS::AtMostOnce, false),
            (QoS::AtLeastOnce, false),
        ]
        .into_iter()
        .flat_map(move |(qos, saturated)| {
            let builds = if against {
                &[Build::Now, Build::Against][..]
            } else {
                &[Build::Now][..]
            };
            builds.iter().map(move |&build| Scenario {
                build,
                subject,
                qos,
                saturated,
            })
        })
    })
}

/// The configuration of a broker under test: one tcp listener, any free port.
pub(super) fn configuration(subject: Subject) -> Result<String> {
    let mut text = String::from("listener \"tcp\" \"bench\" {\n  address = \"127.0.0.1:0\"\n}\n");
    match subject {
        Subject::NoOp => noops(&mut text, 1, "#")?,
        Subject::TenNoOps => noops(&mut text, 10, "#")?,
        Subject::Elsewhere => noops(&mut text, 10, "elsewhere/#")?,
        Subject::Sqlite => text.push_str(
            "pool \"sqlite\" \"embedded\" {\n  file = \"hookwire.db\"\n}\nmodule \"sqlite\" {}\n\
             rule \"store\" {\n  hook = \"message.publish\"\n  module = \"sqlite\"\n  action = \
             \"on_message_publish\"\n  pool = \"embedded\"\n}\n",
        ),
        Subject::Mosquitto | Subject::NoRule => {}
    }
    Ok(text)
}

/// Rules of the no-op module.
fn noops(text: &mut String, rules: usize, topic: &str) -> Result<()> {
    let modules = modules()?;
    writeln!(
        text,
        "module \"noop\" {{\n  path = \"{}/noop.wasm\"\n}}",
        modules.display()
    )?;
    for rule in 0..rules {
        writeln!(
            text,
            "rule \"noop-{rule}\" {{\n  hook = \"message.publish\"\n  module = \"noop\"\n  \
             action = \"noop\"\n  topic = \"{topic}\"\n}}"
        )?;
    }
    Ok(())
}
