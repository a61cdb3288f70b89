//! What a module remembers, in the memory of this node. Granted by
//! `grants = ["key-value"]`.
//!
//! All instances of the module share it, on all workers; it is kept over a
//! reload, and gone when the broker ends or the module is unloaded. A key has
//! 1 KiB at most, a value 64 KiB, and all together the module's
//! `max_key_value_bytes`.
//!
//! ```
//! use std::time::Duration;
//!
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::{kv, testing};
//!
//! /// Ten messages a minute are enough.
//! #[action(hook = "message.publish")]
//! fn limit(_: &Context, message: &Message) -> Result<Verdict, Fault> {
//!     let minute = Duration::from_secs(60);
//!     match kv::increment(&message.sender, 1, Some(minute))? {
//!         1..=10 => Ok(Verdict::Proceed),
//!         _ => Ok(Verdict::deny(reason_code::QUOTA_EXCEEDED, "ten a minute")),
//!     }
//! }
//!
//! let rule = testing::Rule::new(&limit::ACTION);
//! let send = || rule.run(testing::message("a", ""));
//! assert!((0..10).all(|_| send() == Verdict::Proceed));
//! assert_ne!(send(), Verdict::Proceed);
//! testing::advance_clock(Duration::from_secs(60));
//! assert_eq!(send(), Verdict::Proceed);
//! ```

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Fault;
#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::host::key_value as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::key_value as host;

/// The value of a key, if it has one.
///
/// ```
/// use hookwire_sdk::kv;
///
/// assert_eq!(kv::get("ovens/1"), None);
/// kv::set("ovens/1", b"71.5", None).unwrap();
/// assert_eq!(kv::get("ovens/1"), Some(b"71.5".to_vec()));
/// ```
#[must_use]
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::get(key)
}

/// Writes a value, which with `ttl` is gone so much later.
///
/// ```
/// # use std::time::Duration;
/// # use hookwire_sdk::{kv, testing};
/// kv::set("last", b"21.5", Some(Duration::from_secs(1))).unwrap();
/// assert_eq!(kv::get("last").as_deref(), Some(&b"21.5"[..]));
/// testing::advance_clock(Duration::from_secs(1));
/// assert_eq!(kv::get("last"), None);
/// ```
///
/// # Errors
/// `Saturated`, where the module has no room left; `Invalid`, where the key or
/// the value is too long.
pub fn set(key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), Fault> {
    host::set(key, value, ttl.map(crate::milliseconds))
}

/// Forgets a key, and answers whether it had a value.
///
/// ```
/// use hookwire_sdk::kv;
///
/// kv::set("ovens/1", b"71.5", None).unwrap();
/// assert!(kv::delete("ovens/1"));
/// assert!(!kv::delete("ovens/1"));
/// ```
pub fn delete(key: &str) -> bool {
    host::delete(key)
}

/// Adds to a number, which begins at 0, in one step, and answers the sum. `ttl`
/// counts from the first addition.
///
/// ```
/// use std::time::Duration;
///
/// use hookwire_sdk::kv;
///
/// let hour = Some(Duration::from_secs(3600));
/// assert_eq!(kv::increment("failed/c1", 1, hour).unwrap(), 1);
/// assert_eq!(kv::increment("failed/c1", 1, hour).unwrap(), 2);
/// ```
///
/// # Errors
/// `Invalid`, where the value is not a number that this function wrote;
/// `Saturated`, where the module has no room left.
pub fn increment(key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, Fault> {
    host::increment(key, by, ttl.map(crate::milliseconds))
}

/// The value of a key, which [`set_json`] wrote.
///
/// ```
/// use hookwire_sdk::kv;
///
/// kv::set_json("limits/c1", &(10, 85), None).unwrap();
/// let limits: Option<(i64, i64)> = kv::get_json("limits/c1").unwrap();
/// assert_eq!(limits, Some((10, 85)));
/// assert_eq!(kv::get_json::<i64>("limits/c2").unwrap(), None);
/// ```
///
/// # Errors
/// `Invalid`, where the value is not JSON, or not of that type.
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Fault> {
    match get(key) {
        Some(value) => Ok(Some(serde_json::from_slice(&value)?)),
        None => Ok(None),
    }
}

/// Writes a value as JSON.
///
/// ```
/// # use hookwire_sdk::kv;
/// kv::set_json("window", &(1, vec!["a", "b"]), None).unwrap();
/// let window: Option<(u32, Vec<String>)> = kv::get_json("window").unwrap();
/// assert_eq!(window.unwrap().1, ["a", "b"]);
/// ```
///
/// # Errors
/// As for [`set`]; `Invalid` too where the value has no JSON form.
pub fn set_json<T: Serialize>(key: &str, value: &T, ttl: Option<Duration>) -> Result<(), Fault> {
    set(key, &serde_json::to_vec(value)?, ttl)
}
