//! Figures, in the text format of Prometheus.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use hookwire_broker::{Command, Counters, Holdings, Reply};
use hookwire_driver_sqlite::RetentionStats;
use hookwire_rules::{Histogram, Metric, bucket_bound};
use tokio::sync::oneshot;

use super::Control;
use super::clients::answered;

impl Control {
    pub(super) async fn metrics(&self) -> String {
        let mut text = Text::default();
        self.write_broker(&mut text).await;
        self.write_rules(&mut text);
        self.write_modules(&mut text);
        text.finish()
    }

    async fn write_broker(&self, text: &mut Text) {
        let (mut holdings, mut counters) = (Holdings::default(), Counters::default());
        for worker in &self.workers {
            let (reply, answer) = oneshot::channel();
            worker.command(Command::Report {
                reply: Reply::new(move |report| drop(reply.send(report))),
            });
            if let Some((held, counted)) = answered(answer).await {
                holdings.add(&held);
                counters.add(&counted);
            }
        }
        for (name, count) in counters.named() {
            text.counter(&format!("hookwire_{name}_total"), &[], count);
        }
        for (kind, count) in &counters.protocol_errors {
            text.counter("hookwire_protocol_errors_total", &[("kind", kind)], *count);
        }
        for (kind, count) in self.greetings.snapshot() {
            text.counter("hookwire_failed_greetings_total", &[("kind", kind)], count);
        }
        let held = [
            ("connections", holdings.connections),
            ("clients_online", holdings.online),
            ("sessions", holdings.sessions),
            ("subscriptions", holdings.subscriptions),
            ("inflight_messages", holdings.inflight),
            ("queued_messages", holdings.queued),
            ("queued_bytes", holdings.queued_bytes),
            ("delayed_messages", holdings.delayed),
        ];
        for (name, count) in held {
            text.gauge(&format!("hookwire_{name}"), &[], count as f64);
        }
    }

    fn write_rules(&self, text: &mut Text) {
        let running = self.running();
        for rule in running.plan.stats() {
            let labels = [("rule", rule.rule.as_str()), ("module", &rule.module)];
            text.counter("hookwire_rule_calls_total", &labels, rule.calls);
            text.counter("hookwire_rule_events_total", &labels, rule.events);
            text.counter("hookwire_rule_errors_total", &labels, rule.errors);
            text.counter("hookwire_rule_lost_total", &labels, rule.lost);
            text.counter("hookwire_rule_events_lost_total", &labels, rule.events_lost);
            let is_open = f64::from(u8::from(rule.breaker_is_open));
            text.gauge("hookwire_rule_breaker_open", &labels, is_open);
            text.histogram("hookwire_rule_call_seconds", &labels, &rule.latency, 1e-6);
            text.histogram("hookwire_rule_batch_events", &labels, &rule.batch, 1.0);
        }
        for module in running.plan.module_stats() {
            let labels = [("module", module.module.as_str())];
            text.counter(
                "hookwire_module_batches_total",
                &labels,
                module.handle_calls,
            );
            text.counter("hookwire_module_traps_total", &labels, module.traps);
            text.counter(
                "hookwire_module_deadline_misses_total",
                &labels,
                module.deadline_misses,
            );
            text.counter(
                "hookwire_module_failed_starts_total",
                &labels,
                module.failed_starts,
            );
            text.gauge(
                "hookwire_module_generation",
                &labels,
                module.generation as f64,
            );
        }
        for pool in &running.pools {
            let stats = pool.pool.stats();
            let labels = [("pool", pool.name())];
            text.counter("hookwire_pool_rows_total", &labels, stats.rows);
            text.counter(
                "hookwire_pool_transactions_total",
                &labels,
                stats.transactions,
            );
            text.counter(
                "hookwire_pool_refused_rows_total",
                &labels,
                stats.refused_rows,
            );
            text.counter(
                "hookwire_pool_failed_transactions_total",
                &labels,
                stats.failed_transactions,
            );
            let waiting = pool.pool.waiting_rows() as f64;
            text.gauge("hookwire_pool_waiting_rows", &labels, waiting);
            write_retention(text, pool.name(), &pool.pool.retention_stats());
        }
    }

    fn write_modules(&self, text: &mut Text) {
        let house = self.house.stats();
        text.gauge("hookwire_spooled_events", &[], house.spooled as f64);
        text.gauge("hookwire_spool_bytes", &[], house.spool_bytes as f64);
        let without_rule = house.spooled_without_rule as f64;
        text.gauge("hookwire_spooled_events_without_rule", &[], without_rule);
        text.gauge("hookwire_dead_letters", &[], house.dead_letters as f64);
        let reloads = self.reloads.load(Ordering::Relaxed);
        text.counter("hookwire_reloads_total", &[], reloads);
        let failed = self.failed_reloads.load(Ordering::Relaxed);
        text.counter("hookwire_failed_reloads_total", &[], failed);
        for module in self.runtime.figures() {
            let labels = [("module", module.module.as_str())];
            for (name, metric) in &module.figures {
                let name = format!("hookwire_module_{name}");
                match metric {
                    Metric::Counter(count) => {
                        text.counter(&format!("{name}_total"), &labels, *count);
                    }
                    Metric::Gauge(value) => text.gauge(&name, &labels, *value),
                    Metric::Histogram { buckets, sum } => {
                        let buckets = buckets.iter().enumerate();
                        let buckets = buckets.map(|(bucket, count)| (bucket_bound(bucket), *count));
                        text.buckets(&name, &labels, buckets, *sum);
                    }
                }
            }
            text.counter("hookwire_figures_left_out_total", &labels, module.left_out);
        }
    }
}

