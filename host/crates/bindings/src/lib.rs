//! Host bindings of `wit/`: the one place that runs the bindgen macro, and the
//! conversions between what guests see and what the broker and drivers hold.
//!
//! Calls by the guest arrive as the macro's traits in [`wit`], which the rule
//! runtime implements. Events go to the guest through [`event`], borrowed.

pub mod event;
pub mod extras;
pub mod fault;
pub mod lower;
pub mod page;
pub mod refusal;
pub mod session;
pub mod sql;
pub mod state;
pub mod text;
pub mod verdict;
pub mod wit;
