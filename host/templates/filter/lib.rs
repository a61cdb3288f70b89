//! Keeps readings out that make no sense.

use hookwire_sdk::prelude::*;
use hookwire_sdk::serde_json::Value as Json;

/// What a rule may set. The comments are the help that the broker shows.
#[derive(Options)]
struct Range {
    /// The field of the JSON payload that is looked at.
    #[option(default = "value")]
    field: String,
    /// The lowest value that passes.
    min: f64,
    /// The highest value that passes.
    max: f64,
}

/// Refuses messages without a number in the field, or with one out of range.
#[action(hook = "message.publish", interest("payload"), options = Range)]
fn in_range(_: &Context, range: &Range, message: &Message) -> Verdict {
    let Some(value) = number(message, &range.field) else {
        let reason = format!("there is no number in the field {}", range.field);
        return Verdict::deny(reason_code::PAYLOAD_FORMAT_INVALID, reason);
    };
    if value < range.min || value > range.max {
        let reason = format!("{value} is not in {} to {}", range.min, range.max);
        return Verdict::deny(reason_code::IMPLEMENTATION_SPECIFIC_ERROR, reason);
    }
    Verdict::Proceed
}

fn number(message: &Message, field: &str) -> Option<f64> {
    let payload: Json = message.json().ok()?;
    payload.get(field)?.as_f64()
}

hookwire_sdk::module! { name: "{{name}}", actions: [in_range] }

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule};

    use super::*;

    fn verdict(payload: &str) -> Verdict {
        let rule = Rule::new(&in_range::ACTION)
            .option("field", "celsius")
            .option("min", -40.0)
            .option("max", 85.0);
        rule.run(testing::message("sensors/1", payload))
    }

    #[test]
    fn readings_in_range_pass() {
        assert_eq!(verdict(r#"{"celsius": 21.5}"#), Verdict::Proceed);
        assert_eq!(verdict(r#"{"celsius": -40}"#), Verdict::Proceed);
    }

    #[test]
    fn others_are_refused() {
        for payload in [r#"{"celsius": 900}"#, r#"{"kelvin": 290}"#, "hot"] {
            assert!(matches!(verdict(payload), Verdict::Deny(_)), "{payload}");
        }
    }
}
