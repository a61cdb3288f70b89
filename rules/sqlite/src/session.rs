//! Sessions that outlive the broker: whether a client has one, until when, and its
//! QoS 2 exchanges. Its subscriptions are those of `hookwire_sub`.
//!
//! A view, `hookwire_ended`, stands for all that a session leaves: a row that is
//! inserted into it deletes that, in one atomic call.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::{BatchResult, Row};

use crate::subscription;

/// Exchanges of one session at most: more than there are packet ids, both ways.
const MAX_EXCHANGES: u32 = 200_000;
/// A session that ends with its connection.
const ENDS_AT_ONCE: u32 = 0;
/// A session that never ends.
const ENDS_NEVER: u32 = u32::MAX;

const FIND: &str = "SELECT s.expiry_s, s.ends_at_ms, \
    EXISTS (SELECT 1 FROM hookwire_floor WHERE clientid = c.clientid) \
    OR EXISTS (SELECT 1 FROM hookwire_sub WHERE clientid = c.clientid) \
    OR EXISTS (SELECT 1 FROM hookwire_exchange WHERE clientid = c.clientid) AS leaves \
    FROM (SELECT ? AS clientid) AS c LEFT JOIN hookwire_session AS s ON s.clientid = c.clientid";

const BEGIN: &str = "INSERT INTO hookwire_session (clientid, node, expiry_s) VALUES (?, ?, ?) \
    ON CONFLICT (clientid) DO UPDATE SET node = excluded.node, \
    expiry_s = excluded.expiry_s, ends_at_ms = NULL";

/// A session that is not kept has no row.
const LEAVE: &str = "UPDATE hookwire_session SET node = ?, expiry_s = ?, ends_at_ms = ? \
    WHERE clientid = ?";

const END: &str = "INSERT INTO hookwire_ended (clientid) VALUES (?)";

/// Those that were connected when the node ended, however it did.
const LEFT: &str = "UPDATE hookwire_session SET ends_at_ms = ? + expiry_s * 1000 \
    WHERE node = ? AND ends_at_ms IS NULL AND expiry_s < 4294967295";

/// Publishes count once their message is stored.
const EXCHANGES: &str = "SELECT direction, packet_id, msgid, state FROM hookwire_exchange AS e \
    WHERE clientid = ? AND (direction = 'out' \
    OR EXISTS (SELECT 1 FROM mqtt_msg WHERE msgid = e.msgid)) ORDER BY number";

const SENT: &str = "INSERT INTO hookwire_exchange (clientid, direction, packet_id, msgid, state) \
    VALUES (?, 'out', ?, ?, 'sent') ON CONFLICT (clientid, direction, packet_id, msgid) \
    DO UPDATE SET state = excluded.state";

const MOVED: &str = "UPDATE hookwire_exchange SET state = ? \
    WHERE clientid = ? AND direction = 'out' AND packet_id = ? AND msgid = ?";

const RELEASED: &str = "DELETE FROM hookwire_exchange \
    WHERE clientid = ? AND direction = 'in' AND packet_id = ?";

const FORGET_COMPLETED: &str = "DELETE FROM hookwire_exchange WHERE number IN \
    (SELECT e.number FROM hookwire_exchange AS e JOIN mqtt_msg AS m ON m.msgid = e.msgid \
    JOIN mqtt_msg AS p ON p.topic = m.topic AND p.sender IS m.sender AND p.id >= m.id \
    WHERE e.clientid = ? AND e.direction = 'out' AND e.state = 'completed' AND p.msgid = ?)";

/// A publish is about to be stored.
const TAKEN: &str = "INSERT INTO hookwire_exchange (clientid, direction, packet_id, msgid, state) \
    VALUES (?, 'in', ?, ?, 'received') ON CONFLICT (clientid, direction, packet_id, msgid) \
    DO NOTHING";

