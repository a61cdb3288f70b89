//! `hookwire ctl spool`

use clap::Subcommand;
use hookwire_admin::{Purged, Request, SpoolEntry};

use super::{Asker, table};
use crate::cli::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum SpoolVerb {
    /// Lists the rules for which events are spooled.
    List,
    /// Deletes what is spooled for a rule; it is not stored any more.
    Purge {
        /// Its name
        rule: String,
    },
}

pub(super) async fn spool(asker: &Asker, verb: &SpoolVerb) -> Result<(), Failure> {
    match verb {
        SpoolVerb::List => asker.show(&Request::Spool, listed).await,
        SpoolVerb::Purge { rule } => {
            let request = Request::PurgeSpool { rule: rule.clone() };
            let show = |purged: &Purged| vec![format!("{} deleted", purged.deleted)];
            asker.show(&request, show).await
        }
    }
}

#[allow(clippy::ptr_arg, reason = "the answer is a list that was read")]
fn listed(entries: &Vec<SpoolEntry>) -> Vec<String> {
    let row = |entry: &SpoolEntry| {
        let state = if entry.has_rule {
            "waits for its store"
        } else {
            "waits for its rule, which is not there"
        };
        [
            entry.rule.clone(),
            entry.events.to_string(),
            entry.clients.to_string(),
            entry.bytes.to_string(),
            state.to_owned(),
        ]
    };
    let titles = ["RULE", "EVENTS", "CLIENTS", "BYTES", "STATE"];
    let rows: Vec<_> = entries.iter().map(row).collect();
    table(titles, &rows)
}
