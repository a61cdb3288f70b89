//! Stores readings as rows of a table.

use hookwire_sdk::prelude::*;

const STORE: &str = "INSERT INTO readings (topic, device, value, at_ms) VALUES (?, ?, ?, ?)";

/// Stores messages whose payload is a number; others are refused.
///
/// It takes all messages that wait at once, because one call of the store for
/// many rows costs about what a call for one row costs.
#[action(hook = "message.publish", interest("payload"), pool = "sql", stores)]
fn store(ctx: &Context, messages: &[&Message]) -> Result<Vec<Verdict>, Fault> {
    let values: Vec<Option<f64>> = messages.iter().map(|message| number(message)).collect();
    let readings = messages
        .iter()
        .zip(&values)
        .filter_map(|(message, value)| Some((message, (*value)?)));
    let rows = readings.map(|(message, value)| {
        [
            (&message.topic).into(),
            (&message.sender).into(),
            value.into(),
            i64::try_from(message.at_ms).unwrap_or(i64::MAX).into(),
        ]
    });
    let stored = ctx.sql()?.exec_many(STORE, rows)?;
    let mut failed = stored.failed.into_iter().peekable();
    let mut row = 0;
    let verdicts = values.iter().map(|value| {
        if value.is_none() {
            let reason = "the payload is no number";
            return Verdict::deny(reason_code::PAYLOAD_FORMAT_INVALID, reason);
        }
        let refused = failed.next_if(|failed| failed.row == row);
        row += 1;
        refused.map_or(Verdict::Proceed, |refused| Verdict::Failed(refused.fault))
    });
    Ok(verdicts.collect())
}

fn number(message: &Message) -> Option<f64> {
    message.text().ok()?.trim().parse().ok()
}

hookwire_sdk::module! { name: "{{name}}", actions: [store] }

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    #[test]
    fn readings_become_rows() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&store::ACTION).pool("main");
        let batch = ["21.5", "warm", "22"].map(|payload| testing::message("sensors/1", payload));
        let verdicts = rule.run_batch(batch);
        assert_eq!(verdicts[0], Verdict::Proceed);
        assert!(matches!(verdicts[1], Verdict::Deny(_)));
        assert_eq!(verdicts[2], Verdict::Proceed);
        let stored = pool.stored();
        assert_eq!(stored.len(), 1, "one call for the batch");
        assert_eq!(stored[0].rows.len(), 2);
    }

    #[test]
    fn a_row_that_is_refused_fails_its_message() {
        let pool = SqlPool::named("main");
        pool.refuse_rows(|row| {
            (row[0].as_text() == Some("sensors/2"))
                .then(|| Fault::new(FaultKind::Refused, "sqlite:19", "no such sensor"))
        });
        let rule = Rule::new(&store::ACTION).pool("main");
        let batch = [
            testing::message("sensors/1", "warm"),
            testing::message("sensors/1", "21.5"),
            testing::message("sensors/2", "22"),
        ];
        let verdicts = rule.run_batch(batch);
        assert!(matches!(verdicts[0], Verdict::Deny(_)));
        assert_eq!(verdicts[1], Verdict::Proceed);
        assert!(matches!(verdicts[2], Verdict::Failed(_)));
    }
}
