//! Settings for tests, as text, and what is behind them: the test module, and
//! stores in memory.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use hookwire_rules::{LoadedModule, Plan, PoolHandle, Runtime};
use hookwire_settings::{Problem, Settings};

use crate::store::MemoryStore;

/// The test module under the names that settings of tests give it, compiled
/// once for all tests.
static MODULES: LazyLock<(Runtime, HashMap<String, LoadedModule>)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("the engine starts");
    let bytes = component("testguest");
    let modules = ["m", "n"].map(|name| {
        let module = runtime.load(name, &bytes, 64 << 20);
        (name.to_owned(), module.expect("the test module loads"))
    });
    (runtime, modules.into())
});

/// A component that `cargo xtask rules` built.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR").map_or_else(
        || PathBuf::from(workspace).join("target/modules"),
        PathBuf::from,
    );
    let path = folder.join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "no component at {}: {error}; run: cargo xtask rules",
            path.display()
        )
    })
}

/// Modules `m` and `n`.
pub(crate) fn modules() -> &'static HashMap<String, LoadedModule> {
    &MODULES.1
}

pub(crate) fn runtime() -> &'static Runtime {
    &MODULES.0
}

/// Settings for tests: [`HEADER`], then `blocks`. Line 1 of the blocks is line
/// 1 of the file, which is called `rules.hcl`.
pub(crate) fn settings(blocks: &str) -> Settings {
    let text = format!("{blocks}\n{HEADER}");
    Settings::parse("rules.hcl", &text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

const HEADER: &str = r#"
node = "hookwire@test"
listener "tcp" "default" { address = "127.0.0.1:0" }
pool "sqlite" "memory" { file = "memory.db" }
pool "sqlite" "other"  { file = "other.db" }
"#;

/// The module block of most tests. The rule that nothing matches is there
/// because the module imports SQL, and somebody must name a pool for it.
pub(crate) const MODULE: &str = r#"
module "m" {
  grants    = ["clock", "broker.publish"]
  lanes     = 1
  max_batch = 64
  deadline  = "10s"
}
rule "sql" {
  hook = "message.publish"
  topic = "never/published"
  module = "m"
  action = "store"
  pool = "memory"
}
"#;

/// A line of a rule whose calls are not made again when they fail.
pub(crate) const ONCE: &str = "retry_for = \"0ms\"";

/// The pool of a rule that stores.
pub(crate) const STORE: &str = "pool = \"memory\"";

/// The module and its rule `r`, which stores what is published; `more` is a further
/// line.
pub(crate) fn storing(more: &str) -> String {
    let more = format!("{STORE}\n  {more}");
    format!("{MODULE}{}", rule("r", "message.publish", "store", &more))
}

/// A `rule` block of module `m`; `more` are further lines.
pub(crate) fn rule(name: &str, hook: &str, action: &str, more: &str) -> String {
    rule_of("m", name, hook, action, more)
}

pub(crate) fn rule_of(module: &str, name: &str, hook: &str, action: &str, more: &str) -> String {
    format!(
        "rule \"{name}\" {{\n  hook = \"{hook}\"\n  module = \"{module}\"\n  \
         action = \"{action}\"\n  {more}\n}}\n"
    )
}

/// What `Plan::bind` and `Plan::check` say of settings; they must agree.
pub(crate) fn problems(settings: &Settings) -> Vec<String> {
    problems_with(settings, &MODULES.1)
}

/// As [`problems`], with these modules.
pub(crate) fn problems_with(
    settings: &Settings,
    modules: &HashMap<String, LoadedModule>,
) -> Vec<String> {
    let said = |problems: Vec<Problem>| -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    };
    let pools = pools(&Stores::new());
    let bound = Plan::bind(runtime(), settings, modules, &pools, None);
    let bound = said(bound.err().unwrap_or_default());
    let checked = Plan::check(runtime(), settings, modules);
    assert_eq!(said(checked.err().unwrap_or_default()), bound);
    bound
}

/// The stores behind the pools of [`HEADER`].
pub(crate) struct Stores {
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) other: Arc<MemoryStore>,
}

impl Stores {
    pub(crate) fn new() -> Self {
        Self {
            memory: MemoryStore::new(),
            other: MemoryStore::new(),
        }
    }
}

pub(crate) fn pools(stores: &Stores) -> HashMap<String, PoolHandle> {
    [("memory", &stores.memory), ("other", &stores.other)]
        .map(|(name, store)| (name.to_owned(), PoolHandle::Sql(Arc::clone(store) as _)))
        .into()
}
