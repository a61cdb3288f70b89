//! Rule options against what an action declares.

use hookwire_settings::{Located, OptionValue, Problem, hint};

/// What kind of value an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// true or false.
    Boolean,
    /// Text such as `250ms`, `30s`, `5m`, `2h`, `7d`.
    Duration,
    /// A list.
    List,
    /// Text, or a list of texts.
    Strings,
}

impl OptionKind {
    /// Its name, as manifests write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::List => "list",
            Self::Strings => "strings",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "duration" => Self::Duration,
            "list" => Self::List,
            "strings" => Self::Strings,
            _ => return None,
        })
    }

    fn described(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Duration => "a time such as \"500ms\" or \"2h\"",
            Self::List => "a list",
            Self::Strings => "text, or a list of texts",
        }
    }

    fn takes(self, value: &OptionValue) -> bool {
        match (self, value) {
            (Self::String | Self::Strings, OptionValue::String(_))
            | (Self::Integer | Self::Number, OptionValue::Integer(_))
            | (Self::Number, OptionValue::Number(_))
            | (Self::Boolean, OptionValue::Boolean(_))
            | (Self::List, OptionValue::List(_)) => true,
            (Self::Strings, OptionValue::List(list)) => {
                list.iter().all(|item| Self::String.takes(item))
            }
            (Self::Duration, OptionValue::String(text)) => is_duration(text),
            _ => false,
        }
    }
}

fn is_duration(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    number.parse::<u64>().is_ok() && ["ms", "s", "m", "h", "d"].contains(&unit)
}

/// One option of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionSpec {
    /// Its key in the rule's options.
    pub name: String,
    /// What it takes.
    pub kind: OptionKind,
    /// Whether a rule must set it.
    pub required: bool,
    /// Its default, as JSON text.
    pub default: Option<String>,
    /// One line for the reader of a configuration.
    pub help: String,
}

/// Writes a rule's options as JSON, in the rule's order, and finds what is
/// wrong with them. Defaults are the module's to fill in: it declared them.
pub(crate) fn bind(
    specs: &[OptionSpec],
    action: &Located<String>,
    options: &[(Located<String>, OptionValue)],
) -> (Vec<(String, String)>, Vec<Problem>) {
    let mut bound = Vec::with_capacity(options.len());
    let mut problems = Vec::new();
    let mut report = |place: &Located<String>, message: String| {
        let at = place.at.clone();
        problems.push(Problem { at, message });
    };
    for (key, value) in options {
        let name = &key.value;
        match specs.iter().find(|spec| spec.name == *name) {
            None => {
                let hint = hint(name, specs.iter().map(|spec| spec.name.as_str()));
                let action = &action.value;
                report(
                    key,
                    format!("options: action {action:?} has no option {name:?}; {hint}"),
                );
            }
            Some(spec) if !spec.kind.takes(value) => {
                let expected = spec.kind.described();
                let found = json(value);
                report(
                    key,
                    format!("options: {name}: expected {expected}, found {found}"),
                );
            }
            Some(_) => bound.push((name.clone(), json(value).to_string())),
        }
    }
    let is_set = |name: &str| options.iter().any(|(key, _)| key.value == name);
    for spec in specs.iter().filter(|spec| spec.required) {
        if !is_set(&spec.name) {
            let expected = spec.kind.described();
            report(
                action,
                format!(
                    "options: action {:?} needs {}, {expected}",
                    action.value, spec.name
                ),
            );
        }
    }
    (bound, problems)
}

fn json(value: &OptionValue) -> serde_json::Value {
    match value {
        OptionValue::String(text) => text.as_str().into(),
        OptionValue::Integer(number) => (*number).into(),
        OptionValue::Number(number) => (*number).into(),
        OptionValue::Boolean(flag) => (*flag).into(),
        OptionValue::List(items) => items.iter().map(json).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_take_their_values() {
        let text = |text: &str| OptionValue::String(text.to_owned());
        let check = |kind: OptionKind, value: &OptionValue, takes: bool| {
            assert_eq!(kind.takes(value), takes, "{kind:?} {value:?}");
        };
        check(OptionKind::String, &text("x"), true);
        check(OptionKind::String, &OptionValue::Integer(1), false);
        check(OptionKind::Number, &OptionValue::Integer(1), true);
        check(OptionKind::Integer, &OptionValue::Number(1.5), false);
        check(OptionKind::Duration, &text("2h"), true);
        check(OptionKind::Duration, &text("2 h"), false);
        check(OptionKind::Duration, &text("h"), false);
        check(OptionKind::Duration, &text(""), false);
        check(OptionKind::List, &OptionValue::List(Vec::new()), true);
        check(OptionKind::Boolean, &text("true"), false);
        check(OptionKind::Strings, &text("x"), true);
        check(
            OptionKind::Strings,
            &OptionValue::List(vec![text("x")]),
            true,
        );
        let mixed = OptionValue::List(vec![text("x"), OptionValue::Integer(1)]);
        check(OptionKind::Strings, &mixed, false);
    }

    #[test]
    fn values_are_written_as_json() {
        let list = OptionValue::List(vec![
            OptionValue::String("a\"b".to_owned()),
            OptionValue::Number(0.5),
            OptionValue::Boolean(true),
        ]);
        assert_eq!(json(&list).to_string(), r#"["a\"b",0.5,true]"#);
    }
}
