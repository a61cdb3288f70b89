//! Figures beside the broker's own, under the module's name. Always granted.
//!
//! A name is letters, digits and `_`, 64 characters at most; the constructors
//! refuse others when the crate compiles, if a figure is a constant or static.
//! A module has 256 of them at most; the host leaves out, and counts, what goes
//! beyond. A figure has no labels: do not put client ids or topics into names.
//!
//! ```
//! use hookwire_sdk::metrics::{Counter, Gauge, Histogram};
//! use hookwire_sdk::testing;
//!
//! static ALERTS: Counter = Counter::new("alerts");
//! static THRESHOLD: Gauge = Gauge::new("threshold_celsius");
//! static LOOKUP: Histogram = Histogram::new("lookup_seconds");
//!
//! ALERTS.increment();
//! ALERTS.add(2);
//! THRESHOLD.set(71.5);
//! LOOKUP.observe(0.004);
//!
//! assert_eq!(testing::counter("alerts"), 3);
//! assert_eq!(testing::gauge("threshold_celsius"), Some(71.5));
//! assert_eq!(testing::observations("lookup_seconds"), [0.004]);
//! ```
//!
//! ```compile_fail
//! # use hookwire_sdk::metrics::Counter;
//! static HOT: Counter = Counter::new("hot readings");
//! ```

#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::host::metrics as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::metrics as host;

/// What only grows.
#[derive(Debug, Clone, Copy)]
pub struct Counter(&'static str);

/// What goes up and down.
#[derive(Debug, Clone, Copy)]
pub struct Gauge(&'static str);

/// How values are spread, by powers of two.
#[derive(Debug, Clone, Copy)]
pub struct Histogram(&'static str);

impl Counter {
    /// A counter of that name.
    ///
    /// # Panics
    /// If the name is not letters, digits and `_`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(checked(name))
    }

    /// Adds one.
    pub fn increment(self) {
        self.add(1);
    }

    /// Adds.
    pub fn add(self, by: u64) {
        host::add(self.0, by);
    }
}

impl Gauge {
    /// A gauge of that name.
    ///
    /// # Panics
    /// If the name is not letters, digits and `_`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(checked(name))
    }

    /// Sets it. All instances of the module share one gauge: the last one counts.
    pub fn set(self, value: f64) {
        host::set(self.0, value);
    }
}

impl Histogram {
    /// A histogram of that name, which says the unit: `lookup_seconds`.
    ///
    /// # Panics
    /// If the name is not letters, digits and `_`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(checked(name))
    }

    /// Counts one value.
    pub fn observe(self, value: f64) {
        host::observe(self.0, value);
    }
}

const fn checked(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    assert!(
        !bytes.is_empty() && bytes.len() <= 64,
        "the name of a figure has 1 to 64 characters"
    );
    let mut place = 0;
    while place < bytes.len() {
        assert!(
            bytes[place].is_ascii_alphanumeric() || bytes[place] == b'_',
            "the name of a figure is letters, digits and _"
        );
        place += 1;
    }
    name
}