fn write_retention(text: &mut Text, pool: &str, stats: &RetentionStats) {
    let labels = [("pool", pool)];
    for removed in &stats.removed {
        let labels = [
            ("pool", pool),
            ("table", removed.table),
            ("reason", removed.reason),
        ];
        text.counter("hookwire_pool_removed_rows_total", &labels, removed.rows);
    }
    text.counter(
        "hookwire_pool_retention_slices_total",
        &labels,
        stats.slices,
    );
    let longest = stats.longest_slice.as_secs_f64();
    text.gauge(
        "hookwire_pool_longest_retention_slice_seconds",
        &labels,
        longest,
    );
    let used = stats.used_bytes as f64;
    text.gauge("hookwire_pool_used_bytes", &labels, used);
}

/// The text format: each figure with its type, and its lines together.
#[derive(Default)]
struct Text {
    families: BTreeMap<String, Family>,
    /// What has a value. A module may call a figure as the broker calls one of
    /// its own, and a second value would spoil the whole answer.
    series: HashSet<String>,
}

struct Family {
    kind: &'static str,
    lines: String,
}

impl Text {
    fn finish(self) -> String {
        let mut text = String::new();
        for (name, family) in &self.families {
            text.push_str(&format!("# TYPE {name} {}\n", family.kind));
            text.push_str(&family.lines);
        }
        text
    }

    fn counter(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let series = series(name, labels, &[]);
        self.line((name, "counter"), series, &value.to_string());
    }

    fn gauge(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let series = series(name, labels, &[]);
        self.line((name, "gauge"), series, &value.to_string());
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], counted: &Histogram, unit: f64) {
        let buckets = counted.buckets.iter();
        let buckets = buckets.map(|(bound, count)| (*bound as f64 * unit, *count));
        self.buckets(name, labels, buckets, counted.sum as f64 * unit);
    }

    /// Buckets that nothing came into are left out; those that are there count
    /// everything up to their bound.
    fn buckets(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: impl Iterator<Item = (f64, u64)>,
        sum: f64,
    ) {
        let family = (name, "histogram");
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        for (bound, count) in buckets {
            total += count;
            if count > 0 && bound.is_finite() {
                let bound = bound.to_string();
                let series = series(&bucket, labels, &[("le", &bound)]);
                self.line(family, series, &total.to_string());
            }
        }
        let everything = total.to_string();
        let last = series(&bucket, labels, &[("le", "+Inf")]);
        self.line(family, last, &everything);
        let parts = [("sum", sum.to_string()), ("count", everything)];
        for (part, value) in parts {
            let series = series(&format!("{name}_{part}"), labels, &[]);
            self.line(family, series, &value);
        }
    }

    fn line(&mut self, (name, kind): (&str, &'static str), series: String, value: &str) {
        let family = self.families.entry(name.to_owned()).or_insert(Family {
            kind,
            lines: String::new(),
        });
        if family.kind == kind && !self.series.contains(&series) {
            family.lines.push_str(&format!("{series} {value}\n"));
            self.series.insert(series);
        }
    }
}

/// A name with its labels.
fn series(name: &str, labels: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels
        .iter()
        .chain(more)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if labels.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", labels.join(","))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.counter("a_total", &[("rule", "x\"y\\z\n")], 3);
        text.gauge("b", &[], 1.5);
        let counted = Histogram {
            buckets: vec![(1, 2), (2, 0), (4, 3)],
            sum: 14,
        };
        text.histogram("c", &[("m", "n")], &counted, 1.0);
        assert_eq!(
            text.finish(),
            "# TYPE a_total counter\n\
             a_total{rule=\"x\\\"y\\\\z\\n\"} 3\n\
             # TYPE b gauge\n\
             b 1.5\n\
             # TYPE c histogram\n\
             c_bucket{m=\"n\",le=\"1\"} 2\n\
             c_bucket{m=\"n\",le=\"4\"} 5\n\
             c_bucket{m=\"n\",le=\"+Inf\"} 5\n\
             c_sum{m=\"n\"} 14\n\
             c_count{m=\"n\"} 5\n"
        );
    }

    #[test]
    fn lines_of_one_figure_stand_together() {
        let mut text = Text::default();
        for module in ["x", "y"] {
            text.gauge("b", &[("module", module)], 1.0);
            text.counter("a_total", &[("module", module)], 2);
        }
        assert_eq!(
            text.finish(),
            "# TYPE a_total counter\n\
             a_total{module=\"x\"} 2\n\
             a_total{module=\"y\"} 2\n\
             # TYPE b gauge\n\
             b{module=\"x\"} 1\n\
             b{module=\"y\"} 1\n"
        );
    }

    #[test]
    fn the_first_to_use_a_name_has_it() {
        let mut text = Text::default();
        text.counter("a_total", &[], 1);
        text.counter("a_total", &[], 2);
        text.gauge("a_total", &[("module", "x")], 3.0);
        text.gauge("c_count", &[], 4.0);
        let counted = Histogram {
            buckets: vec![(1, 2)],
            sum: 2,
        };
        text.histogram("c", &[], &counted, 1.0);
        let text = text.finish();
        assert!(text.contains("a_total 1\n"), "{text}");
        assert_eq!(text.matches("\na_total").count(), 1, "{text}");
        assert_eq!(text.matches("\nc_count ").count(), 1, "{text}");
    }
}
