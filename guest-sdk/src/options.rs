//! The options of a rule: read once, when the rule is configured.
//!
//! An action declares its options; a rule sets them; what a rule leaves out
//! takes the declared default. A value of the wrong kind is refused before the
//! first event, with the rule's name.

use std::time::Duration;

use serde_json::Value as Json;

use crate::declared::OptionSpec;

/// The options of one rule: one place for each option that its action declares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    specs: &'static [OptionSpec],
    values: Vec<Option<Json>>,
}

impl Options {
    /// Matches what a rule sets with what the action declares.
    ///
    /// # Errors
    /// Everything that is wrong, each as a sentence.
    pub(crate) fn read(
        specs: &'static [OptionSpec],
        given: &[(String, String)],
    ) -> Result<Self, Vec<String>> {
        let mut errors: Vec<String> = given
            .iter()
            .filter(|(name, _)| specs.iter().all(|spec| spec.name != name))
            .map(|(name, _)| format!("the action has no option `{name}`"))
            .collect();
        let mut values = Vec::with_capacity(specs.len());
        for spec in specs {
            let text = given
                .iter()
                .find(|(name, _)| name == spec.name)
                .map(|(_, text)| text.as_str())
                .or(spec.default);
            match text.map(|text| read_value(spec, text)) {
                Some(Ok(value)) => values.push(Some(value)),
                Some(Err(error)) => errors.push(error),
                None if spec.required => {
                    errors.push(format!("the option `{}` must be set", spec.name));
                }
                None => values.push(None),
            }
        }
        if errors.is_empty() {
            Ok(Self { specs, values })
        } else {
            Err(errors)
        }
    }

    /// The value of option `name`, declared with one of `kinds`.
    ///
    /// # Panics
    /// If the action does not declare it so: a mistake in the action.
    pub(crate) fn get(&self, name: &str, kinds: &[&str]) -> Option<&Json> {
        let place = self.specs.iter().position(|spec| spec.name == name);
        let Some((spec, value)) =
            place.and_then(|place| Some((self.specs.get(place)?, self.values.get(place)?)))
        else {
            panic!("the action does not declare an option `{name}`");
        };
        assert!(
            kinds.contains(&spec.kind),
            "option `{name}` is declared as {}, and read as {}",
            spec.kind,
            kinds.join(" or ")
        );
        value.as_ref()
    }
}

fn read_value(spec: &OptionSpec, text: &str) -> Result<Json, String> {
    let value: Json = serde_json::from_str(text)
        .map_err(|error| format!("the option `{}` is not JSON: {error}", spec.name))?;
    let fits = match spec.kind {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "duration" => value.as_str().is_some_and(|text| duration(text).is_some()),
        "list" => value.is_array(),
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err(format!(
            "the option `{}` takes {}, and is {text}",
            spec.name,
            describe_kind(spec.kind)
        ))
    }
}

fn describe_kind(kind: &str) -> &str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "duration" => "a duration such as \"500ms\", \"2h\"",
        "list" => "a list",
        other => other,
    }
}

/// Reads `250ms`, `30s`, `5m`, `2h`, `7d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: OptionSpec = OptionSpec {
        name: "limit",
        kind: "integer",
        required: false,
        default: Some("5"),
        help: "",
    };
    const SPECS: &[OptionSpec] = &[
        LIMIT,
        OptionSpec {
            name: "window",
            kind: "duration",
            required: true,
            default: None,
            help: "",
        },
    ];

    fn read(given: &[(&str, &str)]) -> Result<Options, Vec<String>> {
        let given: Vec<_> = given
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        Options::read(SPECS, &given)
    }

    #[test]
    fn a_missing_option_takes_its_default() {
        let options = read(&[("window", "\"2h\"")]).unwrap();
        assert_eq!(options.get("limit", &["integer"]), Some(&Json::from(5)));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let errors = read(&[("limit", "\"many\""), ("colour", "1")]).unwrap_err();
        assert_eq!(
            errors,
            [
                "the action has no option `colour`",
                "the option `limit` takes a whole number, and is \"many\"",
                "the option `window` must be set",
            ]
        );
    }

    #[test]
    fn durations() {
        let check = |text, expected: Option<u64>| {
            assert_eq!(
                duration(text),
                expected.map(Duration::from_millis),
                "{text}"
            );
        };
        check("250ms", Some(250));
        check("30s", Some(30_000));
        check("5m", Some(300_000));
        check("2h", Some(7_200_000));
        check("7d", Some(604_800_000));
        check("2", None);
        check("h", None);
        check("", None);
        check("-1s", None);
        check("99999999999999999999d", None);
        check("18446744073709551615d", None);
    }

    #[test]
    #[should_panic(expected = "option `limit` is declared as integer, and read as list")]
    fn reading_as_another_kind_is_a_mistake_of_the_action() {
        let options = read(&[("window", "\"2h\"")]).unwrap();
        let _ = options.get("limit", &["list"]);
    }
}
