//! Whether a statement may run: what begins with a word that a pool takes, is alone,
//! and does not reach beyond the rule's own rows.

use hookwire_driver::Fault;

use crate::fault::{denied, invalid};
use crate::tokens::{Kind, Token, count_parameters, tokens};

/// What a rule may run for its effect. Not transactions, which belong to the
/// writer, nor ATTACH and PRAGMA, which reach beyond the rule's own tables.
const WRITES: &[&str] = &[
    "insert", "replace", "update", "delete", "with", "create", "drop", "alter",
];
/// What a rule may ask.
const QUERIES: &[&str] = &["select", "with", "values"];

/// Checks a query, and answers how many `?` it has.
///
/// # Errors
/// `Denied` or `Invalid` for a statement that a pool does not run.
pub(crate) fn check_query(sql: &str) -> Result<usize, Fault> {
    checked(sql, QUERIES).map(|list| count_parameters(&list))
}

/// Checks what is run for its effect, and answers its tokens, without semicolons at
/// its end.
///
/// # Errors
/// As [`check_query`].
pub(crate) fn check_write(sql: &str, allows_triggers: bool) -> Result<Vec<Token>, Fault> {
    let list = checked(sql, WRITES)?;
    if !allows_triggers && is_about_trigger(sql, &list) {
        return Err(denied(
            "no rule makes or drops triggers, which act on what other rules store: have \
             whoever keeps the database do it"
                .to_owned(),
        ));
    }
    Ok(list)
}

/// The tokens of a statement that begins with one of `allowed` and is alone.
fn checked(sql: &str, allowed: &[&str]) -> Result<Vec<Token>, Fault> {
    let mut list: Vec<Token> = tokens(sql).collect();
    while list
        .last()
        .is_some_and(|token| token.kind == Kind::Semicolon)
    {
        list.pop();
    }
    let first = list.first().map_or("", |token| token.text(sql));
    if !allowed.iter().any(|verb| first.eq_ignore_ascii_case(verb)) {
        return Err(denied(format!(
            "this call runs {}, not `{first}`",
            allowed.join(", ").to_uppercase()
        )));
    }
    for (token, next) in list.iter().zip(list.iter().skip(1)) {
        if token.is_word(sql, "or") && next.is_word(sql, "rollback") {
            return Err(denied(
                "OR ROLLBACK would undo other rules' rows".to_owned(),
            ));
        }
    }
    let one = list.iter().all(|token| token.kind != Kind::Semicolon);
    if !one && !is_one_trigger(sql, &list) {
        return Err(invalid("one statement a call".to_owned()));
    }
    if let Some(named) = list.iter().find(|token| token.kind == Kind::NamedParameter) {
        return Err(invalid(format!(
            "parameters are written `?`, not `{}`",
            named.text(sql)
        )));
    }
    Ok(list)
}

/// Whether a statement makes or drops a trigger.
fn is_about_trigger(sql: &str, list: &[Token]) -> bool {
    let is = |place, name| is_word_at(sql, list, place, name);
    let is_temporary = is(1, "temp") || is(1, "temporary");
    (is(0, "create") || is(0, "drop")) && is(if is_temporary { 2 } else { 1 }, "trigger")
}

/// Whether a statement with semicolons makes a trigger, whose body has them, and
/// nothing else: END behind a semicolon is its end.
fn is_one_trigger(sql: &str, list: &[Token]) -> bool {
    let is = |place, name| is_word_at(sql, list, place, name);
    let mut ends = list
        .iter()
        .enumerate()
        .filter(|(place, token)| token.kind == Kind::Semicolon && is(place + 1, "end"));
    is(0, "create")
        && is_about_trigger(sql, list)
        && ends
            .next()
            .is_some_and(|(place, _)| place + 2 == list.len())
}

fn is_word_at(sql: &str, list: &[Token], place: usize, name: &str) -> bool {
    let token = list.get(place);
    token.is_some_and(|token| token.is_word(sql, name))
}

#[cfg(test)]
mod tests {
    use hookwire_driver::FaultKind;

    use super::{check_query, check_write};

    #[test]
    fn refuses_what_reaches_beyond_the_rule() {
        let check = |sql: &str, kind| {
            for allows_triggers in [false, true] {
                let fault = check_write(sql, allows_triggers).unwrap_err();
                assert_eq!(fault.kind, kind, "{sql}: {fault}");
                assert!(!fault.retryable);
            }
        };
        check("COMMIT", FaultKind::Denied);
        check("/* x */ rollback", FaultKind::Denied);
        check("PRAGMA synchronous = OFF", FaultKind::Denied);
        check("ATTACH 'other.db' AS o", FaultKind::Denied);
        check("SELECT 1", FaultKind::Denied);
        check("", FaultKind::Denied);
        check("INSERT OR ROLLBACK INTO t VALUES (?)", FaultKind::Denied);
        check("INSERT INTO t VALUES (1); COMMIT", FaultKind::Invalid);
        check("CREATE TABLE t (a); ATTACH 'b.db' AS b", FaultKind::Invalid);
        check("CREATE TABLE trigger (a); COMMIT; END", FaultKind::Invalid);
        check("CREATE TEMP TABLE trigger (a); END", FaultKind::Invalid);
        let trigger = "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM u; END";
        check(&format!("{trigger}; COMMIT"), FaultKind::Invalid);
        check(&format!("{trigger}; COMMIT; {trigger}"), FaultKind::Invalid);
        check("INSERT INTO t VALUES ($0)", FaultKind::Invalid);
        check("INSERT INTO t VALUES (?1)", FaultKind::Invalid);
    }

    #[test]
    fn triggers_are_for_whoever_keeps_the_database() {
        let statements = [
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM u; END",
            "create /* x */ temp trigger if not exists r after insert on t begin select 1; end;",
            "CREATE TEMPORARY TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
            "DROP TRIGGER r",
        ];
        for sql in statements {
            let fault = check_write(sql, false).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Denied, "{sql}: {fault}");
            assert!(fault.message.contains("triggers"), "{fault}");
            check_write(sql, true).unwrap();
        }
        check_write("CREATE TABLE trigger (a)", false).unwrap();
        check_write("INSERT INTO trigger VALUES (?)", false).unwrap();
    }

    #[test]
    fn queries_only_ask() {
        assert_eq!(
            check_query("SELECT * FROM t WHERE a = ? AND b = ?").unwrap(),
            2
        );
        assert_eq!(check_query("values (?);").unwrap(), 1);
        assert!(check_query("DELETE FROM t").is_err());
        assert!(check_query("SELECT 1; DELETE FROM t").is_err());
        assert!(check_query("EXPLAIN SELECT 1").is_err());
    }
}