/// Gives a client the session back that it had, with its subscriptions and
/// exchanges, or begins to keep a new one.
#[action(hook = "session.created", interest("connection"), pool = "sql")]
pub(crate) fn on_session_restore(ctx: &Context, client: &Client) -> Result<Verdict, Fault> {
    let pool = ctx.sql()?;
    let clientid = &client.clientid;
    let connection = client.connection.as_ref();
    let expiry_s = connection.map_or(ENDS_AT_ONCE, |connection| connection.session_expiry_s);
    let starts_clean = connection.is_some_and(|connection| connection.clean_start);
    let answer = pool.query(FIND, &[clientid.into()], 1)?;
    let Some(found) = answer.iter().next() else {
        return Ok(Verdict::Proceed);
    };
    let is_there = is_there(&found, client.at_ms)?;
    let leaves =
        found.get::<i64>("leaves")? != 0 || found.get::<Option<i64>>("expiry_s")?.is_some();
    if !is_there || starts_clean {
        if leaves {
            pool.exec(END, &[clientid.into()])?;
        }
        if expiry_s > ENDS_AT_ONCE {
            begin(ctx, &pool, clientid, expiry_s)?;
        }
        return Ok(Verdict::Proceed);
    }
    let mut session = Restoration::new().present();
    session.subscriptions = subscription::own(&pool, clientid)?;
    let exchanges = pool.query(EXCHANGES, &[clientid.into()], MAX_EXCHANGES)?;
    for row in exchanges.iter() {
        session.exchanges.push(exchange(&row)?);
    }
    begin(ctx, &pool, clientid, expiry_s)?;
    Ok(session.into())
}

fn begin(ctx: &Context, pool: &Pool, clientid: &str, expiry_s: u32) -> Result<(), Fault> {
    let row = [
        clientid.into(),
        ctx.node().into(),
        i64::from(expiry_s).into(),
    ];
    pool.exec(BEGIN, &row)?;
    Ok(())
}

/// Whether a session is kept, and not over.
fn is_there(found: &Row<'_>, at_ms: u64) -> Result<bool, Fault> {
    let expiry_s = found.get::<Option<i64>>("expiry_s")?;
    let ends_at_ms = found.get::<Option<i64>>("ends_at_ms")?;
    let ends_at_ms = ends_at_ms.map(|ends_at_ms| u64::try_from(ends_at_ms).unwrap_or(0));
    let is_kept = expiry_s.is_some_and(|expiry_s| expiry_s > 0);
    Ok(is_kept && ends_at_ms.is_none_or(|ends_at_ms| ends_at_ms > at_ms))
}

fn exchange(row: &Row<'_>) -> Result<RestoredExchange, Fault> {
    let packet_id = row.get::<i64>("packet_id")?;
    let packet_id = u16::try_from(packet_id).map_err(|_| {
        let message = format!("hookwire_exchange has the packet id {packet_id}");
        Fault::invalid("sqlite:packet-id", message)
    })?;
    let text = |name| row.get::<&str>(name);
    Ok(RestoredExchange::new(
        text("direction")?,
        packet_id,
        text("state")?,
        text("msgid")?,
    ))
}

/// Keeps until when a session lasts whose client goes or is back, and forgets one
/// that has ended. When the node starts, sessions of clients that were connected
/// begin to run out.
#[action(
    hook = "session.resumed",
    hook = "client.disconnected",
    hook = "session.terminated",
    hook = "session.discarded",
    hook = "node.started",
    interest("connection"),
    pool = "sql",
    stores
)]
pub(crate) fn on_session_store(ctx: &Context, events: &[&Event]) -> Result<BatchResult, Fault> {
    let pool = ctx.sql()?;
    let clients = events.iter().filter_map(|event| match event {
        Event::Client(client) => Some(client),
        _ => None,
    });
    match ctx.hook() {
        "node.started" => pool.exec_many(
            LEFT,
            events.iter().map(|event| match event {
                Event::Node(node) => [Value::unsigned(node.at_ms), ctx.node().into()],
                _ => [Value::Null, Value::Null],
            }),
        ),
        "session.terminated" | "session.discarded" => {
            pool.exec_many(END, clients.map(|client| [(&client.clientid).into()]))
        }
        hook => pool.exec_many(
            LEAVE,
            clients.map(|client| {
                let connection = client.connection.as_ref();
                let expiry_s =
                    connection.map_or(ENDS_AT_ONCE, |connection| connection.session_expiry_s);
                let is_away = hook == "client.disconnected" && expiry_s < ENDS_NEVER;
                let ends_at_ms = client.at_ms.saturating_add(u64::from(expiry_s) * 1_000);
                [
                    ctx.node().into(),
                    i64::from(expiry_s).into(),
                    is_away.then(|| Value::unsigned(ends_at_ms)).into(),
                    (&client.clientid).into(),
                ]
            }),
        ),
    }
}

