//! The types that an option can have.

use std::time::Duration;

use serde_json::Value as Json;

use super::duration::duration;
use crate::nearest::hint;

/// A type that an option can have: `String`, whole numbers, `f64`, `bool`,
/// [`Duration`], `Vec` and `Option` of them, and enums that derive it.
///
/// ```
/// use hookwire_sdk::prelude::*;
/// use hookwire_sdk::serde_json::json;
///
/// #[derive(OptionValue, Debug, PartialEq)]
/// enum Unit {
///     Celsius,
///     #[option(name = "degF")]
///     Fahrenheit,
/// }
///
/// assert_eq!(Unit::read(&json!("celsius")), Ok(Unit::Celsius));
/// assert_eq!(Unit::read(&json!("degF")), Ok(Unit::Fahrenheit));
/// assert_eq!(
///     Unit::read(&json!("celcius")),
///     Err("one of celsius, degF (did you mean \"celsius\"?)".to_owned())
/// );
/// ```
#[diagnostic::on_unimplemented(
    message = "an option cannot be a `{Self}`",
    note = "it is a String, a whole number, f64, bool, Duration, Vec or Option of them, or an enum that derives OptionValue"
)]
pub trait OptionValue: Sized {
    /// What the manifest calls it: `string`, `integer`, `number`, `boolean`,
    /// `duration`, `list`, or `strings`: text or a list of texts.
    const KIND: &'static str;
    /// The words it may be; empty where it is not one of a few.
    const WORDS: &'static [&'static str] = &[];
    /// Whether a rule may leave it out though it has no default.
    const IS_OPTIONAL: bool = false;

    /// Reads it from JSON.
    ///
    /// # Errors
    /// What was expected: "a whole number from 0 to 255".
    fn read(value: &Json) -> Result<Self, String>;

    /// Its value when it is neither set nor has a default.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

impl OptionValue for String {
    const KIND: &'static str = "string";

    fn read(value: &Json) -> Result<Self, String> {
        let text = value.as_str().ok_or("a text")?;
        Ok(text.to_owned())
    }
}

impl OptionValue for bool {
    const KIND: &'static str = "boolean";

    fn read(value: &Json) -> Result<Self, String> {
        Ok(value.as_bool().ok_or("true or false")?)
    }
}

impl OptionValue for f64 {
    const KIND: &'static str = "number";

    fn read(value: &Json) -> Result<Self, String> {
        Ok(value.as_f64().ok_or("a number")?)
    }
}

impl OptionValue for Duration {
    const KIND: &'static str = "duration";

    fn read(value: &Json) -> Result<Self, String> {
        let duration = value.as_str().and_then(duration);
        Ok(duration.ok_or("a duration such as \"500ms\" or \"2h\"")?)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl OptionValue for $number {
            const KIND: &'static str = "integer";

            fn read(value: &Json) -> Result<Self, String> {
                let number = value
                    .as_i64()
                    .map(i128::from)
                    .or_else(|| value.as_u64().map(i128::from));
                number
                    .and_then(|number| Self::try_from(number).ok())
                    .ok_or_else(|| whole_number(wide(Self::MIN), wide(Self::MAX)))
            }
        }
    )+};
}

whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64);

/// What was expected, without bounds that nobody means.
fn whole_number(least: i128, most: i128) -> String {
    let is_wide = most >= i128::from(i64::MAX);
    match least {
        0 if is_wide => "a whole number that is not negative".to_owned(),
        _ if is_wide => "a whole number".to_owned(),
        _ => format!("a whole number from {least} to {most}"),
    }
}

fn wide<N: TryInto<i128>>(number: N) -> i128 {
    number.try_into().unwrap_or(i128::MAX)
}

impl<V: OptionValue> OptionValue for Vec<V> {
    const KIND: &'static str = "list";

    fn read(value: &Json) -> Result<Self, String> {
        let list = value.as_array().ok_or("a list")?;
        list.iter()
            .map(|item| V::read(item).map_err(|expected| format!("a list, each item {expected}")))
            .collect()
    }
}

