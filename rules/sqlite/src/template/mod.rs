//! Statements that a rule writes itself: `insert into conn(clientid)
//! values(${clientid})`.

mod parameter;
mod statement;

use hookwire_sdk::prelude::*;
use hookwire_sdk::serde_json::Value as Json;

use parameter::Parameter;
use statement::Statement;

/// What a rule of `sql` sets.
#[derive(Options)]
pub(crate) struct Template {
    /// One statement, or several that run in this order. `${name}` stands for what
    /// the hook offers, and is bound as a value.
    sql: Statements,
}

/// The statements of a rule; at least one.
#[derive(Debug)]
struct Statements(Vec<Statement>);

impl OptionValue for Statements {
    const KIND: &'static str = "strings";

    fn read(value: &Json) -> Result<Self, String> {
        let texts = match value {
            Json::String(text) => vec![text.clone()],
            list => Vec::<String>::read(list).map_err(|_| "text, or a list of texts".to_owned())?,
        };
        if texts.is_empty() {
            return Err("at least one statement".to_owned());
        }
        Ok(Self(texts.iter().map(|text| Statement::of(text)).collect()))
    }
}

/// Runs the rule's own statements on each event.
#[action(
    hook = "client.connected",
    hook = "session.created",
    hook = "client.disconnected",
    hook = "session.subscribed",
    hook = "session.unsubscribed",
    hook = "message.publish",
    hook = "message.acked",
    hook = "message.deliver",
    interest("payload"),
    pool = "sql",
    stores,
    options = Template,
    check = check
)]
pub(crate) fn sql(
    ctx: &Context,
    template: &Template,
    events: &[&Event],
) -> Result<Verdicts, Fault> {
    let pool = ctx.sql()?;
    let statements = &template.sql.0;
    let mut verdicts = Verdicts::proceed();
    let mut first = 0;
    while first < events.len() {
        // One statement sees all events in order. Several do for as long as each
        // event is another client's: what a client does first is through all
        // statements before what it does next begins.
        let rest = &events[first..];
        let run = if statements.len() == 1 {
            rest.len()
        } else {
            leading_clients(rest)
        };
        let mut left: Vec<usize> = (first..first + run).collect();
        for statement in statements {
            if left.is_empty() {
                break;
            }
            let rows: Vec<Vec<Value<'_>>> = left
                .iter()
                .map(|place| statement.row(events[*place]))
                .collect();
            match pool.exec_rows(statement.text(), &rows) {
                Ok(result) => {
                    let failed: Vec<(usize, Fault)> = result
                        .failed
                        .into_iter()
                        .filter_map(|row| Some((*left.get(row.row as usize)?, row.fault)))
                        .collect();
                    for (place, fault) in failed {
                        verdicts.set(place, Verdict::Failed(fault));
                        left.retain(|kept| *kept != place);
                    }
                }
                Err(fault) => {
                    // What would follow must not be stored before this is.
                    let behind = first + run..events.len();
                    for place in left.drain(..).chain(behind) {
                        verdicts.set(place, Verdict::Failed(fault.clone()));
                    }
                    return Ok(verdicts);
                }
            }
        }
        first += run;
    }
    Ok(verdicts)
}

/// How many events are of different clients, from the first on.
fn leading_clients(events: &[&Event]) -> usize {
    let mut seen: Vec<Value<'_>> = Vec::new();
    for event in events {
        let client = Parameter::ClientId.value(event);
        if seen.contains(&client) {
            break;
        }
        seen.push(client);
    }
    seen.len().max(1)
}

