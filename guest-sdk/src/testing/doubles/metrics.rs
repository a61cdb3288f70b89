//! `hookwire:host/metrics`: figures are kept by name.

use std::cell::RefCell;
use std::collections::HashMap;

#[derive(Default)]
struct Figures {
    counters: HashMap<String, u64>,
    gauges: HashMap<String, f64>,
    observations: HashMap<String, Vec<f64>>,
}

thread_local! {
    static FIGURES: RefCell<Figures> = RefCell::default();
}

/// What a counter of this thread stands at; 0 where nothing was added.
///
/// ```
/// use hookwire_sdk::metrics::Counter;
/// use hookwire_sdk::testing;
///
/// static REFUSED: Counter = Counter::new("refused");
///
/// assert_eq!(testing::counter("refused"), 0);
/// REFUSED.add(2);
/// assert_eq!(testing::counter("refused"), 2);
/// ```
#[must_use]
pub fn counter(name: &str) -> u64 {
    FIGURES.with_borrow(|figures| figures.counters.get(name).copied().unwrap_or_default())
}

/// What a gauge of this thread was set to last.
///
/// ```
/// use hookwire_sdk::metrics::Gauge;
/// use hookwire_sdk::testing;
///
/// static BANS: Gauge = Gauge::new("bans");
///
/// assert_eq!(testing::gauge("bans"), None);
/// BANS.set(12.0);
/// assert_eq!(testing::gauge("bans"), Some(12.0));
/// ```
#[must_use]
pub fn gauge(name: &str) -> Option<f64> {
    FIGURES.with_borrow(|figures| figures.gauges.get(name).copied())
}

/// The values that a histogram of this thread counted, in order.
///
/// ```
/// use hookwire_sdk::metrics::Histogram;
/// use hookwire_sdk::testing;
///
/// static LOOKUP: Histogram = Histogram::new("lookup_seconds");
///
/// LOOKUP.observe(0.004);
/// assert_eq!(testing::observations("lookup_seconds"), [0.004]);
/// ```
#[must_use]
pub fn observations(name: &str) -> Vec<f64> {
    FIGURES.with_borrow(|figures| figures.observations.get(name).cloned().unwrap_or_default())
}

pub(crate) fn add(name: &str, by: u64) {
    FIGURES.with_borrow_mut(|figures| {
        let counter = figures.counters.entry(name.to_owned()).or_default();
        *counter = counter.saturating_add(by);
    });
}

pub(crate) fn set(name: &str, value: f64) {
    FIGURES.with_borrow_mut(|figures| figures.gauges.insert(name.to_owned(), value));
}

pub(crate) fn observe(name: &str, value: f64) {
    FIGURES.with_borrow_mut(|figures| {
        let values = figures.observations.entry(name.to_owned()).or_default();
        values.push(value);
    });
}
