//! What happened in a run, logged at its end.

use hookwire_broker::Counters;
use hookwire_net::GreetingCounters;
use hookwire_rules::Plan;

use crate::pools::OpenedPool;

pub(crate) fn at_end(
    plan: &Plan,
    pools: &[OpenedPool],
    counters: &Counters,
    greetings: &GreetingCounters,
) {
    for (name, count) in counters.named().filter(|(_, count)| *count > 0) {
        tracing::info!(name, count, "counted");
    }
    for (kind, count) in &counters.protocol_errors {
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
    for pool in pools {
        let stats = pool.pool.stats();
        tracing::info!(
            pool = pool.name(),
            rows = stats.rows,
            transactions = stats.transactions,
            refused_rows = stats.refused_rows,
            failed_transactions = stats.failed_transactions,
            rows_per_transaction = stats.mean_transaction_rows(),
            "store"
        );
    }
}
