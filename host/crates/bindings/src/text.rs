//! Text from guests, made fit for a field of the protocol or a log line.

use std::borrow::Cow;

/// `text` without U+0000, cut between two characters to at most `max_bytes`.
#[must_use]
pub fn bounded(mut text: String, max_bytes: usize) -> String {
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
    text.truncate(text.floor_char_boundary(max_bytes));
    text
}

/// What an error quotes of a guest's words: 256 bytes at most.
pub(crate) fn quoted(text: String) -> String {
    bounded(text, 256)
}

/// `text` as one line: its control characters, and what else ends a line or turns
/// its direction, are written as escapes, so that nobody takes a part of it for
/// a line of somebody else's.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_odd = |character: char| {
        character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_odd(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one() {
        let check = |text, expected: &str| assert_eq!(printable(text), expected);
        check("a \\ b é", "a \\ b é");
        check("a\r\n2026 ERROR b\tc", "a\\r\\n2026 ERROR b\\tc");
        check(
            "\x1b[31m\u{9b}\u{2028}\u{202e}",
            "\\u{1b}[31m\\u{9b}\\u{2028}\\u{202e}",
        );
    }

    #[test]
    fn cut_between_characters_and_without_nul() {
        let check = |text: &str, max_bytes, expected: &str| {
            assert_eq!(bounded(text.to_owned(), max_bytes), expected);
        };
        check("abc", 3, "abc");
        check("aé", 2, "a");
        check("é", 1, "");
        check("a\0b", 9, "ab");
    }
}
