//! A module: compiled, described, granted what it may reach, and made into
//! instances.

pub(crate) mod cache;
pub(crate) mod engine;
pub(crate) mod figures;
pub(crate) mod grant;
pub(crate) mod instance;
pub(crate) mod interest;
pub(crate) mod loader;
pub(crate) mod manifest;
pub(crate) mod memory;
#[cfg(feature = "native-actions")]
pub(crate) mod native;
pub(crate) mod options;
pub(crate) mod template;
