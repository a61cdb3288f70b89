//! The spool's way back: what was written down is run in order, client by
//! client, until it is through.

use std::sync::Arc;
use std::time::Duration;

use hookwire_driver::{Fault, Value};

use crate::house::House;
use crate::house::letters::run_again;
use crate::house::record::EventRecord;
use crate::house::write::letter;
use crate::worker::inbox::RulesHandle;

/// Pause between two attempts to empty the spool.
const PAUSE: Duration = Duration::from_secs(1);
const FIRST: &str = "SELECT id, event FROM spool WHERE rule = ? AND clientid = ? \
    ORDER BY id LIMIT 8";
const DONE: &str = "DELETE FROM spool WHERE id = ?";

impl House {
    /// Empties the spool for as long as it is polled.
    pub async fn replay_spool(self: Arc<Self>, workers: Vec<RulesHandle>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            for (rule, clientid) in self.waiting() {
                if let Err(fault) = self.replay_client(&workers, &rule, &clientid).await {
                    tracing::debug!(
                        rule = &*rule,
                        clientid,
                        code = fault.code,
                        "what is spooled waits: {}",
                        fault.message,
                    );
                }
            }
        }
    }

    /// Runs a client's events in order, up to the first that has to wait.
    async fn replay_client(
        &self,
        workers: &[RulesHandle],
        rule: &str,
        clientid: &str,
    ) -> Result<(), Fault> {
        loop {
            let parameters = [rule, clientid].map(|text| Value::Text(text.to_owned()));
            let rows = self.query(FIRST, parameters.into(), 8).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                let [Value::Integer(id), Value::Text(event)] = &row[..] else {
                    return Ok(());
                };
                let fared = match serde_json::from_str::<EventRecord>(event) {
                    Ok(record) => run_again(workers, rule, clientid, record).await,
                    Err(error) => Err(crate::host::fault(
                        hookwire_driver::FaultKind::Invalid,
                        "record",
                        error.to_string(),
                    )),
                };
                match fared {
                    Ok(()) => {}
                    Err(fault) if fault.retryable => return Err(fault),
                    Err(fault) => {
                        let row = letter(rule, ("", 0), clientid.to_owned(), event.clone(), &fault);
                        if let Some((_, fault)) = self.bury(vec![row]).await.into_iter().next() {
                            return Err(fault);
                        }
                    }
                }
                self.exec(DONE, vec![vec![Value::Integer(*id)]]).await?;
                self.unmark(rule, clientid, event.len() as u64);
            }
        }
    }
}
