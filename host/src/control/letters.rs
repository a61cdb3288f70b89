//! Dead letters, as commands see them.

use hookwire_admin::{LetterEntry, Purged, Refusal, Replayed};
use hookwire_driver::Fault;

use super::Control;

/// Dead letters in one answer, or one replay.
const MAX_LETTERS: usize = 10_000;

impl Control {
    pub(super) async fn dead_letters(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<LetterEntry>, Refusal> {
        let letters = self.house.dead_letters(after, limit.min(MAX_LETTERS)).await;
        let entries = letters.map_err(|fault| refused(&fault))?.into_iter();
        let entry = |letter: hookwire_rules::DeadLetter| {
            let (event, unreadable) = match letter.event {
                Ok(event) => (Some(event), None),
                Err(why) => (None, Some(why)),
            };
            let (hook, message) = event.map(|event| (event.hook, event.message)).unzip();
            LetterEntry {
                id: letter.id,
                rule: letter.rule,
                module: letter.module,
                generation: letter.generation,
                clientid: letter.clientid,
                hook: hook.unwrap_or_default(),
                topic: message.flatten().map(|message| message.topic),
                unreadable,
                code: letter.code,
                message: letter.message,
                written_ms: letter.written_ms,
            }
        };
        Ok(entries.map(entry).collect())
    }

    pub(super) async fn replay(&self, ids: Option<Vec<i64>>) -> Result<Replayed, Refusal> {
        let ids = match ids {
            Some(ids) => ids,
            None => {
                let all = self.house.dead_letters(i64::MIN, MAX_LETTERS).await;
                let all = all.map_err(|fault| refused(&fault))?;
                all.into_iter().map(|letter| letter.id).collect()
            }
        };
        let mut replayed = Replayed::default();
        for id in ids {
            match self.house.replay(id, &self.rules).await {
                Ok(()) => replayed.done.push(id),
                Err(fault) => {
                    let why = format!("{} ({})", fault.message, fault.code);
                    replayed.failed.push((id, why));
                }
            }
        }
        Ok(replayed)
    }

    pub(super) async fn purge(&self, ids: Option<Vec<i64>>) -> Result<Purged, Refusal> {
        let mut unknown = Vec::new();
        for id in ids.iter().flatten() {
            let next = self.house.dead_letters(id.saturating_sub(1), 1).await;
            let next = next.map_err(|fault| refused(&fault))?;
            if next.first().is_none_or(|letter| letter.id != *id) {
                unknown.push(*id);
            }
        }
        let deleted = self.house.purge(ids.as_deref()).await;
        deleted
            .map(|deleted| Purged { deleted, unknown })
            .map_err(|fault| refused(&fault))
    }
}

pub(super) fn refused(fault: &Fault) -> Refusal {
    Refusal::new(format!("{} ({})", fault.message, fault.code))
}
