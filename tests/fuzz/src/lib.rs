//! Fuzz targets of the codec: one for each direction and version, and one for
//! the first packet of a connection.
//!
//! A target takes any bytes as what a connection has read, decodes them packet
//! by packet as its receiver would, and panics where the codec breaks a promise
//! (`check.rs` lists them). `cargo test` feeds it the corpus and seeded mutations of it;
//! `cargo xtask fuzz` puts libFuzzer before the same functions.

mod check;
pub mod corpus;
mod hostile;
pub mod mutate;
mod samples;

use check::Direction::{ToClient, ToServer};
use hookwire_mqtt::ProtocolVersion::{V5, V31, V311};

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its folder in `corpus/`.
    pub name: &'static str,
    /// Takes any bytes, and panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 7] = [
    target("connect", connect),
    target("to_server_3_1", to_server_3_1),
    target("to_server_3_1_1", to_server_3_1_1),
    target("to_server_5", to_server_5),
    target("to_client_3_1", to_client_3_1),
    target("to_client_3_1_1", to_client_3_1_1),
    target("to_client_5", to_client_5),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The first packet of a connection.
pub fn connect(data: &[u8]) {
    check::greeting(data);
}

/// What a server reads in MQTT 3.1.
pub fn to_server_3_1(data: &[u8]) {
    check::stream(data, V31, ToServer);
}

/// What a server reads in MQTT 3.1.1.
pub fn to_server_3_1_1(data: &[u8]) {
    check::stream(data, V311, ToServer);
}

/// What a server reads in MQTT 5.
pub fn to_server_5(data: &[u8]) {
    check::stream(data, V5, ToServer);
}

/// What a client reads in MQTT 3.1.
pub fn to_client_3_1(data: &[u8]) {
    check::stream(data, V31, ToClient);
}

/// What a client reads in MQTT 3.1.1.
pub fn to_client_3_1_1(data: &[u8]) {
    check::stream(data, V311, ToClient);
}

/// What a client reads in MQTT 5.
pub fn to_client_5(data: &[u8]) {
    check::stream(data, V5, ToClient);
}
