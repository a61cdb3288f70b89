//! Checks of passwords against their hashes, away from the worker's thread.
//! Granted by `grants = ["passwords"]`.
//!
//! ```
//! use hookwire_sdk::{passwords, testing};
//!
//! let hash = passwords::hash(b"secret").unwrap();
//! assert!(passwords::verify(b"secret", &hash).unwrap());
//! assert!(!passwords::verify(b"guess", &hash).unwrap());
//!
//! // The double knows hashes that it made, and those that a test tells it.
//! testing::set_password("$2b$12$abcdefghijklmnopqrstuv", "tiger");
//! assert!(passwords::verify(b"tiger", "$2b$12$abcdefghijklmnopqrstuv").unwrap());
//! assert!(passwords::verify(b"tiger", "plain text").is_err());
//! ```

use crate::Fault;
#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::host::passwords as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::passwords as host;

/// Whether `password` is the one behind `hash`: a PHC string of Argon2, scrypt
/// or PBKDF2 (`$argon2id$v=19$...`), or bcrypt (`$2b$12$...`).
///
/// ```
/// use hookwire_sdk::{passwords, testing};
///
/// let hash = "$2b$12$abcdefghijklmnopqrstuv"; // from a table
/// testing::set_password(hash, "tiger");
/// assert!(passwords::verify(b"tiger", hash).unwrap());
/// assert!(!passwords::verify(b"lion", hash).unwrap());
/// ```
///
/// # Errors
/// `Invalid`, where the hash is none of these or asks for more than the host
/// spends on one; `Saturated`, where too many wait.
pub fn verify(password: &[u8], hash: &str) -> Result<bool, Fault> {
    host::verify(password, hash)
}

/// A new hash: Argon2id, with a salt of its own.
///
/// ```
/// use hookwire_sdk::passwords;
///
/// let hash = passwords::hash(b"tiger").unwrap();
/// assert!(passwords::verify(b"tiger", &hash).unwrap());
/// ```
///
/// # Errors
/// `Saturated`, where too many wait.
pub fn hash(password: &[u8]) -> Result<String, Fault> {
    host::hash(password)
}
