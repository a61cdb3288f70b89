//! Keeps the last value of each device.

use std::cell::Cell;

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::BatchResult;

use crate::reading::{Reading, device};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS last_value \
    (device TEXT PRIMARY KEY, celsius REAL NOT NULL, at_ms INTEGER NOT NULL)";

const UPSERT: &str = "INSERT INTO last_value (device, celsius, at_ms) VALUES (?, ?, ?) \
    ON CONFLICT (device) DO UPDATE SET celsius = excluded.celsius, at_ms = excluded.at_ms \
    WHERE excluded.at_ms >= last_value.at_ms";

thread_local! {
    /// Whether this instance has made sure of its table.
    static HAS_TABLE: Cell<bool> = const { Cell::new(false) };
}

/// Stores the last reading of each device: one call for all that wait.
#[action(hook = "message.publish", interest("payload"), pool = "sql", stores)]
pub(crate) fn keep_last_value(ctx: &Context, messages: &[&Message]) -> Result<BatchResult, Fault> {
    let pool = ctx.sql()?;
    if !HAS_TABLE.get() {
        pool.exec(TABLE, &[])?;
        HAS_TABLE.set(true);
    }
    let rows = messages.iter().map(|message| {
        // What is no reading has no value, which the table refuses: that fails
        // its message and none beside it.
        let celsius = Reading::of(message).map_or(Value::Null, |reading| reading.celsius.into());
        [
            device(&message.topic).into(),
            celsius,
            Value::unsigned(message.at_ms),
        ]
    });
    pool.exec_many(UPSERT, rows)
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    fn reading(device: &str, payload: &str) -> Message {
        testing::message(&format!("sensors/{device}/temperature"), payload)
    }

    #[test]
    fn a_batch_is_one_call_after_the_table_is_there() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&keep_last_value::ACTION).pool("main");
        for _ in 0..2 {
            let verdicts = rule.run_batch([
                reading("a", r#"{"celsius": 21.5}"#),
                reading("b", r#"{"celsius": -3}"#),
            ]);
            assert_eq!(verdicts, [Verdict::Proceed, Verdict::Proceed]);
        }
        let calls = pool.stored();
        let statements: Vec<&str> = calls.iter().map(|call| call.statement.as_str()).collect();
        assert_eq!(statements, [TABLE, UPSERT, UPSERT]);
        let row = |device: &'static str, celsius: f64| -> [Value<'static>; 3] {
            [device.into(), celsius.into(), 1_479_202_840_000_i64.into()]
        };
        assert_eq!(calls[1].rows, [row("a", 21.5), row("b", -3.0)]);
    }

    #[test]
    fn what_is_no_reading_fails_alone() {
        let pool = SqlPool::named("main");
        let refusal = Fault::new(FaultKind::Refused, "sqlite:1299", "NOT NULL");
        let answer = refusal.clone();
        pool.refuse_rows(move |row| {
            (row.get(1) == Some(&hookwire_sdk::sql::OwnedValue::Null)).then(|| answer.clone())
        });
        let rule = Rule::new(&keep_last_value::ACTION).pool("main");
        let verdicts = rule.run_batch([reading("a", "{}"), reading("b", r#"{"celsius": 1}"#)]);
        assert_eq!(verdicts, [Verdict::Failed(refusal), Verdict::Proceed]);
    }
}
