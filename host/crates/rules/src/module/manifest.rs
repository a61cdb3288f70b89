//! What a module says of itself, checked: its actions, the hooks they accept,
//! what they need to see, and their options.

use hookwire_bindings::wit::exports::hookwire::rule::actions as wit;
use hookwire_broker::Hook;
use hookwire_settings::hint;

use crate::module::interest::Interest;
use crate::module::options::{OptionKind, OptionSpec};

/// Actions of a module.
const MAX_ACTIONS: usize = 1024;
/// Hooks, interests or options of one action.
const MAX_ENTRIES: usize = 256;
/// Bytes of a name, a version or a word.
const MAX_WORD_BYTES: usize = 256;
/// Bytes of a text for a person, and of an option's default.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Problems that are told of one manifest.
const MAX_PROBLEMS: usize = 32;

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
        // What is out of bounds is not looked at: it might be told at length.
        bounds(&answer).map_err(|problem| vec![problem])?;
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
            let left_out = problems.len().saturating_sub(MAX_PROBLEMS);
            problems.truncate(MAX_PROBLEMS);
            if left_out > 0 {
                problems.push(format!("and {left_out} more"));
            }
            Err(problems)
        }
    }

    pub(crate) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }
}

/// Holds the sizes of everything against what the host keeps.
fn bounds(answer: &wit::Manifest) -> Result<(), String> {
    at_most(answer.actions.len(), MAX_ACTIONS, "actions")?;
    word(&answer.name)?;
    word(&answer.version)?;
    for action in &answer.actions {
        word(&action.name)?;
        word(&action.pool)?;
        at_most(action.help.len(), MAX_TEXT_BYTES, "bytes of help")?;
        at_most(action.hooks.len(), MAX_ENTRIES, "hooks of one action")?;
        at_most(
            action.interest.len(),
            MAX_ENTRIES,
            "interests of one action",
        )?;
        at_most(action.options.len(), MAX_ENTRIES, "options of one action")?;
        action
            .hooks
            .iter()
            .chain(&action.interest)
            .try_for_each(|text| word(text))?;
        for option in &action.options {
            word(&option.name)?;
            word(&option.kind)?;
            at_most(option.help.len(), MAX_TEXT_BYTES, "bytes of help")?;
            let default = option.default.as_ref().map_or(0, String::len);
            at_most(default, MAX_TEXT_BYTES, "bytes of a default")?;
        }
    }
    Ok(())
}

fn word(text: &str) -> Result<(), String> {
    at_most(text.len(), MAX_WORD_BYTES, "bytes of a name")
}

fn at_most(count: usize, most: usize, what: &str) -> Result<(), String> {
    if count > most {
        return Err(format!("it has {count} {what}, and {most} are allowed"));
    }
    Ok(())
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
                 qos>0, retain, payload-empty, payload-not-empty, fetched",
                "action \"odd\" has option \"depth\" of the unknown kind \"fathoms\"",
                "action \"twin\" is there twice",
            ]
        );
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_and_not_repeated() {
        let many = || (0..2_000).map(|number| action(&number.to_string()));
        assert_eq!(
            read(many().collect()).unwrap_err(),
            ["it has 2000 actions, and 1024 are allowed"]
        );
        assert_eq!(
            read(vec![action(&"x".repeat(1_000_000))]).unwrap_err(),
            ["it has 1000000 bytes of a name, and 256 are allowed"]
        );
        let hooks = wit::Action {
            hooks: vec!["message.publish".to_owned(); 300],
            ..action("eager")
        };
        assert_eq!(
            read(vec![hooks]).unwrap_err(),
            ["it has 300 hooks of one action, and 256 are allowed"]
        );
        let wrong = |action: wit::Action| wit::Action {
            pool: "graph".to_owned(),
            ..action
        };
        let problems = read(many().take(100).map(wrong).collect()).unwrap_err();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(problems[MAX_PROBLEMS], "and 68 more");
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