impl<V: OptionValue> OptionValue for Option<V> {
    const KIND: &'static str = V::KIND;
    const WORDS: &'static [&'static str] = V::WORDS;
    const IS_OPTIONAL: bool = true;

    fn read(value: &Json) -> Result<Self, String> {
        if value.is_null() {
            return Ok(None);
        }
        V::read(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// What was expected in place of a word, with the nearest that is known: for a
/// refusal.
///
/// ```
/// use hookwire_sdk::options::one_of;
///
/// let known = ["clientid", "topic"];
/// assert_eq!(one_of(Some("topics"), &known), "one of clientid, topic (did you mean \"topic\"?)");
/// assert_eq!(one_of(Some("x"), &known), "one of clientid, topic");
/// ```
#[must_use]
pub fn one_of(given: Option<&str>, words: &[&str]) -> String {
    let known = words.join(", ");
    let hint = given.map(|given| hint(given, words));
    match hint.filter(|hint| hint.starts_with("did you mean")) {
        Some(hint) => format!("one of {known} ({hint})"),
        None => format!("one of {known}"),
    }
}

/// Whether a literal of the kind `found` is a default for a `V`. Constant, so
/// that one that is not fails when the crate compiles.
#[must_use]
pub const fn default_suits<V: OptionValue>(found: &str, json: &str) -> bool {
    if same(V::KIND, "duration") {
        return same(found, "string") && duration(unquoted(json)).is_some();
    }
    if same(V::KIND, "number") && same(found, "integer") {
        return true;
    }
    same(V::KIND, found) && (V::WORDS.is_empty() || holds(V::WORDS, unquoted(json)))
}

/// The text between the quotes of a JSON string.
const fn unquoted(json: &str) -> &str {
    let inner = json.as_bytes().split_at(1).1;
    match std::str::from_utf8(inner.split_at(inner.len() - 1).0) {
        Ok(text) => text,
        Err(_) => "",
    }
}

const fn holds(words: &[&str], word: &str) -> bool {
    let mut place = 0;
    while place < words.len() {
        if same(words[place], word) {
            return true;
        }
        place += 1;
    }
    false
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut place = 0;
    while place < left.len() {
        if left[place] != right[place] {
            return false;
        }
        place += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_or_say_what_was_expected() {
        assert_eq!(u8::read(&json!(255)), Ok(255));
        assert_eq!(
            u8::read(&json!(256)),
            Err("a whole number from 0 to 255".to_owned())
        );
        assert_eq!(u64::read(&json!(u64::MAX)), Ok(u64::MAX));
        assert_eq!(i64::read(&json!(-1)), Ok(-1));
        assert_eq!(i64::read(&json!(1.5)), Err("a whole number".to_owned()));
        assert_eq!(
            u64::read(&json!(-1)),
            Err("a whole number that is not negative".to_owned())
        );
        assert_eq!(f64::read(&json!(2)), Ok(2.0));
        assert_eq!(bool::read(&json!(0)), Err("true or false".to_owned()));
        assert_eq!(
            Vec::<String>::read(&json!(["a", 1])),
            Err("a list, each item a text".to_owned())
        );
        assert_eq!(Option::<i64>::read(&Json::Null), Ok(None));
        assert_eq!(Duration::read(&json!("2m")), Ok(Duration::from_secs(120)));
        assert!(Duration::read(&json!(2)).is_err());
    }

    #[test]
    fn defaults_are_checked_by_kind_and_content() {
        assert!(default_suits::<i64>("integer", "1"));
        assert!(default_suits::<f64>("integer", "1"));
        assert!(!default_suits::<i64>("number", "1.5"));
        assert!(!default_suits::<i64>("string", "\"1\""));
        assert!(default_suits::<Duration>("string", "\"2h\""));
        assert!(!default_suits::<Duration>("string", "\"2\""));
        assert!(!default_suits::<Duration>("integer", "2"));
        assert!(default_suits::<Option<String>>("string", "\"\""));
        assert!(default_suits::<Vec<String>>("list", "[]"));
    }
}
