//! The driver of rumqttc: `rumqttc` for MQTT 3.1.1 and `rumqttc::v5` for 5.0.
//!
//! Commands come in and answers go out, a line of JSON each, with what the
//! clients hear in between; `tests/clients/README.md` has the words. One
//! command is done at a time; each client has a task that runs its event loop.
#![allow(
    clippy::print_stdout,
    reason = "what a driver says goes to standard output"
)]

mod link;
mod v4;
mod v5;
mod words;

use std::collections::HashMap;
use std::io::BufRead as _;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use words::{flag, list, number, text};

/// A client, of the module for its version.
enum Client {
    V4(v4::Client),
    V5(v5::Client),
}

fn main() -> Result<()> {
    let (lines, commands) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(commands))
}

async fn serve(mut commands: mpsc::Receiver<String>) -> Result<()> {
    let mut clients = HashMap::new();
    while let Some(line) = commands.recv().await {
        let command: Value = serde_json::from_str(&line)?;
        let said = match act(&mut clients, &command).await {
            Ok(done) => json!({"id": command["id"], "ok": done}),
            Err(error) => json!({"id": command["id"], "error": format!("{error:#}")}),
        };
        println!("{said}");
    }
    Ok(())
}

async fn act(clients: &mut HashMap<String, Client>, command: &Value) -> Result<Value> {
    let what = text(command, "do")?;
    if what == "reset" {
        for (_, mut client) in clients.drain() {
            client.kill().await;
        }
        return Ok(json!({}));
    }
    let name = text(command, "client")?;
    if what == "connect" {
        let (client, connack) = Client::connect(name, command).await?;
        clients.insert(name.to_owned(), client);
        return Ok(connack);
    }
    let client = clients
        .get_mut(name)
        .with_context(|| format!("no client {name}"))?;
    let reasons = match what {
        "listen" => return Ok(json!({})),
        "subscribe" => client.subscribe(command).await?,
        "unsubscribe" => client.unsubscribe(command).await?,
        "publish" => client.publish(command).await?,
        "acknowledge" => {
            for _ in 0..number(command, "count")? {
                client.acknowledge().await?;
            }
            return Ok(json!({}));
        }
        "disconnect" => {
            client.disconnect().await?;
            return Ok(json!({}));
        }
        "kill" => {
            client.kill().await;
            return Ok(json!({}));
        }
        other => bail!("no command {other}"),
    };
    Ok(json!({ "reasons": reasons }))
}

impl Client {
    async fn connect(name: &str, command: &Value) -> Result<(Self, Value)> {
        Ok(if text(command, "version")? == "5.0" {
            let (client, connack) = v5::Client::connect(name, command).await?;
            (Self::V5(client), connack)
        } else {
            let (client, connack) = v4::Client::connect(name, command).await?;
            (Self::V4(client), connack)
        })
    }

    async fn subscribe(&mut self, command: &Value) -> Result<Vec<u8>> {
        match self {
            Self::V4(client) => client.subscribe(command).await,
            Self::V5(client) => client.subscribe(command).await,
        }
    }

    async fn unsubscribe(&mut self, command: &Value) -> Result<Vec<u8>> {
        let mut reasons = Vec::new();
        // The library takes one filter at a time.
        for filter in list(command, "filters")? {
            let filter = filter.as_str().context("a filter is a text")?;
            reasons.extend(match self {
                Self::V4(client) => client.unsubscribe(filter).await?,
                Self::V5(client) => client.unsubscribe(filter).await?,
            });
        }
        Ok(reasons)
    }

    async fn publish(&mut self, command: &Value) -> Result<Vec<u8>> {
        let payloads = list(command, "payloads")?;
        for payload in payloads {
            let payload = words::bytes(payload)?;
            let retain = flag(command, "retain")?;
            match self {
                Self::V4(client) => client.publish(command, payload, retain).await?,
                Self::V5(client) => client.publish(command, payload, retain).await?,
            }
        }
        match self {
            Self::V4(client) => client.link.published(payloads.len()).await,
            Self::V5(client) => client.link.published(payloads.len()).await,
        }
    }

    async fn acknowledge(&mut self) -> Result<()> {
        match self {
            Self::V4(client) => client.acknowledge().await,
            Self::V5(client) => client.acknowledge().await,
        }
    }

    async fn disconnect(&mut self) -> Result<()> {
        match self {
            Self::V4(client) => client.disconnect().await,
            Self::V5(client) => client.disconnect().await,
        }
    }

    async fn kill(&mut self) {
        match self {
            Self::V4(client) => client.link.cut().await,
            Self::V5(client) => client.link.cut().await,
        }
    }
}
