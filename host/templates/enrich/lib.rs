//! Adds to each message what only the broker knows.

use std::time::Duration;

use hookwire_sdk::kv;
use hookwire_sdk::prelude::*;

/// What a rule may set. The comments are the help that the broker shows.
#[derive(Options)]
struct Counting {
    /// How long a publisher's messages are counted from its first one on.
    #[option(default = "24h")]
    window: Duration,
}

/// Adds the user properties `received-ms` and `number`.
#[action(hook = "message.publish", options = Counting)]
fn stamp(_: &Context, counting: &Counting, message: &Message) -> Result<Replacement, Fault> {
    let key = format!("count/{}", message.sender);
    let number = kv::increment(&key, 1, Some(counting.window))?;
    let mut properties = message.user_properties.clone();
    properties.push(("received-ms".to_owned(), message.at_ms.to_string()));
    properties.push(("number".to_owned(), number.to_string()));
    Ok(Replacement::new().user_properties(properties))
}

hookwire_sdk::module! { name: "{{name}}", actions: [stamp] }

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule};

    use super::*;

    #[test]
    fn messages_of_a_publisher_are_counted() {
        let rule = Rule::new(&stamp::ACTION);
        let number = |rule: &Rule| match rule.run(testing::message("sensors/1", "21.5")) {
            Verdict::Replace(change) => change.user_properties.and_then(|mut all| all.pop()),
            other => panic!("{other:?}"),
        };
        assert_eq!(number(&rule).map(|(_, value)| value).as_deref(), Some("1"));
        assert_eq!(number(&rule).map(|(_, value)| value).as_deref(), Some("2"));
        testing::advance_clock(Duration::from_secs(24 * 3600));
        assert_eq!(number(&rule).map(|(_, value)| value).as_deref(), Some("1"));
    }
}
