//! `hookwire ctl deadletters`

use clap::Subcommand;
use hookwire_admin::{LetterEntry, Purged, Replayed, Request};

use super::{Asker, table};
use crate::cli::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadlettersVerb {
    /// Lists dead letters, oldest first.
    List {
        /// Numbers above this one
        #[arg(long, value_name = "ID", default_value_t = 0)]
        after: i64,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
    },
    /// Runs the rules of dead letters again; those that go through are gone.
    Replay(Which),
    /// Deletes dead letters.
    Purge(Which),
}

/// Some, or all.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// These
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// All of them
    #[arg(long)]
    all: bool,
}

impl Which {
    fn ids(&self) -> Option<Vec<i64>> {
        (!self.all).then(|| self.ids.clone())
    }
}

pub(super) async fn deadletters(asker: &Asker, verb: &DeadlettersVerb) -> Result<(), Failure> {
    match verb {
        DeadlettersVerb::List { after, limit } => {
            let request = Request::DeadLetters {
                after: *after,
                limit: *limit,
            };
            asker.show(&request, listed).await
        }
        DeadlettersVerb::Replay(which) => {
            let request = Request::ReplayDeadLetters { ids: which.ids() };
            let show = |replayed: &Replayed| {
                let mut lines: Vec<String> = replayed
                    .failed
                    .iter()
                    .map(|(id, why)| format!("{id} failed again: {why}"))
                    .collect();
                lines.push(format!(
                    "{} went through, {} failed again",
                    replayed.done.len(),
                    replayed.failed.len()
                ));
                lines
            };
            asker.show(&request, show).await
        }
        DeadlettersVerb::Purge(which) => {
            let request = Request::PurgeDeadLetters { ids: which.ids() };
            let show = |purged: &Purged| {
                let unknown = purged.unknown.iter();
                let mut lines: Vec<String> = unknown
                    .map(|id| {
                        format!("there is no dead letter {id}: see `hookwire ctl deadletters list`")
                    })
                    .collect();
                lines.push(format!("{} deleted", purged.deleted));
                lines
            };
            asker.show(&request, show).await
        }
    }
}

#[allow(clippy::ptr_arg, reason = "the answer is a list that was read")]
fn listed(letters: &Vec<LetterEntry>) -> Vec<String> {
    let row = |letter: &LetterEntry| {
        let (hook, why) = match &letter.unreadable {
            None => (letter.hook.clone(), letter.message.clone()),
            Some(error) => {
                let why = format!("{} (the event cannot be read: {error})", letter.message);
                ("unreadable".to_owned(), why)
            }
        };
        [
            letter.id.to_string(),
            letter.rule.clone(),
            hook,
            letter.clientid.clone(),
            letter.topic.clone().unwrap_or_default(),
            letter.code.clone(),
            letter.generation.to_string(),
            why,
        ]
    };
    let titles = [
        "ID",
        "RULE",
        "HOOK",
        "CLIENT",
        "TOPIC",
        "CODE",
        "GENERATION",
        "WHY",
    ];
    let rows: Vec<_> = letters.iter().map(row).collect();
    table(titles, &rows)
}
