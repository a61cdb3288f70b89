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

pub use crate::bindings::hookwire::host::log::Level;

/// Writes one line. The macros [`log_info!`](crate::log_info) and its siblings
/// take the arguments of `format!` instead.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::hookwire::host::log::write(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::doubles::log(level, message);
}

/// Logs what a person must act on.
#[macro_export]
macro_rules! log_error {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arg)*)) };
}

/// Logs what looks wrong and was dealt with.
#[macro_export]
macro_rules! log_warn {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arg)*)) };
}

/// Logs what an operator wants to know once.
#[macro_export]
macro_rules! log_info {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arg)*)) };
}

/// Logs what helps to find a fault.
#[macro_export]
macro_rules! log_debug {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arg)*)) };
}

/// Logs what happens per event.
#[macro_export]
macro_rules! log_trace {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($arg)*)) };
}
