//! Stock module `sqlite`: the emqx3 tables in SQLite, and what a rule's own
//! statements write.
//!
//! The tables are those of `etc/sql/sqlite-emqx3.sql`, which the driver creates
//! when a pool opens. An action that stores takes a batch and stores it in one
//! call, one row per event, so that a row that the store refuses fails its event
//! alone.

mod acked;
mod arrived;
mod datetime;
mod fetch;
mod message;
mod place;
mod presence;
mod retained;
mod session;
mod stored;
mod subscription;
mod template;

use acked::{on_acked_delete, on_message_acked};
use fetch::on_message_fetch;
use message::{on_message_publish, on_message_store};
use presence::{on_client_connected, on_client_disconnected, on_node_started};
use retained::{on_message_retain, on_retain_delete, on_retain_lookup};
use session::{on_session_exchange, on_session_restore, on_session_store};
use subscription::{
    on_subscribe_lookup, on_subscription_delete, on_subscription_lookup, on_subscription_store,
};
use template::sql;

hookwire_sdk::module! {
    name: "sqlite",
    actions: [
        on_client_connected,
        on_client_disconnected,
        on_node_started,
        on_session_restore,
        on_session_store,
        on_session_exchange,
        on_subscribe_lookup,
        on_subscription_lookup,
        on_subscription_store,
        on_subscription_delete,
        on_message_publish,
        on_message_store,
        on_message_retain,
        on_retain_delete,
        on_retain_lookup,
        on_message_fetch,
        on_message_acked,
        on_acked_delete,
        sql,
    ],
}
