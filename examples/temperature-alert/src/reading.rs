//! A reading, as devices send it.

use hookwire_sdk::prelude::*;
use serde::Deserialize;

/// `{"celsius": 21.5}`, published to `sensors/DEVICE/temperature`. Fields that
/// are not named here are left alone.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Reading {
    pub(crate) celsius: f64,
}

impl Reading {
    pub(crate) fn of(message: &Message) -> Result<Self, Fault> {
        message.json()
    }
}

/// The device that a topic speaks of: its second level. The rule's topic filter
/// sees to it that there is one.
pub(crate) fn device(topic: &str) -> &str {
    topic.split('/').nth(1).unwrap_or(topic)
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing;

    use super::*;

    #[test]
    fn a_reading_is_read_from_json() {
        let check = |payload: &str, expected: Option<f64>| {
            let reading = Reading::of(&testing::message("t", payload));
            assert_eq!(
                reading.ok().map(|reading| reading.celsius),
                expected,
                "{payload}"
            );
        };
        check(r#"{"celsius": 21.5}"#, Some(21.5));
        check(r#"{"celsius": -3, "battery": 0.8}"#, Some(-3.0));
        check(r#"{"celsius": "hot"}"#, None);
        check(r#"{"fahrenheit": 70}"#, None);
        check("21.5", None);
        check("", None);
    }

    #[test]
    fn the_device_is_the_second_level() {
        assert_eq!(device("sensors/boiler-1/temperature"), "boiler-1");
        assert_eq!(device("boiler-1"), "boiler-1");
    }
}
