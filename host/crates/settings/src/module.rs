//! `module NAME`

use std::time::Duration;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use crate::block;
use crate::keys::Keys;
use crate::model::{Located, Module};
use crate::nearest::hint;
use crate::source::Source;
use crate::value::{self, Wrong};

/// What a module may be granted beside the pools of its rules.
const GRANTS: &[&str] = &[
    "clock",
    "random",
    "key-value",
    "passwords",
    "http",
    "broker.publish",
    "broker.deliver",
    "broker.subscribe",
    "broker.unsubscribe",
    "broker.disconnect",
    "broker.lookup",
];

/// The block's name, and the module unless what is wrong with it decides which
/// component it is or what that may use. Other wrong values have their default,
/// so that rules can still be held against the module.
pub(crate) fn read(
    source: &mut Source<'_>,
    block: &Block,
) -> Option<(Located<String>, Option<Module>)> {
    let name = block::name(source, block)?;
    let owner = format!("module \"{}\"", name.value);
    let mut keys = Keys::new(source, &block.body, owner, name.at.clone());
    let lanes = keys.count("lanes", 2, 1..=64);
    let max_batch = keys.count("max_batch", 256, 1..=4096);
    let max_queued_events = keys.count("max_queued_events", 8192, 1..=1_048_576);
    let deadline = keys.time(
        "deadline",
        Duration::from_secs(5),
        Duration::from_millis(1)..=Duration::from_secs(600),
    );
    let before = keys.source().problem_count();
    let module = Module {
        path: keys.located("path", value::path).map(|path| path.value),
        loaded: keys.or("loaded", true, value::boolean),
        grants: keys.or("grants", Vec::new(), grants),
        http_hosts: keys.or("http_hosts", Vec::new(), hosts),
        lanes,
        max_batch,
        max_queued_events,
        deadline,
        max_memory_bytes: keys.bytes(
            "max_memory_bytes",
            64 * 1024 * 1024,
            64 * 1024..=4 * 1024 * 1024 * 1024,
        ),
        max_key_value_bytes: keys.bytes(
            "max_key_value_bytes",
            16 * 1024 * 1024,
            0..=4 * 1024 * 1024 * 1024,
        ),
        name: name.clone(),
    };
    keys.finish();
    let is_sound = keys.source().problem_count() == before;
    Some((name, is_sound.then_some(module)))
}

fn grants(source: &Source<'_>, value: &Expression) -> Result<Vec<Located<String>>, Wrong> {
    let Expression::Array(list) = value else {
        return Err("expected a list, such as [\"clock\"]".to_owned());
    };
    let mut granted: Vec<Located<String>> = Vec::new();
    for entry in list {
        let name = value::text(source, entry)?;
        if !GRANTS.contains(&name.as_str()) {
            let hint = hint(&name, GRANTS.iter().copied());
            return Err(format!("nothing called \"{name}\" can be granted; {hint}"));
        }
        if granted.iter().any(|other| other.value == name) {
            return Err(format!("\"{name}\" is there twice"));
        }
        granted.push(Located {
            value: name,
            at: source.at(entry.span()),
        });
    }
    Ok(granted)
}

/// Hosts, each `NAME` or `NAME:PORT`.
fn hosts(source: &Source<'_>, value: &Expression) -> Result<Vec<Located<String>>, Wrong> {
    let Expression::Array(list) = value else {
        return Err("expected a list, such as [\"api.example.com\"]".to_owned());
    };
    let mut hosts = Vec::new();
    for entry in list {
        let host = value::text(source, entry)?;
        let (name, port) = host.rsplit_once(':').unwrap_or((&host, "443"));
        let is_host = !name.is_empty() && !name.contains(['/', ' ', '@', '*', ':']);
        if !is_host || port.parse::<u16>().is_err() {
            return Err(format!(
                "\"{host}\" is no host: write \"api.example.com\", or \"api.example.com:8443\""
            ));
        }
        hosts.push(Located {
            value: host.to_ascii_lowercase(),
            at: source.at(entry.span()),
        });
    }
    Ok(hosts)
}
