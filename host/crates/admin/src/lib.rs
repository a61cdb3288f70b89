//! Administration of a running broker: what may be asked, and the socket in the
//! data directory by which it is asked.
//!
//! A request is one line of JSON, and so is its answer; the answer to
//! [`Request::Record`] is a line for each event. Whoever may write into the data
//! directory may ask: the socket is its owner's alone.

mod client;
mod protocol;
mod server;
mod socket;

pub use client::{Client, ClientError, Events};
pub use protocol::{
    Changes, ClientEntry, LetterEntry, ModuleEntry, PositionEntry, Purged, ReadingEntry,
    RecordingEnd, Refusal, Replayed, Request, SourceEntry, SpoolEntry, SubscriptionEntry, Tap,
};
pub use server::{Administration, Recording, serve};
pub use socket::{SOCKET, bind};
