//! From an expression of the syntax tree to a value, or to what is wrong with it.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use hcl_edit::Span;
use hcl_edit::expr::{Expression, UnaryOperator};
use hcl_edit::template::Element;

use crate::model::OptionValue;
use crate::nearest::hint;
use crate::source::Source;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// What is wrong with a value, to stand behind the name of its key.
pub type Wrong = String;

/// That a value is not what it has to be.
pub fn expected(what: &str, found: &Expression) -> Wrong {
    let found = match found {
        Expression::Null(_) => "null",
        Expression::Bool(_) => "true or false",
        Expression::Number(_) => "a number",
        Expression::String(_) | Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => {
            "text"
        }
        Expression::Array(_) => "a list",
        Expression::Object(_) => "an object",
        Expression::Variable(_) => "a word without quotes",
        _ => "an expression",
    };
    format!("expected {what}, found {found}")
}

/// Text, with its templates as they were written.
pub fn text(source: &Source<'_>, value: &Expression) -> Result<String, Wrong> {
    let elements = match value {
        Expression::String(text) => return Ok(text.value().clone()),
        Expression::StringTemplate(template) => template.iter(),
        Expression::HeredocTemplate(heredoc) => heredoc.template.iter(),
        other => return Err(expected("text in quotes", other)),
    };
    let mut text = String::new();
    for element in elements {
        match element {
            Element::Literal(literal) => text.push_str(literal.value()),
            Element::Interpolation(_) | Element::Directive(_) => {
                text.push_str(source.written(element.span()));
            }
        }
    }
    Ok(text)
}

/// Text of at least one character.
pub fn some_text(source: &Source<'_>, value: &Expression) -> Result<String, Wrong> {
    match text(source, value)? {
        text if text.is_empty() => Err("is empty".to_owned()),
        text => Ok(text),
    }
}

/// The name of this node: printable, and short enough for a column of a table.
pub fn node(source: &Source<'_>, value: &Expression) -> Result<String, Wrong> {
    let node = some_text(source, value)?;
    // It stands in topics under $SYS.
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '+' | '#');
    if node.chars().all(fits) && node.len() <= 128 {
        Ok(node)
    } else {
        let what = "is at most 128 printable ASCII characters, without spaces, /, + and #";
        Err(what.to_owned())
    }
}

/// A path, as it was written.
pub fn path(source: &Source<'_>, value: &Expression) -> Result<PathBuf, Wrong> {
    some_text(source, value).map(PathBuf::from)
}

pub(crate) fn address(source: &Source<'_>, value: &Expression) -> Result<SocketAddr, Wrong> {
    let text = text(source, value)?;
    text.parse().map_err(|_| {
        format!("\"{text}\" is not an IP address and a port, such as \"127.0.0.1:1883\"")
    })
}

fn whole_number(value: &Expression) -> Result<i64, Wrong> {
    const WHAT: &str = "a whole number";
    let (number, negative) = match value {
        Expression::Number(number) => (number.value(), false),
        Expression::UnaryOp(operation) => match (*operation.operator.value(), &operation.expr) {
            (UnaryOperator::Neg, Expression::Number(number)) => (number.value(), true),
            _ => return Err(expected(WHAT, value)),
        },
        other => return Err(expected(WHAT, other)),
    };
    match number.as_i64() {
        Some(whole) if negative => Ok(-whole),
        Some(whole) => Ok(whole),
        None => Err(format!("expected {WHAT}, found {number}")),
    }
}

/// A whole number within `range`.
pub fn integer<T>(
    range: RangeInclusive<T>,
) -> impl FnOnce(&Source<'_>, &Expression) -> Result<T, Wrong>
where
    T: TryFrom<i64> + PartialOrd + fmt::Display,
{
    move |_, value| {
        let number = whole_number(value)?;
        T::try_from(number)
            .ok()
            .filter(|converted| range.contains(converted))
            .ok_or_else(|| out_of_range(number, range.start(), range.end()))
    }
}

/// true or false.
pub fn boolean(_: &Source<'_>, value: &Expression) -> Result<bool, Wrong> {
    match value {
        Expression::Bool(value) => Ok(*value.value()),
        other => Err(expected("true or false", other)),
    }
}

/// One of these words, each with what it stands for.
pub fn choice<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl FnOnce(&Source<'_>, &Expression) -> Result<T, Wrong> {
    move |source, value| {
        let text = text(source, value)?;
        let meant = words.iter().find(|(word, _)| *word == text);
        meant.map(|(_, meant)| *meant).ok_or_else(|| {
            let hint = hint(&text, words.iter().map(|(word, _)| *word));
            format!("\"{text}\" is not one of its words; {hint}")
        })
    }
}

fn out_of_range(
    value: impl fmt::Display,
    least: impl fmt::Display,
    most: impl fmt::Display,
) -> Wrong {
    format!("{value} is out of range: {least} to {most}")
}

/// The digits at the beginning of `text` as a number, and what follows them.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

/// A time such as `"5s"`, within `range`.
pub fn duration(
    range: RangeInclusive<Duration>,
) -> impl FnOnce(&Source<'_>, &Expression) -> Result<Duration, Wrong> {
    move |source, value| {
        const WHAT: &str = "a time such as \"500ms\", \"5s\", \"2m\", \"1h\" or \"7d\"";
        let Ok(text) = text(source, value) else {
            return Err(expected(WHAT, value));
        };
        let milliseconds = number_and_unit(&text).and_then(|(number, unit)| {
            number.checked_mul(match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60 * 1000,
                "h" => 60 * 60 * 1000,
                "d" => 24 * 60 * 60 * 1000,
                _ => return None,
            })
        });
        let Some(milliseconds) = milliseconds else {
            return Err(format!("\"{text}\" is not {WHAT}"));
        };
        let duration = Duration::from_millis(milliseconds);
        if range.contains(&duration) {
            return Ok(duration);
        }
        let (least, most) = range.into_inner();
        let shown = [written_time(least), written_time(most)];
        Err(out_of_range(format!("\"{text}\""), &shown[0], &shown[1]))
    }
}

