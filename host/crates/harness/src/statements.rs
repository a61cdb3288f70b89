//! Cuts a script of SQL into its statements.

/// The statements of a script, without the semicolons between them. Strings,
/// quoted names and comments are passed over, and the body of a trigger is not
/// cut: it ends at `; END ;`.
pub(crate) fn statements(script: &str) -> Vec<&str> {
    let bytes = script.as_bytes();
    let (mut found, mut begins, mut at) = (Vec::new(), 0, 0);
    let mut words = Words::default();
    while let Some(byte) = bytes.get(at).copied() {
        let next = bytes.get(at + 1).copied();
        at = match byte {
            b'\'' | b'"' | b'`' => {
                words.other();
                behind(bytes, at + 1, &[byte])
            }
            b'[' => {
                words.other();
                behind(bytes, at + 1, b"]")
            }
            b'-' if next == Some(b'-') => behind(bytes, at + 2, b"\n"),
            b'/' if next == Some(b'*') => behind(bytes, at + 2, b"*/"),
            b';' => {
                if words.is_at_end() {
                    found.extend(script.get(begins..at));
                    begins = at + 1;
                    words = Words::default();
                } else {
                    words.semicolon();
                }
                at + 1
            }
            byte if is_word(byte) => {
                let length = bytes.iter().skip(at).take_while(|byte| is_word(**byte));
                let end = at + length.count();
                words.word(script.get(at..end).unwrap_or_default());
                end
            }
            byte => {
                if !byte.is_ascii_whitespace() {
                    words.other();
                }
                at + 1
            }
        };
    }
    found.extend(script.get(begins..));
    found.retain(|statement| !is_blank(statement));
    found
}

/// What is known of a statement so far.
#[derive(Default)]
struct Words {
    seen: usize,
    may_be_trigger: bool,
    is_trigger: bool,
    /// The last token was a semicolon; or END behind one.
    last_is_semicolon: bool,
    last_is_end: bool,
}

impl Words {
    fn word(&mut self, word: &str) {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        // CREATE TEMP TRIGGER, CREATE TRIGGER; nothing else may stand before it.
        match self.seen {
            0 => self.may_be_trigger = is("create"),
            1 if is("temp") || is("temporary") => {}
            1 | 2 if self.may_be_trigger => {
                self.is_trigger = is("trigger");
                self.may_be_trigger = false;
            }
            _ => self.may_be_trigger = false,
        }
        self.seen += 1;
        self.last_is_end = self.last_is_semicolon && is("end");
        self.last_is_semicolon = false;
    }

    fn other(&mut self) {
        self.seen += 1;
        self.may_be_trigger = false;
        self.last_is_semicolon = false;
        self.last_is_end = false;
    }

    fn semicolon(&mut self) {
        self.last_is_semicolon = true;
        self.last_is_end = false;
    }

    /// Whether a semicolon here is the statement's end.
    fn is_at_end(&self) -> bool {
        !self.is_trigger || self.last_is_end
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Where what follows `end` begins.
fn behind(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest.windows(end.len()).position(|part| part == end);
    found.map_or(bytes.len(), |place| from + place + end.len())
}

/// Whether a statement is nothing but white space and comments.
fn is_blank(statement: &str) -> bool {
    let bytes = statement.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match (byte, bytes.get(at + 1)) {
            (b'-', Some(b'-')) => behind(bytes, at + 2, b"\n"),
            (b'/', Some(b'*')) => behind(bytes, at + 2, b"*/"),
            (byte, _) if byte.is_ascii_whitespace() => at + 1,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_end_at_semicolons_of_their_own() {
        let check = |script: &str, expected: &[&str]| {
            let found: Vec<&str> = statements(script).into_iter().map(str::trim).collect();
            assert_eq!(found, expected, "{script}");
        };
        check("", &[]);
        check(" ;; -- nothing; \n /* ; */ ;", &[]);
        check("SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"]);
        check(
            "INSERT INTO t VALUES ('a;''b', \";\", [;], `;`); -- c;\nDELETE FROM t;",
            &[
                "INSERT INTO t VALUES ('a;''b', \";\", [;], `;`)",
                "-- c;\nDELETE FROM t",
            ],
        );
        let trigger = "create temp /* ; */ trigger a after insert on t begin select case when 1 \
                       then 2 end; delete from u; end";
        check(
            &format!("{trigger}; DROP TABLE t"),
            &[trigger, "DROP TABLE t"],
        );
        check(
            "CREATE TABLE trigger_end (a); x",
            &["CREATE TABLE trigger_end (a)", "x"],
        );
        check(
            "CREATE TABLE \"t\" (trigger); x",
            &["CREATE TABLE \"t\" (trigger)", "x"],
        );
        check(
            "CREATE TABLE trigger (a); x",
            &["CREATE TABLE trigger (a)", "x"],
        );
        check("'never closed; SELECT 1", &["'never closed; SELECT 1"]);
    }
}
