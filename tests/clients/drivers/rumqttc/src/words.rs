//! What stands in commands, read from their JSON.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A text.
pub(crate) fn text<'a>(from: &'a Value, key: &str) -> Result<&'a str> {
    from[key]
        .as_str()
        .with_context(|| format!("{key} is a text"))
}

/// A whole number that fits.
pub(crate) fn number<N: TryFrom<u64>>(from: &Value, key: &str) -> Result<N> {
    optional(from, key).with_context(|| format!("{key} is a number"))
}

/// A whole number that may be missing.
pub(crate) fn optional<N: TryFrom<u64>>(from: &Value, key: &str) -> Option<N> {
    from[key].as_u64().and_then(|number| number.try_into().ok())
}

/// A text that may be missing.
pub(crate) fn optional_text(from: &Value, key: &str) -> Option<String> {
    from[key].as_str().map(str::to_owned)
}

/// Yes or no.
pub(crate) fn flag(from: &Value, key: &str) -> Result<bool> {
    from[key]
        .as_bool()
        .with_context(|| format!("{key} is true or false"))
}

/// A list.
pub(crate) fn list<'a>(from: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    from[key]
        .as_array()
        .with_context(|| format!("{key} is a list"))
}

/// Bytes, from hexadecimal digits.
pub(crate) fn bytes(digits: &Value) -> Result<Vec<u8>> {
    let digits = digits.as_str().context("bytes are a text")?;
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

/// Bytes that may be missing.
pub(crate) fn optional_bytes(from: &Value, key: &str) -> Result<Option<Vec<u8>>> {
    match &from[key] {
        Value::Null => Ok(None),
        digits => bytes(digits).map(Some),
    }
}

/// Bytes, as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Pairs of texts, none if they are missing.
pub(crate) fn pairs(from: &Value, key: &str) -> Result<Vec<(String, String)>> {
    let Some(pairs) = from[key].as_array() else {
        return Ok(Vec::new());
    };
    pairs
        .iter()
        .map(|pair| match (pair[0].as_str(), pair[1].as_str()) {
            (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
            _ => anyhow::bail!("{key} are pairs of texts"),
        })
        .collect()
}
