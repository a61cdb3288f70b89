//! Who is online: one row per client in `mqtt_client`.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::BatchResult;

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

const GONE: &str = "UPDATE mqtt_client SET state = '0', offline_at = ? \
    WHERE node = ? AND state = '1'";

/// Writes state 1, the node and the time into the client's row of mqtt_client.
#[action(hook = "client.connected", pool = "sql", stores)]
pub(crate) fn on_client_connected(
    ctx: &Context,
    clients: &[&Client],
) -> Result<BatchResult, Fault> {
    write_presence(ctx, CONNECTED, clients)
}

/// Writes state 0 and the time into the client's row of mqtt_client.
#[action(hook = "client.disconnected", pool = "sql", stores)]
pub(crate) fn on_client_disconnected(
    ctx: &Context,
    clients: &[&Client],
) -> Result<BatchResult, Fault> {
    write_presence(ctx, DISCONNECTED, clients)
}

/// Writes state 0 into the rows of clients that this node had when it ended without
/// saying so.
#[action(hook = "node.started", pool = "sql", stores)]
pub(crate) fn on_node_started(ctx: &Context, nodes: &[&Node]) -> Result<BatchResult, Fault> {
    let times: Vec<DateTime> = nodes
        .iter()
        .map(|node| DateTime::from_unix_ms(node.at_ms))
        .collect();
    let rows = times
        .iter()
        .map(|at| [at.as_str().into(), ctx.node().into()]);
    ctx.sql()?.exec_many(GONE, rows)
}

fn write_presence(
    ctx: &Context,
    statement: &str,
    clients: &[&Client],
) -> Result<BatchResult, Fault> {
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
    ctx.sql()?.exec_many(statement, rows)
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Event, Instance, Rule, SqlPool};

    use super::*;
    use crate::Module;

    fn rules() -> Instance<Module> {
        Instance::configure(vec![
            Rule::new(&on_client_connected::ACTION)
                .node("hookwire@a")
                .pool("main"),
            Rule::new(&on_client_disconnected::ACTION).pool("main"),
        ])
        .expect("the rules fit the module")
    }

    fn event(clientid: &str, at_ms: u64) -> Event {
        Event::Client(Client {
            at_ms,
            ..testing::client(clientid)
        })
    }

    #[test]
    fn a_batch_of_clients_is_one_call() {
        let pool = SqlPool::named("main");
        let events = [
            event("c1", 1_479_202_840_000),
            event("c2", 1_479_203_170_999),
        ];
        assert_eq!(rules().handle(&events, &[(0, 0), (0, 1)]), []);
        let stored = pool.stored();
        let [call] = stored.as_slice() else {
            panic!("{stored:?}");
        };
        assert_eq!(call.statement, CONNECTED);
        let rows: [[Value; 3]; 2] = [
            [
                "c1".into(),
                "hookwire@a".into(),
                "2016-11-15 09:40:40".into(),
            ],
            [
                "c2".into(),
                "hookwire@a".into(),
                "2016-11-15 09:46:10".into(),
            ],
        ];
        assert_eq!(call.rows, rows);
    }

    #[test]
    fn coming_and_going_keep_their_order() {
        let pool = SqlPool::named("main");
        let events = [event("c1", 1), event("c1", 2), event("c1", 3)];
        assert_eq!(rules().handle(&events, &[(0, 0), (1, 1), (0, 2)]), []);
        let statements: Vec<String> = pool
            .stored()
            .into_iter()
            .map(|call| call.statement)
            .collect();
        assert_eq!(statements, [CONNECTED, DISCONNECTED, CONNECTED]);
    }

    #[test]
    fn a_store_that_fails_fails_the_events() {
        let pool = SqlPool::named("main");
        let fault = Fault::new(FaultKind::Unavailable, "sqlite:8", "read-only").retryable();
        pool.fail_next(fault.clone());
        let settled = rules().handle(&[event("c1", 1)], &[(1, 0)]);
        assert_eq!(settled.len(), 1);
        assert_eq!(settled[0].verdict, Verdict::Failed(fault));
    }
}
