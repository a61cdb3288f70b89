//! What a client is told of a publish or a wish that did not go through.

use hookwire_broker::Refusal;
use hookwire_driver::{Fault, FaultKind};
use hookwire_mqtt::ReasonCode;

use crate::text::bounded;
use crate::wit::exports::hookwire::rule::actions::Denial;

/// Longest reason string that a guest can send to a client, in bytes.
const MAX_REASON_BYTES: usize = 256;

/// A guest's denial. A code that is no error of the standard becomes
/// `unspecified error`; the text is cut and cleaned for a reason string.
#[must_use]
pub fn refusal(denial: Denial) -> Refusal {
    let reason = ReasonCode::try_from(denial.reason_code)
        .ok()
        .filter(|reason| reason.is_error());
    Refusal {
        reason: reason.unwrap_or(ReasonCode::UnspecifiedError),
        text: bounded(denial.reason, MAX_REASON_BYTES),
    }
}

/// What a publisher is told when a fault keeps its message from being taken.
///
/// The fault's own message is for the log: it may speak of the store's insides.
#[must_use]
pub fn refusal_of_fault(rule: &str, fault: &Fault) -> Refusal {
    let reason = match fault.kind {
        FaultKind::Saturated if fault.retryable => ReasonCode::QuotaExceeded,
        FaultKind::Denied if !fault.retryable => ReasonCode::NotAuthorized,
        FaultKind::Refused if !fault.retryable && is_about_form(&fault.code) => {
            ReasonCode::PayloadFormatInvalid
        }
        _ => ReasonCode::UnspecifiedError,
    };
    let what = match fault.kind {
        FaultKind::Unavailable => "its store is not available",
        FaultKind::Unknown => "no answer in time",
        FaultKind::Saturated => "too much at once",
        FaultKind::Denied => "not allowed",
        FaultKind::Refused => "its store refused the data",
        FaultKind::Invalid | FaultKind::Other => "it failed",
    };
    let text = format!("rule {rule}: {what} ({})", fault.code);
    Refusal {
        reason,
        text: bounded(text, MAX_REASON_BYTES),
    }
}

/// Whether a store's code says that the data has the wrong form: SQLSTATE class
/// 22 (data exception), SQLite's TOOBIG and MISMATCH, or a module's own word
/// `payload:...`.
fn is_about_form(code: &str) -> bool {
    code.starts_with("sqlstate:22")
        || code.starts_with("payload:")
        || matches!(code, "sqlite:18" | "sqlite:20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_always_an_error() {
        let check = |reason_code, expected| {
            let reason = "no\0".to_owned();
            let refusal = refusal(Denial {
                reason_code,
                reason,
                extras: Vec::new(),
            });
            assert_eq!((refusal.reason, &*refusal.text), (expected, "no"));
        };
        check(0x87, ReasonCode::NotAuthorized);
        check(0x00, ReasonCode::UnspecifiedError);
        check(0xFF, ReasonCode::UnspecifiedError);
    }

    #[test]
    fn faults_have_their_reason_codes() {
        let check = |kind, code: &str, retryable, expected| {
            let fault = Fault {
                kind,
                code: code.to_owned(),
                message: "secret".to_owned(),
                retryable,
            };
            let refusal = refusal_of_fault("r", &fault);
            assert_eq!(refusal.reason, expected, "{fault:?}");
            assert!(!refusal.text.contains("secret"), "{}", refusal.text);
        };
        let (quota, form) = (ReasonCode::QuotaExceeded, ReasonCode::PayloadFormatInvalid);
        let unspecified = ReasonCode::UnspecifiedError;
        check(FaultKind::Saturated, "host:x", true, quota);
        check(FaultKind::Unavailable, "sqlite:14", true, unspecified);
        check(FaultKind::Unknown, "host:deadline", true, unspecified);
        check(FaultKind::Denied, "x", false, ReasonCode::NotAuthorized);
        check(FaultKind::Refused, "sqlstate:22001", false, form);
        check(FaultKind::Refused, "sqlite:18", false, form);
        check(FaultKind::Refused, "sqlite:19", false, unspecified);
        check(FaultKind::Invalid, "sqlite:1", false, unspecified);
    }
}
