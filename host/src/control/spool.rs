//! What is spooled, as commands see it.

use hookwire_admin::{Purged, Refusal, SpoolEntry};
use hookwire_settings::hint;

use super::Control;
use super::letters::refused;

impl Control {
    pub(super) async fn spool(&self) -> Result<Vec<SpoolEntry>, Refusal> {
        let spooled = self.house.spooled().await;
        let spooled = spooled.map_err(|fault| refused(&fault))?.into_iter();
        let running = self.running();
        let rules = running.plan.stats();
        let entry = |spooled: hookwire_rules::Spooled| SpoolEntry {
            has_rule: rules.iter().any(|rule| rule.rule == spooled.rule),
            rule: spooled.rule,
            events: spooled.events,
            clients: spooled.clients,
            bytes: spooled.bytes,
            oldest_ms: spooled.oldest_ms,
        };
        Ok(spooled.map(entry).collect())
    }

    pub(super) async fn purge_spool(&self, rule: &str) -> Result<Purged, Refusal> {
        let deleted = self.house.purge_spool(rule).await;
        let deleted = deleted.map_err(|fault| refused(&fault))?;
        if deleted > 0 {
            return Ok(Purged {
                deleted,
                unknown: Vec::new(),
            });
        }
        let spooled = self.house.spooled().await;
        let spooled = spooled.map_err(|fault| refused(&fault))?;
        let message = format!("nothing is spooled for a rule {rule:?}");
        Err(Refusal::new(if spooled.is_empty() {
            message
        } else {
            let hint = hint(rule, spooled.iter().map(|spooled| spooled.rule.as_str()));
            format!("{message}; {hint}")
        }))
    }
}
