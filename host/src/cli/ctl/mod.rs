//! `hookwire ctl`: asks a running broker, by the socket in its data directory.

mod client;
mod clients;
mod deadletters;
mod modules;
mod spool;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use hookwire_admin::{Changes, Client, ClientError, Request};

use super::Failure;

/// Options of `hookwire ctl`.
#[derive(Debug, clap::Args)]
pub(crate) struct CtlOptions {
    /// Data directory of the broker
    #[arg(
        long,
        value_name = "DIR",
        default_value = "hookwire-data",
        global = true
    )]
    data: PathBuf,
    /// Answers as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: CtlVerb,
}

#[derive(Debug, Subcommand)]
enum CtlVerb {
    /// Reads the configuration and all modules again.
    Reload,
    /// Modules: which there are, and changes of them.
    #[command(subcommand)]
    Modules(modules::ModulesVerb),
    /// Clients with a session.
    #[command(subcommand)]
    Clients(clients::ClientsVerb),
    /// Events that a rule could not do its work on.
    #[command(subcommand)]
    Deadletters(deadletters::DeadlettersVerb),
    /// Events that wait for a rule's store, to be run again in order.
    #[command(subcommand)]
    Spool(spool::SpoolVerb),
    /// Figures, as Prometheus reads them.
    Metrics,
}

/// Asks, and prints the answer.
pub(crate) fn ctl(options: &CtlOptions) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let asker = Asker {
        client: Client::new(&options.data),
        json: options.json,
    };
    runtime.block_on(async {
        match &options.verb {
            CtlVerb::Reload => asker.change(&Request::Reload).await,
            CtlVerb::Modules(verb) => modules::modules(&asker, verb).await,
            CtlVerb::Clients(verb) => clients::clients(&asker, verb).await,
            CtlVerb::Deadletters(verb) => deadletters::deadletters(&asker, verb).await,
            CtlVerb::Spool(verb) => spool::spool(&asker, verb).await,
            CtlVerb::Metrics => {
                let text: String = asker.ask(&Request::Metrics).await?;
                print_text(text.trim_end());
                Ok(())
            }
        }
    })
}

/// Asks a broker, for one command.
pub(crate) struct Asker {
    client: Client,
    json: bool,
}

impl Asker {
    pub(crate) async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<T, Failure> {
        self.client.ask(request).await.map_err(failure)
    }

    /// Asks, and prints the answer as JSON or as `show` makes lines of it.
    pub(crate) async fn show<T>(
        &self,
        request: &Request,
        show: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<(), Failure>
    where
        T: serde::de::DeserializeOwned + serde::Serialize,
    {
        let answer: T = self.ask(request).await?;
        if self.json {
            let text = serde_json::to_string_pretty(&answer).context("cannot print the answer")?;
            print_text(&text);
        } else {
            for line in show(&answer) {
                print(&line);
            }
        }
        Ok(())
    }

    /// Asks for a change, and prints what has changed.
    pub(crate) async fn change(&self, request: &Request) -> Result<(), Failure> {
        self.show(request, |changes: &Changes| {
            let mut lines = changes.changed.clone();
            let restart = changes.needs_restart.iter();
            lines.extend(restart.map(|what| format!("{what}: takes a restart to change")));
            if lines.is_empty() {
                lines.push("nothing has changed".to_owned());
            }
            lines
        })
        .await
    }
}

/// What a person is told of a broker that is not there, or says no.
fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refusal) => {
            let mut text = refusal.message.clone();
            for problem in &refusal.problems {
                text.push_str("\n  ");
                text.push_str(problem);
            }
            Failure::Other(anyhow::anyhow!(text))
        }
        // Its text has the cause.
        error => Failure::Other(anyhow::Error::msg(error.to_string())),
    }
}

/// Prints one line for a person. A client chooses its id and its topics: what
/// of them would steer the terminal, or pass for another line, is spelled out.
pub(crate) fn print(line: &str) {
    print_text(&visible(line));
}

/// Prints text as it is.
pub(crate) fn print_text(text: &str) {
    // Whoever reads may have heard enough.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Rows in columns, under their titles.
pub(crate) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| visible(cell)))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths);
        let padded: Vec<String> = padded
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(titles)];
    lines.extend(
        rows.iter()
            .map(|row| line(row.each_ref().map(String::as_str))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["a".to_owned(), "1".to_owned()],
            ["longer".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["NAME", "N"], &rows),
            ["NAME    N", "a       1", "longer"]
        );
    }

    #[test]
    fn what_steers_a_terminal_is_spelled_out() {
        assert_eq!(visible("plain é 漢"), "plain é 漢");
        assert_eq!(visible("a\u{1b}[31m\nb\u{9b}"), "a\\u{1b}[31m\\nb\\u{9b}");
        let rows = [["a\nb".to_owned(), "1".to_owned()]];
        assert_eq!(table(["NAME", "N"], &rows), ["NAME  N", "a\\nb  1"]);
    }
}
