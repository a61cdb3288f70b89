//! Who may connect, and who may do what: by words that a test writes.

use crate::bindings::exports::hookwire::rule::actions::{Allowance, Denial, Event, Verdict};
use crate::bindings::hookwire::types::events::Credentials;

/// Knows passwords `right` and `wrong`, a method that asks for `proof`, and
/// topics below `open/` and `closed/`; anything else is for the next rule.
pub(crate) fn judge(event: &Event) -> Verdict {
    match event {
        Event::Credentials(credentials) => authenticate(credentials),
        Event::Access(access) if access.topic.starts_with("open/") => allow(None),
        Event::Access(access) if access.topic.starts_with("closed/") => deny(0x87),
        _ => Verdict::Proceed,
    }
}

fn authenticate(credentials: &Credentials) -> Verdict {
    match (&credentials.method, credentials.step.as_str()) {
        (Some(_), "continue") => match credentials.data.as_deref() {
            Some(b"proof") => allow(Some(b"welcome".to_vec())),
            _ => deny(0x87),
        },
        (Some(_), _) => Verdict::Challenge(b"prove it".to_vec()),
        (None, _) => match credentials.password.as_deref() {
            Some(b"right") => allow(None),
            Some(b"wrong") => deny(0x86),
            _ => Verdict::Proceed,
        },
    }
}

fn allow(data: Option<Vec<u8>>) -> Verdict {
    Verdict::Allow(Allowance {
        data,
        keep_ms: None,
        extras: Vec::new(),
    })
}

fn deny(reason_code: u8) -> Verdict {
    Verdict::Deny(Denial {
        reason_code,
        reason: "on purpose".to_owned(),
        extras: Vec::new(),
    })
}