/// Keeps the steps of QoS 2 exchanges, so that each message reaches its receiver
/// once though the broker ends in the middle.
#[action(hook = "session.exchange", pool = "sql", stores)]
pub(crate) fn on_session_exchange(
    ctx: &Context,
    exchanges: &[&Exchange],
) -> Result<Verdicts, Fault> {
    let mut verdicts = Verdicts::proceed();
    // What is over first: its packet id may be that of the next.
    let is_released = |exchange: &Exchange| exchange.direction == "in";
    write(ctx, exchanges, &mut verdicts, RELEASED, is_released, |of| {
        [(&of.client.clientid).into(), of.packet_id.into()]
    })?;
    let is_moved = |of: &Exchange| of.direction == "out" && of.state != "sent";
    write(ctx, exchanges, &mut verdicts, MOVED, is_moved, |of| {
        [
            (&of.state).into(),
            (&of.client.clientid).into(),
            of.packet_id.into(),
            (&of.message_id).into(),
        ]
    })?;
    let is_sent = |of: &Exchange| of.direction == "out" && of.state == "sent";
    write(ctx, exchanges, &mut verdicts, SENT, is_sent, |of| {
        [
            (&of.client.clientid).into(),
            of.packet_id.into(),
            (&of.message_id).into(),
        ]
    })?;
    Ok(verdicts)
}

/// Writes a row for each exchange that is meant.
fn write<const N: usize>(
    ctx: &Context,
    exchanges: &[&Exchange],
    verdicts: &mut Verdicts,
    statement: &str,
    is_meant: fn(&Exchange) -> bool,
    row: for<'e> fn(&'e Exchange) -> [Value<'e>; N],
) -> Result<(), Fault> {
    let places = 0..exchanges.len();
    let places: Vec<usize> = places.filter(|place| is_meant(exchanges[*place])).collect();
    if places.is_empty() {
        return Ok(());
    }
    let rows = places.iter().map(|place| row(exchanges[*place]));
    for failed in ctx.sql()?.exec_many(statement, rows)?.failed {
        if let Some(place) = places.get(failed.row as usize) {
            verdicts.set(*place, Verdict::Failed(failed.fault));
        }
    }
    Ok(())
}

/// Whether a rule keeps exchanges in the pool of this one.
fn keeps_exchanges(ctx: &Context) -> bool {
    ctx.rules()
        .any(|rule| rule.action == "on_session_exchange" && rule.pool.as_deref() == ctx.pool())
}

/// The client's position moved to these messages: exchanges that are over, of what
/// the same publisher stored on the topic up to there, are needed no more.
pub(crate) fn forget_completed(ctx: &Context, deliveries: &[&Delivery]) -> Result<(), Fault> {
    let rows: Vec<_> = deliveries
        .iter()
        .filter(|delivery| delivery.qos == 2)
        .map(|delivery| [(&delivery.clientid).into(), (&delivery.message.id).into()])
        .collect();
    if !rows.is_empty() && keeps_exchanges(ctx) {
        ctx.sql()?.exec_many(FORGET_COMPLETED, rows)?;
    }
    Ok(())
}

