//! Stock module `sqlite`: presence and messages into the emqx3 tables.
//!
//! The tables are those of `etc/sql/sqlite-emqx3.sql`, which the driver creates
//! when a pool opens. Every action takes a batch and stores it in one call, one
//! row per event, so that a row that the store refuses fails its event alone.

mod datetime;
mod message;
mod presence;

use message::on_message_publish;
use presence::{on_client_connected, on_client_disconnected};

hookwire_sdk::module! {
    name: "sqlite",
    actions: [on_client_connected, on_client_disconnected, on_message_publish],
}
