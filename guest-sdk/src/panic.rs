//! Makes a panic readable: the trap that follows it carries no message.

use std::cell::Cell;
use std::panic::PanicHookInfo;

use crate::log::{self, Level};

thread_local! {
    /// The action that runs now.
    static RUNNING: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Runs an action, whose name a panic in it tells.
pub(crate) fn running<T>(action: &'static str, run: impl FnOnce() -> T) -> T {
    RUNNING.set(Some(action));
    let answer = run();
    RUNNING.set(None);
    answer
}

/// From now on a panic is logged, with its place, before the trap.
pub(crate) fn install_hook() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            log::write(Level::Error, &line(panic));
        }));
    });
}

fn line(panic: &PanicHookInfo<'_>) -> String {
    let who = match RUNNING.get() {
        Some(action) => format!("the action `{action}`"),
        None => "the module".to_owned(),
    };
    let place = panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let message = panic
        .payload()
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.payload().downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("{who} panicked at {place}: {message}")
}
