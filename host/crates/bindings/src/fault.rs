//! Faults, from the drivers to guests and from guests to the runtime.

use hookwire_driver::{Fault, FaultKind};

use crate::wit::hookwire::types::faults;

/// A driver's fault, as a guest is told.
#[must_use]
pub fn to_guest(fault: Fault) -> faults::Fault {
    faults::Fault {
        kind: match fault.kind {
            FaultKind::Unavailable => faults::FaultKind::Unavailable,
            FaultKind::Unknown => faults::FaultKind::Unknown,
            FaultKind::Saturated => faults::FaultKind::Saturated,
            FaultKind::Denied => faults::FaultKind::Denied,
            FaultKind::Refused => faults::FaultKind::Refused,
            FaultKind::Invalid => faults::FaultKind::Invalid,
            FaultKind::Other => faults::FaultKind::Other,
        },
        code: fault.code,
        message: fault.message,
        retryable: fault.retryable,
        extras: Vec::new(),
    }
}

/// The fault that a guest's action failed with. Extras are dropped: nothing in
/// the host reads them.
#[must_use]
pub fn from_guest(fault: faults::Fault) -> Fault {
    Fault {
        kind: match fault.kind {
            faults::FaultKind::Unavailable => FaultKind::Unavailable,
            faults::FaultKind::Unknown => FaultKind::Unknown,
            faults::FaultKind::Saturated => FaultKind::Saturated,
            faults::FaultKind::Denied => FaultKind::Denied,
            faults::FaultKind::Refused => FaultKind::Refused,
            faults::FaultKind::Invalid => FaultKind::Invalid,
            faults::FaultKind::Other => FaultKind::Other,
        },
        code: fault.code,
        message: fault.message,
        retryable: fault.retryable,
    }
}
