//! `hookwire ctl clients`

use clap::Subcommand;
use hookwire_admin::{ClientEntry, Request};
use hookwire_settings::nearest;

use super::client::shown;
use super::{Asker, print, print_text, table, visible};
use crate::cli::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ClientsVerb {
    /// Lists clients with a session, by client id.
    List {
        /// Client ids above this one
        #[arg(long, value_name = "CLIENTID")]
        after: Option<String>,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
    },
    /// Shows one client: its subscriptions, what it reads from stores and how far.
    Show {
        /// Its client id
        clientid: String,
    },
    /// Ends a client's connection.
    Kick {
        /// Its client id
        clientid: String,
    },
}

pub(super) async fn clients(asker: &Asker, verb: &ClientsVerb) -> Result<(), Failure> {
    match verb {
        ClientsVerb::List { after, limit } => {
            let request = Request::Clients {
                after: after.clone(),
                limit: *limit,
            };
            asker.show(&request, listed).await
        }
        ClientsVerb::Show { clientid } => {
            let request = Request::Client {
                clientid: clientid.clone(),
            };
            let client: Option<ClientEntry> = asker.ask(&request).await?;
            let Some(client) = client else {
                return Err(no_such(asker, clientid, "has a session").await);
            };
            if asker.json {
                let text = serde_json::to_string_pretty(&client);
                print_text(&text.map_err(anyhow::Error::from)?);
            } else {
                shown(&client).iter().for_each(|line| print(line));
            }
            Ok(())
        }
        ClientsVerb::Kick { clientid } => {
            let request = Request::Kick {
                clientid: clientid.clone(),
            };
            let was_there: bool = asker.ask(&request).await?;
            if !was_there {
                return Err(no_such(asker, clientid, "is connected").await);
            }
            print(&format!("{clientid} is disconnected"));
            Ok(())
        }
    }
}

/// Client ids that are looked at for a near one.
const LOOKED_AT: usize = 10_000;

/// Says that there is no such client, and which one may be meant.
async fn no_such(asker: &Asker, clientid: &str, what: &str) -> Failure {
    let request = Request::Clients {
        after: None,
        limit: LOOKED_AT,
    };
    let known: Vec<ClientEntry> = asker.ask(&request).await.unwrap_or_default();
    let others = known.iter().map(|client| client.clientid.as_str());
    let near = nearest(clientid, others.filter(|other| *other != clientid));
    let hint = match near {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "see `hookwire ctl clients list`".to_owned(),
    };
    let text = format!("no client \"{clientid}\" {what}; {hint}");
    Failure::Other(anyhow::anyhow!(visible(&text)))
}

#[allow(clippy::ptr_arg, reason = "the answer is a list that was read")]
fn listed(clients: &Vec<ClientEntry>) -> Vec<String> {
    let row = |client: &ClientEntry| {
        [
            client.clientid.clone(),
            state(client).to_owned(),
            client.username.clone().unwrap_or_default(),
            client.peer.clone().unwrap_or_default(),
            client.protocol.clone().unwrap_or_default(),
            client.subscriptions.len().to_string(),
            client.inflight.to_string(),
            client.queued.to_string(),
        ]
    };
    let titles = [
        "CLIENT",
        "STATE",
        "USER",
        "ADDRESS",
        "MQTT",
        "SUBSCRIPTIONS",
        "INFLIGHT",
        "QUEUED",
    ];
    let rows: Vec<_> = clients.iter().map(row).collect();
    table(titles, &rows)
}

pub(super) fn state(client: &ClientEntry) -> &'static str {
    if client.connected {
        "online"
    } else {
        "offline"
    }
}
