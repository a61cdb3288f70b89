//! The figures of a module's own: counters, gauges and histograms.

use std::collections::HashMap;
use std::sync::PoisonError;

use crate::module::memory::ModuleMemory;

/// Figures that a module may have.
const MAX_METRICS: usize = 256;
const MAX_METRIC_NAME: usize = 64;
/// Buckets of a histogram: powers of two from 2^-20 to 2^19, and beyond.
const BUCKETS: usize = 41;
const FIRST_POWER: i32 = -20;

/// One figure of a module.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(f64),
    /// Values counted by power of two, and their sum.
    Histogram {
        /// Counts: element n has the values up to 2^(n - 20), above the one
        /// before; the last has all beyond.
        buckets: Vec<u64>,
        /// Sum of the values.
        sum: f64,
    },
}

#[derive(Debug, Default)]
pub(super) struct Metrics {
    by_name: HashMap<String, Metric>,
    left_out: u64,
}

impl ModuleMemory {
    /// Changes a figure, which begins with `fresh`. One of another kind by the
    /// same name, and one too many, are left out.
    fn change(&self, name: &str, fresh: impl FnOnce() -> Metric, change: impl FnOnce(&mut Metric)) {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = metrics.by_name.get_mut(name) {
            return change(metric);
        }
        let is_name = !name.is_empty()
            && name.len() <= MAX_METRIC_NAME
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || metrics.by_name.len() >= MAX_METRICS {
            metrics.left_out += 1;
            return;
        }
        let metric = metrics.by_name.entry(name.to_owned()).or_insert_with(fresh);
        change(metric);
    }

    pub(crate) fn add(&self, name: &str, by: u64) {
        self.change(
            name,
            || Metric::Counter(0),
            |metric| {
                if let Metric::Counter(counter) = metric {
                    *counter = counter.saturating_add(by);
                }
            },
        );
    }

    pub(crate) fn set_gauge(&self, name: &str, value: f64) {
        self.change(
            name,
            || Metric::Gauge(0.0),
            |metric| {
                if let Metric::Gauge(gauge) = metric {
                    *gauge = value;
                }
            },
        );
    }

    pub(crate) fn observe(&self, name: &str, value: f64) {
        let fresh = || Metric::Histogram {
            buckets: vec![0; BUCKETS],
            sum: 0.0,
        };
        self.change(name, fresh, |metric| {
            if let Metric::Histogram { buckets, sum } = metric {
                if let Some(bucket) = buckets.get_mut(bucket_of(value)) {
                    *bucket += 1;
                }
                *sum += if value.is_finite() { value } else { 0.0 };
            }
        });
    }

    /// The figures by name, and how many changes were left out.
    pub(crate) fn figures(&self) -> (Vec<(String, Metric)>, u64) {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut figures: Vec<_> = metrics
            .by_name
            .iter()
            .map(|(name, metric)| (name.clone(), metric.clone()))
            .collect();
        figures.sort_by(|left, right| left.0.cmp(&right.0));
        (figures, metrics.left_out)
    }
}

/// Upper bound of a histogram's bucket.
#[must_use]
pub fn bucket_bound(bucket: usize) -> f64 {
    let power = i32::try_from(bucket)
        .unwrap_or(i32::MAX)
        .saturating_add(FIRST_POWER);
    if bucket + 1 >= BUCKETS {
        f64::INFINITY
    } else {
        2_f64.powi(power)
    }
}

fn bucket_of(value: f64) -> usize {
    (0..BUCKETS)
        .find(|bucket| value <= bucket_bound(*bucket))
        .unwrap_or(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_a_bound_and_a_kind() {
        let memory = ModuleMemory::default();
        memory.add("seen", 2);
        memory.add("seen", 3);
        memory.set_gauge("seen", 1.0);
        memory.set_gauge("level", 1.5);
        memory.observe("took_seconds", 0.75);
        memory.observe("took_seconds", f64::NAN);
        memory.add("not a name", 1);
        for number in 0..MAX_METRICS {
            memory.add(&format!("n{number}"), 1);
        }
        let (figures, left_out) = memory.figures();
        assert_eq!(figures.len(), MAX_METRICS);
        assert_eq!(left_out, 1 + 3);
        let figure = |name: &str| figures.iter().find(|(known, _)| known == name);
        assert_eq!(figure("seen").unwrap().1, Metric::Counter(5));
        assert_eq!(figure("level").unwrap().1, Metric::Gauge(1.5));
        let Metric::Histogram { buckets, sum } = &figure("took_seconds").unwrap().1 else {
            panic!("it is a histogram");
        };
        assert_eq!(*sum, 0.75);
        assert_eq!((buckets[20], buckets[BUCKETS - 1]), (1, 1));
        assert_eq!(bucket_bound(20), 1.0);
    }
}
