//! Write Hookwire rule modules in Rust.