/// Packet ids of QoS 2 publishes that are about to be stored; none where no rule
/// keeps exchanges in the pool.
pub(crate) fn taken<'m>(
    ctx: &Context,
    messages: impl Iterator<Item = &'m Message>,
) -> Result<(), Fault> {
    let rows: Vec<_> = messages
        .filter_map(|message| {
            let id = message.packet_id()?;
            Some([(&message.sender).into(), id.into(), (&message.id).into()])
        })
        .collect();
    if rows.is_empty() || !keeps_exchanges(ctx) {
        return Ok(());
    }
    match ctx.sql()?.exec_many(TAKEN, rows)?.failed.into_iter().next() {
        Some(failed) => Err(failed.fault),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use hookwire_sdk::testing::{self, Rule, SqlPool};

    use super::*;

    fn client(clean_start: bool, session_expiry_s: u32) -> Client {
        Client {
            connection: Some(hookwire_sdk::Connection {
                clean_start,
                session_expiry_s,
                ..testing::connection()
            }),
            ..testing::client("c1")
        }
    }

    /// What is there of the client: expiry, end, and whether anything is left.
    fn found(pool: &SqlPool, row: [Value<'static>; 3]) {
        pool.answer(testing::rows(
            ["expiry_s", "ends_at_ms", "leaves"],
            vec![row],
        ));
    }

    fn written(pool: &SqlPool) -> Vec<String> {
        let stored = pool.stored();
        stored.iter().map(|call| call.statement.clone()).collect()
    }

    #[test]
    fn a_session_that_is_there_goes_on_with_what_it_had() {
        let at_ms = testing::client("c1").at_ms;
        let pool = SqlPool::named("main");
        found(&pool, [60.into(), Value::unsigned(at_ms + 1), 1.into()]);
        pool.answer(testing::rows(
            [
                "topic",
                "qos",
                "no_local",
                "retain_as_published",
                "retain_handling",
                "identifier",
            ],
            vec![[
                "a/#".into(),
                2.into(),
                1.into(),
                0.into(),
                0.into(),
                Value::Null,
            ]],
        ));
        pool.answer(testing::rows(
            ["direction", "packet_id", "msgid", "state"],
            vec![[
                "out".into(),
                7.into(),
                "2PguFrHsrzEvIIBdctmb".into(),
                "sent".into(),
            ]],
        ));
        let rule = Rule::new(&on_session_restore::ACTION).pool("main");
        let subscription = RestoredSubscription {
            no_local: true,
            ..RestoredSubscription::new("a/#", 2)
        };
        let expected = Restoration::new()
            .with(subscription)
            .exchange(RestoredExchange::new(
                "out",
                7,
                "sent",
                "2PguFrHsrzEvIIBdctmb",
            ))
            .present();
        assert_eq!(rule.run(client(false, 60)), expected.into());
        assert_eq!(written(&pool), [BEGIN]);
    }

    #[test]
    fn what_is_over_or_not_wanted_ends_and_what_lasts_begins() {
        let at_ms = testing::client("c1").at_ms;
        let none = || [Value::Null, Value::Null, 0.into()];
        let over = || [60.into(), Value::unsigned(at_ms), 0.into()];
        let there = || [60.into(), Value::Null, 0.into()];
        let cases = [
            (none(), client(false, 60), vec![BEGIN]),
            (none(), client(false, 0), vec![]),
            (over(), client(false, 60), vec![END, BEGIN]),
            (there(), client(true, 60), vec![END, BEGIN]),
            (there(), client(true, 0), vec![END]),
            (
                [Value::Null, Value::Null, 1.into()],
                client(false, 0),
                vec![END],
            ),
        ];
        for (number, (row, client, expected)) in cases.into_iter().enumerate() {
            let pool = SqlPool::named("main");
            found(&pool, row);
            let rule = Rule::new(&on_session_restore::ACTION).pool("main");
            assert_eq!(rule.run(client), Verdict::Proceed, "{number}");
            assert_eq!(written(&pool), expected, "{number}");
        }
    }

    #[test]
    fn steps_are_written_behind_what_is_over() {
        let pool = SqlPool::named("main");
        let rule = Rule::new(&on_session_exchange::ACTION).pool("main");
        rule.run_batch([
            testing::exchange("c1", "out", "sent"),
            testing::exchange("c1", "out", "completed"),
            testing::exchange("c1", "in", "completed"),
        ]);
        assert_eq!(written(&pool), [RELEASED, MOVED, SENT]);
    }
}
