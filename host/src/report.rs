//! What happened in a run, logged at its end.

use std::sync::Arc;

use hookwire_broker::Counters;
use hookwire_driver_sqlite::SqlitePool;
use hookwire_net::GreetingCounters;
use hookwire_rules::Plan;

pub(crate) fn at_end(
    plan: &Plan,
    pools: &[(String, Arc<SqlitePool>)],
    counters: &Counters,
    greetings: &GreetingCounters,
) {
    let Counters {
        connections_accepted,
        connections_refused,
        publishes_received,
        publishes_sent,
        publishes_refused,
        deliveries_dropped,
        deliveries_too_large,
        protocol_errors,
        keep_alive_timeouts,
        takeovers,
        reads_paused,
    } = counters;
    tracing::info!(
        connections_accepted,
        connections_refused,
        takeovers,
        keep_alive_timeouts,
        "clients"
    );
    tracing::info!(
        publishes_received,
        publishes_sent,
        publishes_refused,
        deliveries_dropped,
        deliveries_too_large,
        reads_paused,
        "messages"
    );
    for (kind, count) in protocol_errors {
        tracing::info!(kind, count, "protocol errors");
    }
    for (kind, count) in greetings.snapshot() {
        tracing::info!(kind, count, "failed greetings");
    }
    for stats in plan.module_stats() {
        tracing::info!(
            module = stats.module,
            handle_calls = stats.handle_calls,
            handled_events = stats.events,
            traps = stats.traps,
            deadline_misses = stats.deadline_misses,
            max_batch = stats.max_batch_seen,
            "module"
        );
    }
    for stats in plan.stats() {
        tracing::info!(
            rule = stats.rule,
            module = stats.module,
            action = stats.action,
            calls = stats.calls,
            events = stats.events,
            errors = stats.errors,
            "rule"
        );
    }
    for (name, pool) in pools {
        let stats = pool.stats();
        tracing::info!(
            pool = name,
            rows = stats.rows,
            transactions = stats.transactions,
            refused_rows = stats.refused_rows,
            failed_transactions = stats.failed_transactions,
            rows_per_transaction = stats.mean_transaction_rows(),
            "store"
        );
    }
}