/// A time as it is written in a configuration.
pub(crate) fn written_time(duration: Duration) -> String {
    const DAY_MS: u128 = 24 * 60 * 60 * 1000;
    match duration.as_millis() {
        ms if ms > DAY_MS && ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms % (60 * 60 * 1000) == 0 => format!("{}h", ms / (60 * 60 * 1000)),
        ms if ms % (60 * 1000) == 0 => format!("{}m", ms / (60 * 1000)),
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

/// What `convert` makes of a value; `None` for the number 0, which stands for no bound.
pub(crate) fn or_none<T>(
    convert: impl FnOnce(&Source<'_>, &Expression) -> Result<T, Wrong>,
) -> impl FnOnce(&Source<'_>, &Expression) -> Result<Option<T>, Wrong> {
    move |source, value| match whole_number(value) {
        Ok(0) => Ok(None),
        _ => convert(source, value).map(Some),
    }
}

/// A number of bytes, such as `65536` or `"64KiB"`, within `range`.
pub fn bytes(
    range: RangeInclusive<u64>,
) -> impl FnOnce(&Source<'_>, &Expression) -> Result<usize, Wrong> {
    move |source, value| {
        const WHAT: &str = "a size such as 65536, \"64KiB\", \"1MiB\" or \"1GiB\"";
        let (number, shown) = match (value, text(source, value)) {
            (_, Ok(text)) => {
                let bytes = number_and_unit(&text).and_then(|(number, unit)| {
                    number.checked_mul(match unit {
                        "KiB" => KIB,
                        "MiB" => MIB,
                        "GiB" => GIB,
                        _ => return None,
                    })
                });
                let shown = format!("\"{text}\"");
                (
                    bytes.ok_or_else(|| format!("{shown} is not {WHAT}"))?,
                    shown,
                )
            }
            (Expression::Number(_) | Expression::UnaryOp(_), Err(_)) => {
                let number = whole_number(value)?;
                (u64::try_from(number).unwrap_or(0), number.to_string())
            }
            (other, Err(_)) => return Err(expected(WHAT, other)),
        };
        usize::try_from(number)
            .ok()
            .filter(|_| range.contains(&number))
            .ok_or_else(|| {
                let (least, most) = range.into_inner();
                out_of_range(shown, written_size(least), written_size(most))
            })
    }
}

/// A size as it is written in a configuration.
pub(crate) fn written_size(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        bytes if bytes % GIB == 0 => format!("{}GiB", bytes / GIB),
        bytes if bytes % MIB == 0 => format!("{}MiB", bytes / MIB),
        bytes if bytes % KIB == 0 => format!("{}KiB", bytes / KIB),
        bytes => format!("{bytes}"),
    }
}

/// A value of a rule's option.
pub fn option(source: &Source<'_>, value: &Expression) -> Result<OptionValue, Wrong> {
    match value {
        Expression::String(_) | Expression::StringTemplate(_) | Expression::HeredocTemplate(_) => {
            text(source, value).map(OptionValue::String)
        }
        Expression::Bool(value) => Ok(OptionValue::Boolean(*value.value())),
        Expression::Number(number) => number_option(number.value(), 1),
        Expression::UnaryOp(operation) => match (*operation.operator.value(), &operation.expr) {
            (UnaryOperator::Neg, Expression::Number(number)) => number_option(number.value(), -1),
            _ => Err(expected_option(value)),
        },
        Expression::Array(list) => list
            .iter()
            .map(|entry| option(source, entry))
            .collect::<Result<_, _>>()
            .map(OptionValue::List),
        other => Err(expected_option(other)),
    }
}

fn expected_option(found: &Expression) -> Wrong {
    expected("text, a number, true, false, or a list of these", found)
}

fn number_option(number: &hcl_edit::Number, sign: i8) -> Result<OptionValue, Wrong> {
    if let Some(whole) = number.as_i64() {
        return Ok(OptionValue::Integer(whole * i64::from(sign)));
    }
    match number.as_f64() {
        Some(real) => Ok(OptionValue::Number(real * f64::from(sign))),
        None => Err(format!("{number} is not a number that can be kept")),
    }
}
