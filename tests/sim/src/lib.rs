//! A deterministic simulation of the broker core, and a model of MQTT that
//! checks every delivery of it.

mod act;
mod client;
mod finish;
pub mod history;
pub mod hunt;
pub mod model;
pub mod packet;
pub mod plan;
pub mod policy;
pub mod random;
pub mod run;
pub mod shrink;
pub mod stamp;
pub mod stored;
pub mod tally;
pub mod wire;
pub mod world;
