//! Lanes: each one instance of a module on a worker, and the queue that it
//! drains, batch by batch.
//!
//! [`queue`] holds what waits, [`runner`] takes a batch of it and calls the
//! guest, [`settle`] says what becomes of each event, and [`give_up`] what becomes
//! of those that a rule failed on. What goes wrong is found by [`isolate`], kept
//! from happening twice by [`journal`], and held back by [`breaker`].

pub(crate) mod adopt;
pub(crate) mod answer;
pub(crate) mod away;
pub(crate) mod batch;
pub(crate) mod before;
pub(crate) mod breaker;
pub(crate) mod class;
pub(crate) mod conduct;
pub(crate) mod entry;
pub(crate) mod extras;
pub(crate) mod give_up;
pub(crate) mod group;
pub(crate) mod hold;
pub(crate) mod isolate;
pub(crate) mod item;
pub(crate) mod journal;
pub(crate) mod order;
pub(crate) mod priority;
pub(crate) mod queue;
pub(crate) mod runner;
pub(crate) mod settle;
pub(crate) mod signal;
mod take;
pub(crate) mod view;
