//! What the interfaces in `wit/` look like in Rust: generated, never edited.
//!
//! The rest of the SDK wraps this module; an author's crate reaches it only
//! through [`module!`](crate::module). Values that go to the host are borrowed
//! (`ValueParam<'a>`), so that an action binds an event's text and bytes
//! without copying them. The generated code crosses the boundary to the host
//! with raw pointers, which is why `unsafe` is allowed here and nowhere else.
#![allow(
    warnings,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]

wit_bindgen::generate!({
    world: "hookwire:rule/module",
    path: ["../wit/types", "../wit/host", "../wit/broker", "../wit/sql", "../wit/rule"],
    generate_all,
    ownership: Borrowing { duplicate_if_necessary: true },
    additional_derives: [PartialEq],
    pub_export_macro: true,
    export_macro_name: "export_module",
});
