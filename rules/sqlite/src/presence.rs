//! Who is online: one row per client in `mqtt_client`.

use hookwire_sdk::prelude::*;

use crate::datetime::DateTime;

/// A client that comes back keeps its row, and with it its `created`.
const CONNECTED: &str = "INSERT INTO mqtt_client (clientid, state, node, online_at, offline_at) \
    VALUES (?, '1', ?, ?, NULL) ON CONFLICT (clientid) DO UPDATE SET state = '1', \
    node = excluded.node, online_at = excluded.online_at, offline_at = NULL";

/// A client without a row was connected before this store was there: its row
/// says when it went, and not when it came.
const DISCONNECTED: &str = "INSERT INTO mqtt_client (clientid, state, node, offline_at) \
    VALUES (?, '0', ?, ?) ON CONFLICT (clientid) DO UPDATE SET state = '0', \
    node = excluded.node, offline_at = excluded.offline_at";

/// Writes state 1, the node and the time into the client's row of mqtt_client.
#[action(hook = "client.connected", pool = "sql", stores)]
pub(crate) fn on_client_connected(ctx: &Context, clients: &[&Client]) -> Result<Verdicts, Fault> {
    write_presence(ctx, CONNECTED, clients)
}

/// Writes state 0 and the time into the client's row of mqtt_client.
#[action(hook = "client.disconnected", pool = "sql", stores)]
pub(crate) fn on_client_disconnected(
    ctx: &Context,
    clients: &[&Client],
) -> Result<Verdicts, Fault> {
    write_presence(ctx, DISCONNECTED, clients)
}

fn write_presence(ctx: &Context, statement: &str, clients: &[&Client]) -> Result<Verdicts, Fault> {
    let times: Vec<DateTime> = clients
        .iter()
        .map(|client| DateTime::from_unix_ms(client.at_ms))
        .collect();
    let rows = clients.iter().zip(&times).map(|(client, at)| {
        [
            (&client.clientid).into(),
            ctx.node().into(),
            at.as_str().into(),
        ]
    });
    Ok(ctx.sql()?.exec_many(statement, rows)?.into())
}
