//! What the host offers to modules, and who may have it.
//!
//! A module gets an interface only by importing it, and is bound only if what
//! it imports was granted. Nothing else is ever linked to it.

use hookwire_bindings::wit::hookwire::{broker, host, sql};
use hookwire_settings::nearest;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::host::Host;
use crate::host::wasi;

/// An interface that modules may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interface {
    /// Types without functions; importing them is free.
    Types,
    Log,
    Metrics,
    /// Opens what pools the module's rules were granted.
    Sql,
    Clock,
    Random,
    KeyValue,
    Passwords,
    Http,
    Broker,
    Wasi,
}

/// Interfaces and the versions in which they are offered: a module built for
/// an earlier patch version finds what it needs.
const OFFERED: [(&str, Interface); 12] = [
    ("hookwire:types/events", Interface::Types),
    ("hookwire:types/faults", Interface::Types),
    ("hookwire:host/log", Interface::Log),
    ("hookwire:host/metrics", Interface::Metrics),
    ("hookwire:host/clock", Interface::Clock),
    ("hookwire:host/random", Interface::Random),
    ("hookwire:host/key-value", Interface::KeyValue),
    ("hookwire:host/passwords", Interface::Passwords),
    ("hookwire:host/http", Interface::Http),
    ("hookwire:broker/broker", Interface::Broker),
    ("hookwire:sql/sql", Interface::Sql),
    // By its own version below.
    (WASI, Interface::Wasi),
];
const WASI: &str = "wasi:";
const VERSION_LINE: &str = "0.1.";
const WASI_VERSION_LINE: &str = "0.2.";

/// Names that `grants` may hold, and the interface that each is for.
pub(crate) const GRANTABLE: [(&str, Interface); 11] = [
    ("clock", Interface::Clock),
    ("random", Interface::Random),
    ("key-value", Interface::KeyValue),
    ("passwords", Interface::Passwords),
    ("http", Interface::Http),
    ("broker.publish", Interface::Broker),
    ("broker.deliver", Interface::Broker),
    ("broker.subscribe", Interface::Broker),
    ("broker.unsubscribe", Interface::Broker),
    ("broker.disconnect", Interface::Broker),
    ("broker.lookup", Interface::Broker),
];

impl Interface {
    /// Its import, without the version.
    pub(crate) fn name(self) -> &'static str {
        let mut offered = OFFERED.iter().rev();
        let found = offered.find(|(_, interface)| *interface == self);
        found.map_or("", |(name, _)| name)
    }

    /// Names of grants that give it; none: everybody has it.
    pub(crate) fn grants(self) -> impl Iterator<Item = &'static str> {
        let of_self = move |entry: &&(&'static str, Self)| entry.1 == self;
        GRANTABLE.iter().filter(of_self).map(|(name, _)| *name)
    }
}

/// What a module imports, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Imports(Vec<Interface>);

impl Imports {
    /// Reads the imports of a component.
    ///
    /// # Errors
    /// The names of those that the host does not offer, each with what to do.
    pub(crate) fn of(component: &Component) -> Result<Self, Vec<String>> {
        let mut imports = Self::default();
        let mut unknown = Vec::new();
        for (name, _) in component.component_type().imports(component.engine()) {
            match offered(name) {
                Some(Interface::Types) => {}
                Some(interface) if imports.has(interface) => {}
                Some(interface) => imports.0.push(interface),
                None => unknown.push(format!("{name}, {}", advice(name))),
            }
        }
        if unknown.is_empty() {
            Ok(imports)
        } else {
            Err(unknown)
        }
    }

    pub(crate) fn has(&self, interface: Interface) -> bool {
        self.0.contains(&interface)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Interface> {
        self.0.iter().copied()
    }

    /// Links these interfaces and those that everybody gets.
    pub(crate) fn link(&self, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
        for interface in self.iter() {
            match interface {
                Interface::Types => {}
                Interface::Log => {
                    host::log::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Metrics => {
                    host::metrics::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Clock => {
                    host::clock::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Random => {
                    host::random::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::KeyValue => {
                    host::key_value::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Passwords => {
                    host::passwords::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Http => {
                    host::http::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Broker => {
                    broker::broker::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Sql => {
                    sql::sql::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
                }
                Interface::Wasi => wasi::link(linker)?,
            }
        }
        Ok(())
    }
}

fn offered(import: &str) -> Option<Interface> {
    let (name, version) = import.split_once('@')?;
    let is_wasi = name.starts_with("wasi:");
    let line = if is_wasi {
        WASI_VERSION_LINE
    } else {
        VERSION_LINE
    };
    let is_patch = version
        .strip_prefix(line)
        .is_some_and(|patch| patch.parse::<u32>().is_ok());
    OFFERED
        .into_iter()
        .find(|(offered, interface)| {
            is_patch && (*offered == name || is_wasi && *interface == Interface::Wasi)
        })
        .map(|(_, interface)| interface)
}

/// What to do about an import that is not offered.
fn advice(import: &str) -> String {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    let is_wasi = name.starts_with("wasi:");
    let names = || OFFERED.iter().map(|(name, _)| *name);
    if is_wasi || names().any(|offered| offered == name) && !version.is_empty() {
        let line = if is_wasi {
            WASI_VERSION_LINE
        } else {
            VERSION_LINE
        };
        return format!("which is here as {line}x: build it anew, `hookwire rule build`");
    }
    let own = names().filter(|name| *name != WASI);
    let Some(near) = nearest(name, own.clone()) else {
        let own: Vec<&str> = own.collect();
        return format!("there is {}, wasi:*@0.2", own.join(", "));
    };
    let found = OFFERED.iter().find(|(offered, _)| *offered == near);
    let grants: Vec<&str> = found
        .map(|(_, interface)| interface.grants().collect())
        .unwrap_or_default();
    match grants.as_slice() {
        [] => format!("did you mean \"{near}\"?"),
        [grant] => format!("did you mean \"{near}\", with grants = [\"{grant}\"]?"),
        [grant, ..] => format!(
            "did you mean \"{near}\", with grants = [\"{grant}\"] or another of the broker's?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_same_line_are_offered() {
        assert_eq!(offered("hookwire:host/log@0.1.0"), Some(Interface::Log));
        assert_eq!(offered("hookwire:host/clock@0.1.7"), Some(Interface::Clock));
        assert_eq!(offered("hookwire:sql/sql@0.2.0"), None);
        assert_eq!(offered("hookwire:sql/sql@1.0.0"), None);
        assert_eq!(offered("hookwire:sql/sql"), None);
        assert_eq!(offered("wasi:cli/environment@0.2.6"), Some(Interface::Wasi));
        assert_eq!(offered("wasi:cli/environment@0.3.0"), None);
        assert_eq!(offered("other:cli/environment@0.2.0"), None);
    }

    #[test]
    fn an_interface_knows_its_grants() {
        let grants: Vec<&str> = Interface::Broker.grants().collect();
        assert_eq!(grants.len(), 6);
        assert_eq!(Interface::Log.grants().count(), 0);
        assert_eq!(Interface::Clock.name(), "hookwire:host/clock");
    }
}
