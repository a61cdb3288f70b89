//! What building a rule module takes of a machine: a cargo that compiles for
//! Wasm, found or made.
//!
//! Shared by `cargo xtask rules` and `hookwire rule build`, so that an author's
//! machine and a contributor's are set up alike. It runs other programs and
//! says so on standard error, and uses the standard library and anyhow alone.

mod process;
pub mod system_packages;
mod wasm_target;

pub use process::{cargo, find_program, output, run, say, succeeds};
pub use wasm_target::{GuestCargo, Route, TARGET, prepare};
