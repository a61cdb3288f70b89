//! Recordings of what a running broker sees.

use std::sync::Arc;

use hookwire_admin::{Recording, Refusal, Tap};
use hookwire_broker::Hook;
use hookwire_mqtt::TopicFilter;
use hookwire_rules::TapFilter;
use hookwire_settings::{hint, hook_has_topic};
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
        let filter = tap.topic.as_deref().map(|topic| filter(hook, topic));
        let filter = filter.transpose()?;
        if tap.count == 0 || tap.count > MAX_EVENTS {
            return Err(Refusal::new(format!(
                "a recording has 1 to {MAX_EVENTS} events, not {}",
                tap.count
            )));
        }
        let (sender, lines) = mpsc::channel(MAX_WAITING);
        let missed = Arc::default();
        for worker in &self.rules {
            let filter = TapFilter {
                hook,
                filter: filter.clone(),
                payloads: tap.payloads,
            };
            worker
                .tap(filter, sender.clone(), Arc::clone(&missed))
                .await;
        }
        Ok(Recording { lines, missed })
    }
}

fn filter(hook: Hook, topic: &str) -> Result<TopicFilter, Refusal> {
    if !hook_has_topic(hook.name()) {
        return Err(Refusal::new(format!(
            "events of {} have no topic: leave out --topic",
            hook.name()
        )));
    }
    TopicFilter::new(topic)
        .map_err(|error| Refusal::new(format!("the topic filter \"{topic}\" {error}")))
}
