//! What is measured behind a lane, and the settings that it runs by.

/// Events of one batch of the insert.
pub(super) const INSERT_BATCH: usize = 64;
const NOOP_BATCHES: [usize; 4] = [1, 8, 64, 256];

/// What an action is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Wasm,
    Native,
}

/// Where an insert goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Sqlite,
    /// Into a pool that keeps nothing: what is left is the lane and the action.
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Insert(Code, Store),
    NoOp { batch: usize },
}

impl Code {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Wasm => "Wasm",
            Self::Native => "native",
        }
    }
}

impl Subject {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let inserts = [Store::Sqlite, Store::Nowhere]
            .into_iter()
            .flat_map(|store| {
                [Code::Wasm, Code::Native]
                    .into_iter()
                    .map(move |code| Self::Insert(code, store))
            });
        inserts.chain(NOOP_BATCHES.map(|batch| Self::NoOp { batch }))
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Insert(code, store) => {
                let kept = match store {
                    Store::Sqlite => "",
                    Store::Nowhere => " kept nowhere",
                };
                let code = code.word();
                format!("lane: sqlite insert{kept}, {code}, batches of {INSERT_BATCH}")
            }
            Self::NoOp { batch } => format!("lane: no-op rule, batches of {batch}"),
        }
    }

    pub(super) fn batch(self) -> usize {
        match self {
            Self::Insert(..) => INSERT_BATCH,
            Self::NoOp { batch } => batch,
        }
    }

    /// Name of the module that it runs.
    pub(super) fn module(self) -> &'static str {
        match self {
            Self::Insert(..) => "sqlite",
            Self::NoOp { .. } => "noop",
        }
    }

    /// One rule of one module, in one lane.
    pub(super) fn settings(self) -> String {
        let (module, batch) = (self.module(), self.batch());
        let (action, pool) = match self {
            Self::Insert(..) => ("on_message_publish", "  pool   = \"bench\"\n"),
            Self::NoOp { .. } => ("noop", ""),
        };
        format!(
            "listener \"tcp\" \"bench\" {{\n  address = \"127.0.0.1:0\"\n}}\npool \"sqlite\" \
             \"bench\" {{\n  file = \"bench.db\"\n}}\nmodule \"{module}\" {{\n  path      = \
             \"{module}.wasm\"\n  lanes     = 1\n  max_batch = {batch}\n  deadline  = \
             \"60s\"\n}}\nrule \"bench\" {{\n  hook   = \"message.publish\"\n  module = \
             \"{module}\"\n  action = \"{action}\"\n{pool}}}\n"
        )
    }
}
