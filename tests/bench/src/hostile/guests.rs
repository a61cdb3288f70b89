//! The guests of `bench hostile`, and how each gets at the broker.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::broker::modules;
use crate::written_guest;

/// A guest that does harm.
pub(crate) struct Guest {
    pub(crate) name: &'static str,
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
pub(crate) enum Harm {
    /// It runs on what a client publishes.
    Runs,
    /// The broker is told to load it, by this configuration.
    IsLoaded,
}

pub(crate) const GUESTS: [Guest; 21] = [
    compiled("computes without end", "spin"),
    compiled("fills its memory without end", "fill"),
    compiled("takes memory without end", "grow"),
    compiled("recurses without end", "recurse"),
    compiled("floods the log", "flood_log"),
    compiled("floods its keys", "flood_keys"),
    compiled("floods the broker", "flood_publish"),
    compiled("answers a giant list", "giant_list"),
    compiled("answers a giant text", "giant_text"),
    compiled("answers a giant payload", "giant_payload"),
    compiled("answers calls not made", "beyond"),
    compiled("traps each time", "trap"),
    compiled(MID_BATCH, "trap_on_boom"),
    Guest {
        name: "grows a table",
        kind: Kind::Written(|| {
            let grow = "(drop (table.grow $table (ref.null func) (i32.const 1000000)))";
            written_guest::acting("", grow)
        }),
    },
    Guest {
        name: "waits for ever",
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
        kind: Kind::Written(written_guest::asking_wasi),
    },
    Guest {
        name: "traps in describe",
        kind: Kind::Refused(|| written_guest::describing("", "unreachable")),
    },
    Guest {
        name: "never ends describe",
        kind: Kind::Refused(|| {
            written_guest::describing("", "(loop $spin (br $spin)) unreachable")
        }),
    },
    Guest {
        name: "traps in configure",
        kind: Kind::Refused(|| written_guest::configuring("unreachable")),
    },
    Guest {
        name: "forges its manifest",
        kind: Kind::Refused(|| written_guest::claiming(300_000)),
    },
    Guest {
        name: "lacks a grant",
        kind: Kind::Ungranted,
    },
];

/// Traps on one message in three: batches hold others, which have to go through.
const MID_BATCH: &str = "traps mid-batch";
const BOOM_EVERY: u16 = 3;

const fn compiled(name: &'static str, action: &'static str) -> Guest {
    Guest {
        name,
        kind: Kind::Compiled(action),
    }
}

impl Guest {
    pub(crate) fn harm(&self) -> Harm {
        match self.kind {
            Kind::Compiled(_) | Kind::Written(_) => Harm::Runs,
            Kind::Refused(_) | Kind::Ungranted => Harm::IsLoaded,
        }
    }

    /// How often a message makes it do harm: one in so many.
    pub(crate) fn boom_every(&self) -> u16 {
        if self.name == MID_BATCH {
            BOOM_EVERY
        } else {
            1
        }
    }

    /// Its module block and rule, with the component in `directory`.
    pub(crate) fn blocks(&self, directory: &Path, deadline_ms: u64) -> Result<String> {
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
