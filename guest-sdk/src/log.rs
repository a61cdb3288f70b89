//! Lines in the broker's log, under the module's name. Always granted.
//!
//! A line must not hold a payload or a secret: logs travel further than data.
//! The host cuts lines that are too long and leaves out what is too much in a
//! second.
//!
//! ```
//! use hookwire_sdk::log::Level;
//! use hookwire_sdk::{log_warn, testing};
//!
//! log_warn!("{} readings were out of range", 3);
//! assert_eq!(testing::take_log(), [(Level::Warn, "3 readings were out of range".to_owned())]);
//! ```

/// How much a line matters.
///
/// ```
/// use hookwire_sdk::log::{self, Level};
///
/// let level = match 85 {
///     ..=70 => Level::Debug,
///     71..=90 => Level::Warn,
///     _ => Level::Error,
/// };
/// log::write(level, "the oven is hot");
/// # assert_eq!(hookwire_sdk::testing::take_log()[0].0, Level::Warn);
/// ```
pub use crate::bindings::hookwire::host::log::Level;

/// Writes one line. The macros [`log_info!`](crate::log_info) and its siblings
/// take the arguments of `format!` instead.
///
/// ```
/// use hookwire_sdk::log::{self, Level};
/// use hookwire_sdk::testing;
///
/// let level = if testing::message("a", "").retain { Level::Info } else { Level::Debug };
/// log::write(level, "a message came");
/// assert_eq!(testing::take_log()[0].0, Level::Debug);
/// ```
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::hookwire::host::log::write(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::doubles::log(level, message);
}

/// Logs what a person must act on.
///
/// ```
/// # use hookwire_sdk::log::Level;
/// # use hookwire_sdk::testing;
/// hookwire_sdk::log_error!("the table `{}` is missing", "ban");
/// assert_eq!(testing::take_log(), [(Level::Error, "the table `ban` is missing".to_owned())]);
/// ```
#[macro_export]
macro_rules! log_error {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arg)*)) };
}

/// Logs what looks wrong and was dealt with.
///
/// ```
/// # use hookwire_sdk::log::Level;
/// # use hookwire_sdk::testing;
/// hookwire_sdk::log_warn!("{} readings were out of range", 3);
/// assert_eq!(testing::take_log(), [(Level::Warn, "3 readings were out of range".to_owned())]);
/// ```
#[macro_export]
macro_rules! log_warn {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arg)*)) };
}

/// Logs what an operator wants to know once.
///
/// ```
/// # use hookwire_sdk::log::Level;
/// # use hookwire_sdk::testing;
/// hookwire_sdk::log_info!("{} bans are known", 12);
/// assert_eq!(testing::take_log(), [(Level::Info, "12 bans are known".to_owned())]);
/// ```
#[macro_export]
macro_rules! log_info {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arg)*)) };
}

/// Logs what helps to find a fault.
///
/// ```
/// # use hookwire_sdk::log::Level;
/// # use hookwire_sdk::testing;
/// hookwire_sdk::log_debug!("asked the store again after {} ms", 40);
/// assert_eq!(testing::take_log(), [(Level::Debug, "asked the store again after 40 ms".to_owned())]);
/// ```
#[macro_export]
macro_rules! log_debug {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arg)*)) };
}

/// Logs what happens per event.
///
/// ```
/// # use hookwire_sdk::log::Level;
/// # use hookwire_sdk::testing;
/// hookwire_sdk::log_trace!("a message of {} bytes", 4);
/// assert_eq!(testing::take_log(), [(Level::Trace, "a message of 4 bytes".to_owned())]);
/// ```
#[macro_export]
macro_rules! log_trace {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($arg)*)) };
}
