//! componentize.
fn main() {}
