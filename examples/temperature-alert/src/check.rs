//! Decides about a reading: whether it goes on, and whether somebody has to know.

use hookwire_sdk::broker::{self, Publish};
use hookwire_sdk::kv;
use hookwire_sdk::metrics::Counter;
use hookwire_sdk::prelude::*;

use crate::reading::{Reading, device};

static UNREADABLE: Counter = Counter::new("unreadable");
static DROPPED: Counter = Counter::new("dropped");
static ALERTS: Counter = Counter::new("alerts");

/// What a rule may set.
#[derive(Options)]
pub(crate) struct Limits {
    /// Lowest reading that a sensor can mean, in degrees Celsius.
    #[option(default = -40.0)]
    lowest: f64,
    /// Highest reading that a sensor can mean.
    #[option(default = 125.0)]
    highest: f64,
    /// Above this, an alert is raised.
    #[option(default = 70.0)]
    alert_above: f64,
    /// So far below `alert_above` a device has to cool down before the alert
    /// ends: readings around the limit raise one alert and not a hundred.
    #[option(default = 5.0)]
    hysteresis: f64,
}

/// Drops readings that cannot be true, and raises an alert when a device gets
/// too hot.
#[action(hook = "message.publish", interest("payload"), options = Limits)]
pub(crate) fn check_reading(
    _: &Context,
    limits: &Limits,
    message: &Message,
) -> Result<Verdict, Fault> {
    let device = device(&message.topic);
    let Ok(Reading { celsius }) = Reading::of(message) else {
        UNREADABLE.increment();
        return Ok(Verdict::deny(
            reason_code::PAYLOAD_FORMAT_INVALID,
            r#"a reading is {"celsius": NUMBER}"#,
        ));
    };
    if celsius < limits.lowest || celsius > limits.highest {
        log_warn!("{device} reads {celsius} degrees: dropped");
        DROPPED.increment();
        return Ok(Verdict::Drop);
    }
    let alert = format!("alert/{device}");
    if celsius > limits.alert_above {
        // One step, even where two clients speak for one device at once: only
        // the first of them makes 1 of it.
        if kv::increment(&alert, 1, None)? == 1 {
            raise(device, "hot", celsius)?;
        }
    } else if celsius < limits.alert_above - limits.hysteresis && kv::delete(&alert) {
        raise(device, "normal", celsius)?;
    }
    Ok(Verdict::Proceed)
}

fn raise(device: &str, state: &str, celsius: f64) -> Result<(), Fault> {
    ALERTS.increment();
    let payload = format!(r#"{{"state":"{state}","celsius":{celsius}}}"#);
    // Retained: who subscribes later is told what holds now.
    let alert = Publish::new(format!("alerts/{device}"), payload);
    broker::publish(&alert.qos(1).retain())
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, BrokerCall, Rule};

    use super::*;

    fn reading(device: &str, celsius: &str) -> Message {
        let payload = format!(r#"{{"celsius": {celsius}}}"#);
        testing::message(&format!("sensors/{device}/temperature"), payload)
    }

    /// Topic and payload of the alerts raised since the last look.
    fn alerts() -> Vec<(String, String)> {
        let calls = testing::take_broker_calls().into_iter();
        calls
            .map(|call| match call {
                BrokerCall::Publish(alert) if alert.qos == 1 && alert.retain => {
                    (alert.topic, String::from_utf8(alert.payload).unwrap())
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn alert(device: &str, payload: &str) -> Vec<(String, String)> {
        vec![(format!("alerts/{device}"), payload.to_owned())]
    }

    #[test]
    fn a_reading_out_of_range_is_dropped() {
        let rule = Rule::new(&check_reading::ACTION).option("highest", 100);
        let check = |celsius, expected: Verdict| {
            assert_eq!(rule.run(reading("a", celsius)), expected, "{celsius}");
        };
        check("-40", Verdict::Proceed);
        check("-40.1", Verdict::Drop);
        check("100", Verdict::Proceed);
        check("101", Verdict::Drop);
        assert_eq!(testing::counter("dropped"), 2);
        assert_eq!(alerts().len(), 1, "of the 100 degrees alone");
    }

    #[test]
    fn what_is_no_reading_is_denied() {
        let rule = Rule::new(&check_reading::ACTION);
        let verdict = rule.run(testing::message("sensors/a/temperature", "hot"));
        assert!(matches!(verdict, Verdict::Deny(denial) if denial.reason_code == 0x99));
    }

    #[test]
    fn an_alert_is_raised_once_and_ends_when_it_is_cool() {
        let rule = Rule::new(&check_reading::ACTION);
        let send = |celsius| {
            assert_eq!(rule.run(reading("a", celsius)), Verdict::Proceed);
            alerts()
        };
        assert_eq!(send("70"), []);
        assert_eq!(
            send("70.5"),
            alert("a", r#"{"state":"hot","celsius":70.5}"#)
        );
        assert_eq!(send("90"), []);
        assert_eq!(send("66"), [], "within the hysteresis");
        assert_eq!(send("71"), []);
        assert_eq!(
            send("64.9"),
            alert("a", r#"{"state":"normal","celsius":64.9}"#)
        );
        assert_eq!(send("20"), []);
        assert_eq!(send("71"), alert("a", r#"{"state":"hot","celsius":71}"#));
    }

    #[test]
    fn each_device_has_an_alert_of_its_own() {
        let rule = Rule::new(&check_reading::ACTION).option("alert_above", 30);
        rule.run(reading("a", "31"));
        alerts();
        rule.run(reading("b", "32"));
        assert_eq!(alerts(), alert("b", r#"{"state":"hot","celsius":32}"#));
    }
}
