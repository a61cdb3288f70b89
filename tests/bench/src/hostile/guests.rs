//! The guests of `bench hostile`, how each gets at the broker, and what has to
//! come of it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::effect::{Effect, UNREACHABLE};
use crate::broker::modules;
use crate::written_guest;

/// A guest that does harm.
pub(super) struct Guest {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    kind: Kind,
}

enum Kind {
    /// An action of the module in `hostile-guest`.
    Compiled(&'static str),
    /// A component by hand that is there from the start.
    Written(fn() -> Vec<u8>),
    /// A component by hand that is loaded again and again.
    Refused(fn() -> Vec<u8>),
    /// The compiled module, without a grant that it needs.
    Ungranted,
}

/// How a guest harms.
pub(super) enum Harm {
    /// It runs on what a client publishes.
    Runs,
    /// The broker is told to load it, by this configuration.
    IsLoaded,
}

pub(super) const GUESTS: [Guest; 21] = [
    compiled("computes without end", "spin", Effect::Stopped),
    compiled("fills its memory without end", "fill", Effect::Stopped),
    compiled(
        "takes memory without end",
        "grow",
        Effect::Trapped("out of memory: it needs "),
    ),
    compiled(
        "recurses without end",
        "recurse",
        Effect::Trapped("wasm trap: out of bounds memory access"),
    ),
    compiled("floods the log", "flood_log", Effect::LinesLeftOut),
    compiled("floods its keys", "flood_keys", Effect::KeysBounded),
    compiled(
        "floods the broker",
        "flood_publish",
        Effect::PublishesRefused,
    ),
    compiled("answers a giant list", "giant_list", TOO_MUCH),
    compiled("answers a giant text", "giant_text", TOO_MUCH),
    compiled("answers a giant payload", "giant_payload", TOO_MUCH),
    compiled(
        "answers calls not made",
        "beyond",
        Effect::AnswersPassedOver,
    ),
    compiled("traps each time", "trap", Effect::Trapped(UNREACHABLE)),
    compiled(MID_BATCH, "trap_on_boom", Effect::OthersGoThrough),
    Guest {
        name: "grows a table",
        effect: Effect::Trapped("a table of 1000001 elements, and 100000 are allowed"),
        kind: Kind::Written(|| {
            let grow = "(drop (table.grow $table (ref.null func) (i32.const 1000000)))";
            written_guest::acting("", grow)
        }),
    },
    Guest {
        name: "waits for ever",
        effect: Effect::Stopped,
        kind: Kind::Written(|| {
            let imports = "(import \"wasi:clocks/monotonic-clock@0.2.0\" \"subscribe-duration\"
                    (func $after (param i64) (result i32)))
                (import \"wasi:io/poll@0.2.0\" \"[method]pollable.block\"
                    (func $block (param i32)))";
            let wait = "(call $block (call $after (i64.const 3600000000000)))";
            written_guest::acting(imports, wait)
        }),
    },
    Guest {
        name: "asks WASI for everything",
        effect: Effect::ReachesNothing,
        kind: Kind::Written(written_guest::asking_wasi),
    },
    Guest {
        name: "traps in describe",
        effect: Effect::Refused("does not describe itself: wasm trap: wasm `unreachable`"),
        kind: Kind::Refused(|| written_guest::describing("", "unreachable")),
    },
    Guest {
        name: "never ends describe",
        effect: Effect::Refused("does not describe itself: no answer within "),
        kind: Kind::Refused(|| {
            written_guest::describing("", "(loop $spin (br $spin)) unreachable")
        }),
    },
    Guest {
        name: "traps in configure",
        effect: Effect::Refused("it does not come up with its rules: wasm trap: "),
        kind: Kind::Refused(|| written_guest::configuring("unreachable")),
    },
    Guest {
        name: "forges its manifest",
        effect: Effect::Refused("does not describe itself: it hands over more in one go than"),
        kind: Kind::Refused(|| written_guest::claiming(300_000)),
    },
    Guest {
        name: "lacks a grant",
        effect: Effect::Refused("which it was not granted"),
        kind: Kind::Ungranted,
    },
];

/// Traps on the second message of three that are sent at once: they are one batch,
/// and the others have to go through.
const MID_BATCH: &str = "traps mid-batch";
const BURST: u16 = 3;

/// What an answer of 40 MiB, or of 300,000 verdicts, comes to.
const TOO_MUCH: Effect =
    Effect::Trapped("it hands over more in one go than a quarter of its memory");

const fn compiled(name: &'static str, action: &'static str, effect: Effect) -> Guest {
    Guest {
        name,
        effect,
        kind: Kind::Compiled(action),
    }
}

impl Guest {
    pub(super) fn harm(&self) -> Harm {
        match self.kind {
            Kind::Compiled(_) | Kind::Written(_) => Harm::Runs,
            Kind::Refused(_) | Kind::Ungranted => Harm::IsLoaded,
        }
    }

    /// Messages that are sent to it at once, of which the one in the middle makes
    /// it do harm.
    pub(super) fn burst(&self) -> u16 {
        if self.name == MID_BATCH { BURST } else { 1 }
    }

    /// Its module block and rule, with the component in `directory`.
    pub(super) fn blocks(&self, directory: &Path, deadline_ms: u64) -> Result<String> {
        let path = match self.kind {
            Kind::Compiled(_) | Kind::Ungranted => modules()?.join("hostile.wasm"),
            Kind::Written(component) | Kind::Refused(component) => {
                let file = directory.join("written.wasm");
                fs::write(&file, component()).context("cannot write a component")?;
                file
            }
        };
        let (action, grants) = match self.kind {
            Kind::Compiled(action) => (action, "\"key-value\", \"broker.publish\""),
            Kind::Ungranted => ("spin", "\"broker.publish\""),
            Kind::Written(_) | Kind::Refused(_) => ("act", ""),
        };
        Ok(format!(
            "module \"hostile\" {{\n  path = \"{}\"\n  grants = [{grants}]\n  deadline = \
             \"{deadline_ms}ms\"\n}}\n\
             rule \"harm\" {{\n  hook = \"message.publish\"\n  module = \"hostile\"\n  action = \
             \"{action}\"\n  topic = \"attack\"\n}}\n",
            path.display()
        ))
    }
}
