//! What the module says of itself.

use crate::bindings::exports::hookwire::rule::actions::{Action, Manifest, OptionSpec};

const MESSAGE: &[&str] = &["message.publish"];
const ALL: &[&str] = &[
    "client.connect",
    "client.authenticate",
    "client.authorize",
    "session.created",
    "session.resumed",
    "client.connack",
    "client.subscribe",
    "session.subscribed",
    "client.unsubscribe",
    "session.unsubscribed",
    "message.deliver",
    "message.dropped",
    "session.discarded",
    "session.takenover",
    "session.terminated",
    "client.connected",
    "client.disconnected",
    "message.publish",
    "message.acked",
    "message.position",
    "session.fetch",
    "session.retained",
    "session.exchange",
    "node.started",
];

struct Kind {
    hooks: &'static [&'static str],
    interest: &'static [&'static str],
    stores: bool,
    options: &'static [(&'static str, &'static str, bool)],
}

const PLAIN: Kind = Kind {
    hooks: ALL,
    interest: &[],
    stores: false,
    options: &[("refuse", "string", false), ("warn", "string", false)],
};
const ON_MESSAGES: Kind = Kind {
    hooks: MESSAGE,
    ..PLAIN
};
const READING: Kind = Kind {
    interest: &["payload"],
    ..ON_MESSAGES
};
const STORING: Kind = Kind {
    interest: &["payload"],
    stores: true,
    ..PLAIN
};

const ACTIONS: &[(&str, Kind)] = &[
    ("noop", PLAIN),
    ("noop_payload", READING),
    ("allow", PLAIN),
    ("challenge", PLAIN),
    ("restore", PLAIN),
    ("no", PLAIN),
    ("filter", PLAIN),
    ("rename", PLAIN),
    (
        "publish",
        Kind {
            options: &[("topic", "string", true)],
            ..READING
        },
    ),
    ("drop", ON_MESSAGES),
    ("deny", ON_MESSAGES),
    ("disconnect", ON_MESSAGES),
    (
        "rewrite",
        Kind {
            options: &[("topic", "string", false), ("suffix", "string", false)],
            ..READING
        },
    ),
    (
        "rename_badly",
        Kind {
            hooks: ALL,
            ..ON_MESSAGES
        },
    ),
    (
        "fail",
        Kind {
            options: &[
                ("kind", "string", true),
                ("code", "string", false),
                ("retryable", "boolean", false),
            ],
            ..PLAIN
        },
    ),
    (
        "judge",
        Kind {
            hooks: &["client.authenticate", "client.authorize"],
            ..PLAIN
        },
    ),
    ("trap", READING),
    ("panic", READING),
    ("spin", READING),
    ("grow", READING),
    ("say", ON_MESSAGES),
    ("odd_answer", ON_MESSAGES),
    (
        "retained",
        Kind {
            interest: &["retain", "payload-not-empty"],
            ..STORING
        },
    ),
    (
        "store",
        Kind {
            options: &[("pool_name", "string", false), ("ask", "boolean", false)],
            ..STORING
        },
    ),
    (
        "store_blind",
        Kind {
            interest: &[],
            ..STORING
        },
    ),
    (
        "store_plain",
        Kind {
            interest: &["payload", "fetched"],
            ..STORING
        },
    ),
    ("tell", STORING),
    (
        "pages",
        Kind {
            hooks: &["session.fetch"],
            ..PLAIN
        },
    ),
    (
        "position",
        Kind {
            hooks: &["message.position"],
            ..STORING
        },
    ),
    ("query", STORING),
    ("time", STORING),
    (
        "options",
        Kind {
            options: &[
                ("text", "string", true),
                ("count", "integer", false),
                ("every", "duration", false),
            ],
            ..ON_MESSAGES
        },
    ),
];

pub(crate) fn manifest() -> Manifest {
    Manifest {
        name: "testguest".to_owned(),
        version: "1.0.0".to_owned(),
        actions: ACTIONS.iter().map(action).collect(),
    }
}

fn action((name, kind): &(&str, Kind)) -> Action {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let option = |&(name, kind, required): &(&str, &str, bool)| OptionSpec {
        name: name.to_owned(),
        kind: kind.to_owned(),
        required,
        default: None,
        help: String::new(),
    };
    Action {
        name: (*name).to_owned(),
        help: String::new(),
        hooks: texts(kind.hooks),
        interest: texts(kind.interest),
        pool: if kind.stores { "sql" } else { "" }.to_owned(),
        stores: kind.stores,
        batch: true,
        options: kind.options.iter().map(option).collect(),
    }
}
