//! What the host offers to modules, and who may have it.
//!
//! A module gets an interface only by importing it, and is bound only if what
//! it imports was granted. Nothing else is ever linked to it.

use hookwire_bindings::wit::hookwire::{host, sql};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::host::Host;

/// An interface that modules may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interface {
    /// Types without functions; importing them is free.
    Types,
    /// Granted to all.
    Log,
    /// Granted by name.
    Clock,
    /// Granted with the pools of the module's rules.
    Sql,
}

/// Interfaces and the versions in which they are offered: a module built for
/// an earlier patch version finds what it needs.
const OFFERED: [(&str, Interface); 5] = [
    ("hookwire:types/events", Interface::Types),
    ("hookwire:types/faults", Interface::Types),
    ("hookwire:host/log", Interface::Log),
    ("hookwire:host/clock", Interface::Clock),
    ("hookwire:sql/sql", Interface::Sql),
];
const VERSION_LINE: &str = "0.1.";

/// Names that `grants` may hold.
pub(crate) const GRANTABLE: [&str; 1] = ["clock"];

/// What a module imports, beside what everybody gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Imports {
    pub(crate) clock: bool,
    pub(crate) sql: bool,
}

impl Imports {
    /// Reads the imports of a component.
    ///
    /// # Errors
    /// The names of those that the host does not offer.
    pub(crate) fn of(component: &Component) -> Result<Self, Vec<String>> {
        let mut imports = Self::default();
        let mut unknown = Vec::new();
        for (name, _) in component.component_type().imports(component.engine()) {
            match offered(name) {
                Some(Interface::Types | Interface::Log) => {}
                Some(Interface::Clock) => imports.clock = true,
                Some(Interface::Sql) => imports.sql = true,
                None => unknown.push(name.to_owned()),
            }
        }
        if unknown.is_empty() {
            Ok(imports)
        } else {
            Err(unknown)
        }
    }

    /// Links these interfaces and those that everybody gets.
    pub(crate) fn link(self, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
        host::log::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
        if self.clock {
            host::clock::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
        }
        if self.sql {
            sql::sql::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
        }
        Ok(())
    }
}

fn offered(import: &str) -> Option<Interface> {
    let (name, version) = import.split_once('@')?;
    let is_patch = version
        .strip_prefix(VERSION_LINE)
        .is_some_and(|patch| patch.parse::<u32>().is_ok());
    OFFERED
        .into_iter()
        .find(|(offered, _)| is_patch && *offered == name)
        .map(|(_, interface)| interface)
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
        assert_eq!(offered("wasi:cli/environment@0.2.0"), None);
    }
}