fn check(ctx: &Context, template: &Template, findings: &mut Findings) {
    let offered = parameter::offered(ctx.hook());
    let statements = &template.sql.0;
    for (number, statement) in (1..).zip(statements) {
        for problem in statement.problems(ctx.hook(), &offered) {
            findings.refuse(match statements.len() {
                1 => format!("sql: {problem}"),
                _ => format!("sql: statement {number}: {problem}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool, Stored};

    use super::*;

    fn rule(hook: &str, statements: &[&str]) -> Rule {
        Rule::new(&sql::ACTION)
            .hook(hook)
            .pool("main")
            .option("sql", statements.to_vec())
    }

    fn calls(stored: &[Stored]) -> Vec<(&str, usize)> {
        let calls = stored.iter();
        calls
            .map(|call| (&*call.statement, call.rows.len()))
            .collect()
    }

    #[test]
    fn values_are_bound_on_every_hook() {
        let check = |hook: &str, event: Event, names: &str, expected: &[Value<'_>]| {
            let pool = SqlPool::named("main");
            let places: Vec<String> = names
                .split(' ')
                .map(|name| format!("${{{name}}}"))
                .collect();
            let statement = format!("insert into t values({})", places.join(", "));
            let rule = Rule::new(&sql::ACTION)
                .hook(hook)
                .pool("main")
                .option("sql", statement);
            assert_eq!(rule.run(event), Verdict::Proceed, "{hook}");
            let stored = pool.stored().remove(0);
            let marks = vec!["?"; expected.len()].join(", ");
            assert_eq!(stored.statement, format!("insert into t values({marks})"));
            let expected: Vec<OwnedValue> = expected.iter().map(Value::to_owned_value).collect();
            assert_eq!(stored.rows, [expected], "{hook}");
        };
        let id = "2PguFrHsrzEvIIBdctmb";
        let client = || Event::from(testing::client("c'1"));
        let subscription = || Event::from(testing::subscription("c'1", "a/#"));
        let message = || Event::from(testing::message("a/b", [0, 159]));
        let delivery = || Event::from(testing::delivery("c'1", testing::message("a/b", "x")));
        for hook in ["client.connected", "session.created", "client.disconnected"] {
            check(hook, client(), "clientid", &["c'1".into()]);
        }
        check(
            "session.subscribed",
            subscription(),
            "qos topic clientid topic",
            &[1.into(), "a/#".into(), "c'1".into(), "a/#".into()],
        );
        check(
            "session.unsubscribed",
            subscription(),
            "clientid topic",
            &["c'1".into(), "a/#".into()],
        );
        check(
            "message.publish",
            message(),
            "msgid topic payload qos clientid",
            &[
                id.into(),
                "a/b".into(),
                Value::Blob(&[0, 159]),
                1.into(),
                "publisher".into(),
            ],
        );
        for hook in ["message.acked", "message.deliver"] {
            check(
                hook,
                delivery(),
                "msgid topic clientid",
                &[id.into(), "a/b".into(), "c'1".into()],
            );
        }
    }

    #[test]
    fn several_statements_run_in_order_one_call_each() {
        let pool = SqlPool::named("main");
        let rule = rule(
            "client.connected",
            &[
                "delete from t where c = ${clientid}",
                "insert into u values(1)",
            ],
        );
        rule.run_batch(["c1", "c2", "c3"].map(testing::client));
        let stored = pool.stored();
        assert_eq!(
            calls(&stored),
            [
                ("delete from t where c = ?", 3),
                ("insert into u values(1)", 3)
            ]
        );
        assert!(stored[1].rows.iter().all(Vec::is_empty));
    }

    #[test]
    fn what_a_client_does_next_waits_for_all_statements() {
        let pool = SqlPool::named("main");
        let both = [
            "delete from t where c = ${clientid}",
            "insert into t values(${clientid})",
        ];
        let batch = || ["c1", "c2", "c1", "c1", "c3"].map(testing::client);
        rule("client.connected", &both).run_batch(batch());
        let (delete, insert) = ("delete from t where c = ?", "insert into t values(?)");
        assert_eq!(
            calls(&pool.stored()),
            [
                (delete, 2),
                (insert, 2),
                (delete, 1),
                (insert, 1),
                (delete, 2),
                (insert, 2)
            ]
        );
        let pool = SqlPool::named("main");
        rule("client.connected", &both[..1]).run_batch(batch());
        assert_eq!(calls(&pool.stored()), [(delete, 5)]);
    }

    #[test]
    fn a_row_that_is_refused_ends_its_event_alone() {
        let pool = SqlPool::named("main");
        let refusal = Fault::new(FaultKind::Refused, "sqlite:19", "no");
        let answer = refusal.clone();
        pool.refuse_rows(move |row| (row[0].as_text() == Some("c2")).then(|| answer.clone()));
        let rule = rule("client.connected", &["a ${clientid}", "b ${clientid}"]);
        let verdicts = rule.run_batch(["c1", "c2", "c3"].map(testing::client));
        assert_eq!(
            verdicts,
            [Verdict::Proceed, Verdict::Failed(refusal), Verdict::Proceed]
        );
        assert_eq!(calls(&pool.stored()), [("a ?", 3), ("b ?", 2)]);
    }

    #[test]
    fn nothing_is_stored_behind_a_call_that_failed() {
        let pool = SqlPool::named("main");
        let fault = Fault::new(FaultKind::Unavailable, "sqlite:13", "full").retryable();
        pool.fail_next(fault.clone());
        let rule = rule("client.connected", &["a ${clientid}", "b ${clientid}"]);
        let verdicts = rule.run_batch(["c1", "c1"].map(testing::client));
        assert_eq!(verdicts, vec![Verdict::Failed(fault); 2]);
        assert_eq!(calls(&pool.stored()), [("a ?", 1)]);
    }

    #[test]
    fn mistakes_are_told_when_the_rule_is_configured() {
        let check = |hook: &str, statements: &[&str], expected: &[&str]| {
            assert_eq!(
                rule(hook, statements).refusals(),
                expected,
                "{statements:?}"
            );
        };
        check(
            "client.connected",
            &["insert into t values(${clientid})"],
            &[],
        );
        check(
            "client.connected",
            &["insert into t values(${clientd})"],
            &[
                "sql: client.connected offers no ${clientd}: write one of clientid (did you mean \
               \"clientid\"?)",
            ],
        );
        check(
            "message.acked",
            &["select 1", "insert into t values(${qos})"],
            &[
                "sql: statement 2: message.acked offers no ${qos}: write one of msgid, topic, clientid",
            ],
        );
        check(
            "message.publish",
            &["insert into t values(${message})"],
            &[
                "sql: message.publish offers no ${message}: write one of msgid, topic, payload, \
               qos, clientid",
            ],
        );
        check(
            "client.connected",
            &[],
            &["the option `sql` takes at least one statement, and is []"],
        );
        let rule = Rule::new(&sql::ACTION)
            .hook("client.connected")
            .pool("main");
        assert_eq!(
            rule.refusals(),
            ["the option `sql` must be set: text, or a list of texts"]
        );
        assert_eq!(
            rule.option("sql", 7).refusals(),
            ["the option `sql` takes text, or a list of texts, and is 7"]
        );
    }
}
