//! What a module says of itself, checked: its actions, the hooks they accept,
//! what they need to see, and their options.

use hookwire_bindings::wit::exports::hookwire::rule::actions as wit;
use hookwire_broker::Hook;
use hookwire_settings::hint;

use crate::interest::Interest;
use crate::options::{OptionKind, OptionSpec};

/// What kind of pool an action uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolInterface {
    /// `sql`
    Sql,
}

impl PoolInterface {
    /// Its name, as manifests write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
        }
    }
}

/// What a module holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Name the module gives itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its actions, with distinct names.
    pub actions: Vec<Action>,
}

/// One action of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What rules call it by.
    pub name: String,
    /// For the reader of a listing.
    pub help: String,
    /// Hooks it accepts; at least one.
    pub hooks: Vec<Hook>,
    /// Which messages can matter to it, and whether it reads their payload.
    pub interest: Interest,
    /// The kind of pool its rules must name.
    pub pool: Option<PoolInterface>,
    /// Whether it stores; storing rules run last, and cannot change a message.
    pub stores: bool,
    /// Whether it takes many events in one go.
    pub batch: bool,
    /// Its options.
    pub options: Vec<OptionSpec>,
}

impl Manifest {
    /// Checks what `describe` answered.
    ///
    /// # Errors
    /// Everything that is wrong with it, as sentences.
    pub(crate) fn read(answer: wit::Manifest) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut actions: Vec<Action> = Vec::with_capacity(answer.actions.len());
        for action in answer.actions {
            let action = read_action(action, &mut problems);
            if actions.iter().any(|earlier| earlier.name == action.name) {
                problems.push(format!("action {:?} is there twice", action.name));
            }
            actions.push(action);
        }
        if actions.is_empty() {
            problems.push("it has no actions".to_owned());
        }
        if problems.is_empty() {
            Ok(Self {
                name: answer.name,
                version: answer.version,
                actions,
            })
        } else {
            Err(problems)
        }
    }

    pub(crate) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }
}

fn read_action(action: wit::Action, problems: &mut Vec<String>) -> Action {
    let name = action.name;
    let mut problem = |what: String| problems.push(format!("action {name:?} {what}"));
    let mut hooks = Vec::with_capacity(action.hooks.len());
    for word in &action.hooks {
        match Hook::by_name(word) {
            Some(hook) => hooks.push(hook),
            None => {
                let hint = hint(word, Hook::ALL.map(Hook::name));
                problem(format!("names the unknown hook {word:?}; {hint}"));
            }
        }
    }
    if action.hooks.is_empty() {
        problem("accepts no hook".to_owned());
    }
    let pool = match action.pool.as_str() {
        "" => None,
        "sql" => Some(PoolInterface::Sql),
        other => {
            problem(format!("names the unknown pool kind {other:?}"));
            None
        }
    };
    let interest = Interest::read(&action.interest).unwrap_or_else(|what| {
        problem(what);
        Interest::default()
    });
    let mut options: Vec<OptionSpec> = Vec::with_capacity(action.options.len());
    for option in action.options {
        if options.iter().any(|earlier| earlier.name == option.name) {
            problem(format!("has option {:?} twice", option.name));
        }
        match OptionKind::by_name(&option.kind) {
            Some(kind) => options.push(OptionSpec {
                name: option.name,
                kind,
                required: option.required,
                default: option.default,
                help: option.help,
            }),
            None => problem(format!(
                "has option {:?} of the unknown kind {:?}",
                option.name, option.kind
            )),
        }
    }
    Action {
        help: action.help,
        hooks,
        interest,
        pool,
        stores: action.stores,
        batch: action.batch,
        options,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(name: &str) -> wit::Action {
        wit::Action {
            name: name.to_owned(),
            help: String::new(),
            hooks: vec!["message.publish".to_owned()],
            interest: Vec::new(),
            pool: String::new(),
            stores: false,
            batch: true,
            options: Vec::new(),
        }
    }

    fn read(actions: Vec<wit::Action>) -> Result<Manifest, Vec<String>> {
        Manifest::read(wit::Manifest {
            name: "m".to_owned(),
            version: "1".to_owned(),
            actions,
        })
    }

    #[test]
    fn everything_unknown_is_named_at_once() {
        let odd = wit::Action {
            hooks: vec!["message.publish".to_owned(), "message.eaten".to_owned()],
            interest: vec!["colour".to_owned()],
            pool: "graph".to_owned(),
            options: vec![wit::OptionSpec {
                name: "depth".to_owned(),
                kind: "fathoms".to_owned(),
                required: false,
                default: None,
                help: String::new(),
            }],
            ..action("odd")
        };
        assert_eq!(
            read(vec![odd, action("twin"), action("twin")]).unwrap_err(),
            [
                "action \"odd\" names the unknown hook \"message.eaten\"; did you mean \
                 \"message.acked\"?",
                "action \"odd\" names the unknown pool kind \"graph\"",
                "action \"odd\" has the unknown interest \"colour\"; there is payload, connection, \
                 qos>0, retain, payload-empty, payload-not-empty",
                "action \"odd\" has option \"depth\" of the unknown kind \"fathoms\"",
                "action \"twin\" is there twice",
            ]
        );
    }

    #[test]
    fn an_empty_module_is_refused() {
        assert_eq!(read(Vec::new()).unwrap_err(), ["it has no actions"]);
    }

    #[test]
    fn what_is_known_is_read() {
        let plain = wit::Action {
            pool: "sql".to_owned(),
            stores: true,
            ..action("plain")
        };
        let manifest = read(vec![plain]).unwrap();
        let read = manifest.action("plain").unwrap();
        assert_eq!(read.hooks, [Hook::MessagePublish]);
        assert_eq!(read.pool, Some(PoolInterface::Sql));
        assert!(read.stores && read.batch);
        assert!(manifest.action("other").is_none());
    }
}
