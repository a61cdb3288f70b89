//! Typed options: what a rule may set, read once, when the rule is configured.
//!
//! An action declares its options as a struct; a rule sets them in its
//! `options` block; what a rule leaves out takes the declared default. A value
//! of the wrong kind is refused before the first event, and the refusal names
//! the option, what was expected, and the nearest valid choice.
//!
//! ```
//! use std::time::Duration;
//!
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::testing::Rule;
//!
//! #[derive(OptionValue, Debug, PartialEq)]
//! enum Mode {
//!     Deny,
//!     DropSilently,
//! }
//!
//! #[derive(Options)]
//! struct Limits {
//!     /// Bytes that a payload may have.
//!     #[option(default = 1024)]
//!     limit: usize,
//!     /// How long a publisher is remembered.
//!     #[option(default = "2h")]
//!     window: Duration,
//!     /// What becomes of a message that is too long.
//!     #[option(default = "deny")]
//!     mode: Mode,
//!     /// Topics that are looked at.
//!     topics: Vec<String>,
//!     /// Told to the publisher.
//!     note: Option<String>,
//! }
//!
//! #[action(hook = "message.publish", interest("payload"), options = Limits)]
//! fn limit(_: &Context, options: &Limits, message: &Message) -> Verdict {
//!     match options.mode {
//!         _ if message.payload.len() <= options.limit => Verdict::Proceed,
//!         Mode::Deny => Verdict::deny(reason_code::PACKET_TOO_LARGE, "too long"),
//!         Mode::DropSilently => Verdict::Drop,
//!     }
//! }
//!
//! let rule = Rule::new(&limit::ACTION).option("topics", vec!["a", "b"]);
//! let options: Limits = rule.options();
//! assert_eq!(options.limit, 1024);
//! assert_eq!(options.window, Duration::from_secs(7200));
//! assert_eq!(options.topics, ["a", "b"]);
//! assert_eq!(options.note, None);
//!
//! let refused = Rule::new(&limit::ACTION).option("mod", "deny").refusals();
//! assert_eq!(
//!     refused,
//!     [
//!         "the action has no option `mod`; did you mean \"mode\"?",
//!         "the option `topics` must be set: a list",
//!     ]
//! );
//! ```
//!
//! A default that does not suit its type does not compile:
//!
//! ```compile_fail
//! # use hookwire_sdk::prelude::*;
//! #[derive(Options)]
//! struct Limits {
//!     #[option(default = "two hours")]
//!     window: std::time::Duration,
//! }
//! ```

mod duration;
mod value;

use serde_json::Value as Json;

use crate::bindings::exports::hookwire::rule::actions as wit;
use crate::nearest::hint;

#[doc(hidden)]
pub use value::default_suits;
pub use value::{OptionValue, one_of};

/// The options of an action's rules. `#[derive(Options)]` writes it for a
/// struct whose fields are [`OptionValue`]s; the [module](self) shows one.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::testing::Rule;
///
/// #[derive(Options)]
/// struct Range {
///     /// Least value that passes.
///     #[option(default = -20)]
///     min: i64,
///     /// Greatest value that passes.
///     max: i64,
/// }
///
/// #[action(hook = "message.publish", options = Range)]
/// fn check(_: &Context, range: &Range, message: &Message) -> Verdict {
///     # let _ = (range, message);
///     Verdict::Proceed
/// }
///
/// let range: Range = Rule::new(&check::ACTION).option("max", 85).options();
/// assert_eq!((range.min, range.max), (-20, 85));
/// ```
pub trait Options: Sized + 'static {
    /// What the manifest says of each option, in the order of the fields.
    #[doc(hidden)]
    const SPECS: &'static [OptionSpec];

    /// Takes one value for each option, in order; none where one is wrong.
    #[doc(hidden)]
    fn read(given: &mut Given<'_>) -> Option<Self>;
}

impl Options for () {
    const SPECS: &'static [OptionSpec] = &[];

    fn read(_: &mut Given<'_>) -> Option<Self> {
        Some(())
    }
}

/// One option, as the derive writes it down.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its key in the rule's `options` block.
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean`, `duration` or `list`.
    pub kind: &'static str,
    /// The words it may be; empty where it is not one of a few.
    pub words: &'static [&'static str],
    /// Whether a rule must set it.
    pub required: bool,
    /// Its default, as JSON text.
    pub default: Option<&'static str>,
    /// For the reader of a configuration.
    pub help: &'static str,
}

impl OptionSpec {
    /// Its entry in the manifest, which tells of its words in the help.
    pub(crate) fn entry(&self) -> wit::OptionSpec {
        let help = match (self.help, self.words) {
            (help, []) => help.to_owned(),
            ("", words) => format!("One of {}.", words.join(", ")),
            (help, words) => format!("{help} One of {}.", words.join(", ")),
        };
        wit::OptionSpec {
            name: self.name.to_owned(),
            kind: self.kind.to_owned(),
            required: self.required,
            default: self.default.map(str::to_owned),
            help,
        }
    }

    fn kind_in_words(&self) -> &'static str {
        match self.kind {
            "string" => "a text",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "duration" => "a duration such as \"500ms\" or \"2h\"",
            "list" => "a list",
            "strings" => "text, or a list of texts",
            other => other,
        }
    }
}

/// What a rule sets, on its way into the fields of a struct.
#[doc(hidden)]
#[derive(Debug)]
pub struct Given<'g> {
    /// Options that are still to be taken.
    specs: std::slice::Iter<'static, OptionSpec>,
    given: &'g [(String, String)],
    errors: Vec<String>,
}

impl Given<'_> {
    /// The value of the next option.
    #[doc(hidden)]
    pub fn take<V: OptionValue>(&mut self) -> Option<V> {
        let spec = self.specs.next()?;
        let text = self
            .given
            .iter()
            .find(|(name, _)| name == spec.name)
            .map(|(_, text)| text.as_str())
            .or(spec.default);
        let Some(text) = text else {
            let absent = V::absent();
            if absent.is_none() {
                let kind = spec.kind_in_words();
                self.refuse(format!("the option `{}` must be set: {kind}", spec.name));
            }
            return absent;
        };
        match serde_json::from_str::<Json>(text) {
            Ok(json) => match V::read(&json) {
                Ok(value) => return Some(value),
                Err(expected) => self.refuse(format!(
                    "the option `{}` takes {expected}, and is {}",
                    spec.name,
                    shortened(text)
                )),
            },
            Err(error) => self.refuse(format!("the option `{}` is not JSON: {error}", spec.name)),
        }
        None
    }

    fn refuse(&mut self, error: String) {
        self.errors.push(error);
    }
}

/// Reads what a rule sets.
pub(crate) fn read<O: Options>(given: &[(String, String)]) -> Result<O, Vec<String>> {
    let names: Vec<&str> = O::SPECS.iter().map(|spec| spec.name).collect();
    let errors = given
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .map(|(name, _)| {
            let hint = hint(name, &names);
            format!("the action has no option `{name}`; {hint}")
        })
        .collect();
    let mut given = Given {
        specs: O::SPECS.iter(),
        given,
        errors,
    };
    match O::read(&mut given) {
        Some(options) if given.errors.is_empty() => Ok(options),
        _ => Err(given.errors),
    }
}

/// A value as an error shows it.
fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    if text.chars().count() <= MAX_CHARS {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_CHARS).collect();
    format!("{start}...")
}
