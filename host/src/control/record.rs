//! Recordings of what a running broker sees.

use hookwire_admin::{Recording, Refusal, Tap};
use hookwire_broker::Hook;
use hookwire_mqtt::TopicFilter;
use hookwire_rules::TapFilter;
use hookwire_settings::hint;
use tokio::sync::mpsc;

use super::Control;

/// Events that may wait for whoever records; what comes beyond is left out.
const MAX_WAITING: usize = 1024;
/// Events of one recording at most.
const MAX_EVENTS: usize = 1_000_000;

impl Control {
    pub(super) async fn tap(&self, tap: Tap) -> Result<Recording, Refusal> {
        let Some(hook) = Hook::by_name(&tap.hook) else {
            let hint = hint(&tap.hook, Hook::ALL.map(Hook::name));
            let what = format!("no hook is called \"{}\"; {hint}", tap.hook);
            return Err(Refusal::new(what));
        };
        let filter = TopicFilter::new(&tap.topic)
            .map_err(|error| Refusal::new(format!("the topic filter \"{}\" {error}", tap.topic)))?;
        if tap.count == 0 || tap.count > MAX_EVENTS {
            return Err(Refusal::new(format!(
                "a recording has 1 to {MAX_EVENTS} events, not {}",
                tap.count
            )));
        }
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        for worker in &self.rules {
            let filter = TapFilter {
                hook,
                filter: filter.clone(),
                payloads: tap.payloads,
            };
            worker.tap(filter, sender.clone()).await;
        }
        Ok(receiver)
    }
}
