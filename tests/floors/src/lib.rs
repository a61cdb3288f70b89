//! Holds the floors of the workspace: which crate may know which.
