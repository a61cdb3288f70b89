//! Holds the floors of the workspace: which crate may know which, and what may
//! stand at the top of the repository.
//!
//! There is nothing to call here: the tables and the tests over `cargo
//! metadata` are in `tests/`.
