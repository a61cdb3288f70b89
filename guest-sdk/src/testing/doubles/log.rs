//! `hookwire:host/log`: lines are kept.

use std::cell::RefCell;

use crate::log::Level;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// The lines logged on this thread since the last call.
#[must_use]
pub fn take_log() -> Vec<(Level, String)> {
    LINES.take()
}

pub(crate) fn log(level: Level, message: &str) {
    LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
}
