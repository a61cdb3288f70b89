//! Splits a statement into tokens, as far as merging rows needs to know them.
//!
//! Strings, quoted names and comments are passed over as SQLite does, so that a
//! `?` or a `)` inside one is not mistaken for a parameter or a parenthesis.

/// One token, and where it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Byte offset of its first character.
    pub(crate) start: usize,
    /// Byte offset behind its last character.
    pub(crate) end: usize,
}

impl Token {
    /// Its text in the statement that it is of.
    pub(crate) fn text<'a>(&self, sql: &'a str) -> &'a str {
        sql.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether it is this word, in capitals or not.
    pub(crate) fn is_word(&self, sql: &str, name: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(name)
    }
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, a bare name, or a number.
    Word,
    /// A plain `?`.
    Parameter,
    /// `?1`, `:name`, `@name`, `$name`.
    NamedParameter,
    Open,
    Close,
    Comma,
    Semicolon,
    /// A string, a quoted name, an operator.
    Other,
}

/// The tokens of `sql`, without white space and comments. Never fails: what is
/// not closed reaches to the end, and SQLite will say so.
pub(crate) fn tokens(sql: &str) -> impl Iterator<Item = Token> + '_ {
    let bytes = sql.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        at = skip_blank(bytes, at);
        let first = *bytes.get(at)?;
        let start = at;
        let kind = match first {
            b'(' => Kind::Open,
            b')' => Kind::Close,
            b',' => Kind::Comma,
            b';' => Kind::Semicolon,
            b'?' if !is_word(bytes.get(at + 1)) => Kind::Parameter,
            b'?' | b':' | b'@' | b'$' if is_word(bytes.get(at + 1)) => Kind::NamedParameter,
            _ if is_word(Some(&first)) => Kind::Word,
            _ => Kind::Other,
        };
        at = match (kind, first) {
            (Kind::Word | Kind::NamedParameter, _) => end_of_word(bytes, at + 1),
            (Kind::Other, b'\'' | b'"' | b'`') => end_of_quoted(bytes, at + 1, first),
            (Kind::Other, b'[') => end_of_quoted(bytes, at + 1, b']'),
            _ => at + 1,
        };
        Some(Token {
            kind,
            start,
            end: at,
        })
    })
}

/// How many `?` there are.
pub(crate) fn count_parameters(list: &[Token]) -> usize {
    list.iter()
        .filter(|token| token.kind == Kind::Parameter)
        .count()
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.first().is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        } else if rest.starts_with(b"--") {
            at += rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
        } else if rest.starts_with(b"/*") {
            at += rest
                .windows(2)
                .skip(2)
                .position(|pair| pair == b"*/")
                .map_or(rest.len(), |inside| inside + 4);
        } else {
            return at;
        }
    }
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii())
}

fn end_of_word(bytes: &[u8], mut at: usize) -> usize {
    while is_word(bytes.get(at)) || bytes.get(at) == Some(&b'$') {
        at += 1;
    }
    at
}

/// Behind the closing quote; a doubled quote stands for itself.
fn end_of_quoted(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == quote {
            if quote != b']' && bytes.get(at) == Some(&quote) {
                at += 1;
            } else {
                break;
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{Kind, tokens};

    fn check(sql: &str, expected: &[(Kind, &str)]) {
        let found: Vec<(Kind, &str)> = tokens(sql)
            .map(|token| (token.kind, &sql[token.start..token.end]))
            .collect();
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn tells_tokens_apart() {
        use Kind::{Close, Comma, NamedParameter, Open, Other, Parameter, Semicolon, Word};
        check(
            "INSERT INTO t VALUES (?, x'00');",
            &[
                (Word, "INSERT"),
                (Word, "INTO"),
                (Word, "t"),
                (Word, "VALUES"),
                (Open, "("),
                (Parameter, "?"),
                (Comma, ","),
                (Word, "x"),
                (Other, "'00'"),
                (Close, ")"),
                (Semicolon, ";"),
            ],
        );
        check(
            "?1 :a @b $c ??",
            &[
                (NamedParameter, "?1"),
                (NamedParameter, ":a"),
                (NamedParameter, "@b"),
                (NamedParameter, "$c"),
                (Parameter, "?"),
                (Parameter, "?"),
            ],
        );
        check(
            "'it''s (?)' \"a\"\"?\" `?` [a]?]",
            &[
                (Other, "'it''s (?)'"),
                (Other, "\"a\"\"?\""),
                (Other, "`?`"),
                (Other, "[a]"),
                (Parameter, "?"),
                (Other, "]"),
            ],
        );
        check(
            "a -- ? (\n/* ? ) */ b/**/c /* open",
            &[(Word, "a"), (Word, "b"), (Word, "c")],
        );
        check("größe '?", &[(Word, "größe"), (Other, "'?")]);
        check("/*/ ? */ ?", &[(Parameter, "?")]);
        check("", &[]);
    }
}
