//! A wake-up that is remembered.

use std::cell::Cell;
use std::task::Waker;

/// Raising it often costs one wake.
#[derive(Default)]
pub(crate) struct Signal {
    raised: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Signal {
    pub(crate) fn raise(&self) {
        if !self.raised.replace(true)
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    pub(crate) fn take(&self) -> bool {
        self.raised.replace(false)
    }

    pub(crate) fn set_waker(&self, waker: &Waker) {
        self.waker.set(Some(waker.clone()));
    }
}
