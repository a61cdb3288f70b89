//! The `mqtt` block.

use hcl_edit::structure::Block;

use crate::keys::Keys;
use crate::model::Mqtt;
use crate::source::Source;
use crate::{block, value};

const MIB: u64 = 1024 * 1024;

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            max_packet_bytes: 1024 * 1024,
            receive_maximum: 128,
            max_inflight: 64,
            max_queued_messages: 1000,
            max_output_bytes: 1024 * 1024,
            max_keep_alive_s: 0,
        }
    }
}

/// The limits of the block.
pub(crate) fn read(source: &mut Source<'_>, block: &Block) -> Mqtt {
    let at = block::at(source, block);
    if !block.labels.is_empty() {
        source.report(at.clone(), "mqtt has no name: write mqtt { ... }");
    }
    let default = Mqtt::default();
    let mut keys = Keys::new(source, &block.body, "mqtt", at);
    let mqtt = Mqtt {
        // A forwarded message may grow a little, and has to stay below the
        // protocol's 256 MiB.
        max_packet_bytes: keys.bytes(
            "max_packet_bytes",
            default.max_packet_bytes,
            256..=255 * MIB,
        ),
        receive_maximum: keys.or(
            "receive_maximum",
            default.receive_maximum,
            value::integer(1..=u16::MAX),
        ),
        max_inflight: keys.or(
            "max_inflight",
            default.max_inflight,
            value::integer(1..=u16::MAX),
        ),
        max_queued_messages: keys.count(
            "max_queued_messages",
            default.max_queued_messages,
            1..=10_000_000,
        ),
        max_output_bytes: keys.bytes(
            "max_output_bytes",
            default.max_output_bytes,
            4096..=1024 * MIB,
        ),
        max_keep_alive_s: keys.or(
            "max_keep_alive_s",
            default.max_keep_alive_s,
            value::integer(0..=u16::MAX),
        ),
    };
    keys.finish();
    mqtt
}
