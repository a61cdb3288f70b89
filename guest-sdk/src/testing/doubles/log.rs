//! `hookwire:host/log`: lines are kept.

use std::cell::RefCell;

use crate::log::Level;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// The lines logged on this thread since the last call.
///
/// ```
/// use hookwire_sdk::log::Level;
/// use hookwire_sdk::{log_info, testing};
///
/// log_info!("12 bans are known");
/// assert_eq!(testing::take_log(), [(Level::Info, "12 bans are known".to_owned())]);
/// assert!(testing::take_log().is_empty());
/// ```
#[must_use]
pub fn take_log() -> Vec<(Level, String)> {
    LINES.take()
}

pub(crate) fn log(level: Level, message: &str) {
    LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
}
