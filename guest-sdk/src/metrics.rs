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
///
/// ```
/// use hookwire_sdk::metrics::Counter;
///
/// static REFUSED: Counter = Counter::new("refused");
///
/// REFUSED.increment();
/// assert_eq!(hookwire_sdk::testing::counter("refused"), 1);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Counter(&'static str);

/// What goes up and down.
///
/// ```
/// use hookwire_sdk::metrics::Gauge;
///
/// static BANS: Gauge = Gauge::new("bans");
///
/// BANS.set(12.0);
/// BANS.set(11.0);
/// assert_eq!(hookwire_sdk::testing::gauge("bans"), Some(11.0));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Gauge(&'static str);

/// How values are spread, by powers of two.
///
/// ```
/// use hookwire_sdk::metrics::Histogram;
///
/// static PAYLOAD: Histogram = Histogram::new("payload_bytes");
///
/// PAYLOAD.observe(4.0);
/// assert_eq!(hookwire_sdk::testing::observations("payload_bytes"), [4.0]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Histogram(&'static str);

impl Counter {
    /// A counter of that name.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Counter;
    /// static REFUSED: Counter = Counter::new("refused");
    /// # REFUSED.increment();
    /// ```
    ///
    /// # Panics
    /// If the name is not letters, digits and `_`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(checked(name))
    }

    /// Adds one.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Counter;
    /// # use hookwire_sdk::testing;
    /// const REFUSED: Counter = Counter::new("refused");
    /// REFUSED.increment();
    /// assert_eq!(testing::counter("refused"), 1);
    /// ```
    pub fn increment(self) {
        self.add(1);
    }

    /// Adds.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Counter;
    /// # use hookwire_sdk::testing;
    /// const BYTES: Counter = Counter::new("payload_bytes");
    /// BYTES.add(21);
    /// BYTES.add(4);
    /// assert_eq!(testing::counter("payload_bytes"), 25);
    /// ```
    pub fn add(self, by: u64) {
        host::add(self.0, by);
    }
}

impl Gauge {
    /// A gauge of that name.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Gauge;
    /// static BANS: Gauge = Gauge::new("bans");
    /// # BANS.set(1.0);
    /// ```
    ///
    /// # Panics
    /// If the name is not letters, digits and `_`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(checked(name))
    }

    /// Sets it. All instances of the module share one gauge: the last one counts.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Gauge;
    /// # use hookwire_sdk::testing;
    /// const THRESHOLD: Gauge = Gauge::new("threshold_celsius");
    /// THRESHOLD.set(71.5);
    /// assert_eq!(testing::gauge("threshold_celsius"), Some(71.5));
    /// ```
    pub fn set(self, value: f64) {
        host::set(self.0, value);
    }
}

impl Histogram {
    /// A histogram of that name, which says the unit: `lookup_seconds`.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Histogram;
    /// static LOOKUP: Histogram = Histogram::new("lookup_seconds");
    /// # LOOKUP.observe(1.0);
    /// ```
    ///
    /// # Panics
    /// If the name is not letters, digits and `_`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(checked(name))
    }

    /// Counts one value.
    ///
    /// ```
    /// # use hookwire_sdk::metrics::Histogram;
    /// # use hookwire_sdk::testing;
    /// const LOOKUP: Histogram = Histogram::new("lookup_seconds");
    /// LOOKUP.observe(0.004);
    /// LOOKUP.observe(0.001);
    /// assert_eq!(testing::observations("lookup_seconds"), [0.004, 0.001]);
    /// ```
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
