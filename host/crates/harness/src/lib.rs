//! Runs rule modules against fixtures: the tests of a compiled component, in
//! the broker's own runtime.
//!
//! A [`Fixture`] is an HCL file: rules as a configuration has them, stores and
//! what is in them, then events, faults and steps of the clock in order, and
//! what is expected of each. A [`Harness`] binds its rules to a component with
//! the real loader, plan and lanes, SQLite behind `sql`, and the fixture's own
//! answers behind `http`. What was found is held against what was expected, line by line.
//!
//! `hookwire rule test`, `bench` and `replay` are thin over this crate, and the
//! stock modules' own tests call [`run`]. The README lists what a fixture may
//! hold.

mod bench;
mod bundle;
mod capture;
mod cells;
mod check;
mod fixture;
mod harness;
mod limits;
mod message;
mod question;
mod record;
mod report;
mod runner;
mod seen;
mod stage;
mod statements;
mod store;
mod trace;
mod worker;
mod world;

pub use bench::{BatchCost, SIZES, bench};
pub use bundle::{
    BundleError, BundledFixture, MAX_BUNDLE_BYTES, bundle, fixtures_of, with_fixtures,
};
pub use cells::text_of_found as text_of_rows;
pub use check::unmet;
pub use fixture::Fixture;
pub use harness::{Harness, HarnessError};
pub use limits::Limits;
pub use record::{fixture_text, setup_text};
pub use report::{Report, Summary, run};
pub use trace::{Asked, Did, HttpCall, Seen, StoreCall, Trace};
