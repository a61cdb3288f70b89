//! Text from guests, made fit for a field of the protocol or a log line.

/// `text` without U+0000, cut between two characters to at most `max_bytes`.
#[must_use]
pub fn bounded(mut text: String, max_bytes: usize) -> String {
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
    text.truncate(text.floor_char_boundary(max_bytes));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
