//! `hookwire:host/passwords`: hashes that hide nothing, and those that a test
//! tells the password of.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::Fault;

const PREFIX: &str = "$double$";

thread_local! {
    static KNOWN: RefCell<HashMap<String, Vec<u8>>> = RefCell::default();
}

/// Tells the double on this thread which password is behind a hash, so that
/// hashes of a real store can stand in a test.
///
/// ```
/// use hookwire_sdk::{passwords, testing};
///
/// let hash = "$2b$12$abcdefghijklmnopqrstuv";
/// testing::set_password(hash, "tiger");
/// assert!(passwords::verify(b"tiger", hash).unwrap());
/// ```
pub fn set_password(hash: &str, password: impl Into<Vec<u8>>) {
    KNOWN.with_borrow_mut(|known| known.insert(hash.to_owned(), password.into()));
}

pub(crate) fn verify(password: &[u8], hash: &str) -> Result<bool, Fault> {
    if let Some(digits) = hash.strip_prefix(PREFIX) {
        return Ok(digits == hex(password));
    }
    let known = KNOWN.with_borrow(|known| known.get(hash).map(|known| known == password));
    known.ok_or_else(|| {
        Fault::invalid(
            "hookwire:hash",
            "the double knows no password of this hash: testing::set_password tells it",
        )
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as the interface has it")]
pub(crate) fn hash(password: &[u8]) -> Result<String, Fault> {
    Ok(format!("{PREFIX}{}", hex(password)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
