//! What the interfaces look like in Rust: generated. The generated code crosses
//! the boundary to the host with raw pointers, which is why `unsafe` is allowed
//! here and nowhere else.
#![allow(
    warnings,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]

wit_bindgen::generate!({
    world: "hookwire:rule/module",
    path: [
        "../../../../wit/types",
        "../../../../wit/host",
        "../../../../wit/broker",
        "../../../../wit/sql",
        "../../../../wit/rule",
    ],
    generate_all,
});

use crate::Hostile;

export!(Hostile with_types_in self);
